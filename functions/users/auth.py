"""Supabase Auth: accounts, sessions and mails, with its refusals put into the contract's words."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

import httpx
import jwt

from studysync.aws.snapstart import on_restore
from studysync.db.transport import http_client
from studysync.errors import RATE_LIMIT_EXCEEDED, VALIDATION_ERROR, ApiError, forbidden, unauthenticated
from studysync.fields import writable
from studysync.settings import Settings, get_settings
from users.auth_client import AuthClient, AuthRefusedError, auth_unavailable
from users.models import Tokens

# Wrong address and wrong password must not be told apart; the others say that a token or session is not good any more.
_UNAUTHENTICATED = frozenset(
    {
        "invalid_credentials",
        "email_not_confirmed",
        "user_banned",
        "user_not_found",
        "session_not_found",
        "session_expired",
        "refresh_token_not_found",
        "refresh_token_already_used",
        "bad_jwt",
        "no_authorization",
        "validation_failed",
        "otp_expired",
    }
)
# What signing out may hear: the session has ended already, or went with its account.
_ENDED = frozenset({"session_not_found", "session_expired", "user_not_found"})
_WRONG_CREDENTIALS = "The email address or the password is wrong."
_REFRESH_REFUSED = "The refresh token is not valid."
_TOKEN_REFUSED = "The access token is not valid."  # noqa: S105 - a message
_LINK_REFUSED = "The link is not valid, or was used before."


class AccountRefusedError(Exception):
    """Supabase Auth would not make an account. Why is found out in the database, because it does not always say."""


class SupabaseAuth:
    """Accounts and tokens.

    Args:
        settings: where Supabase Auth is, and the keys.
        client: the HTTP pool to use.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._client = AuthClient(settings, client)

    async def create_account(self, email: str, password: str, metadata: dict[str, Any], *, confirmed: bool) -> None:
        """Make an account; the database makes its profile from `metadata` in the same transaction.

        Args:
            email: its address.
            password: its password.
            metadata: what the database's trigger reads.
            confirmed: whether the address counts as confirmed; one that does not may not sign in.

        Raises:
            AccountRefusedError: there is one already, or the database refused the profile.
            ApiError: SERVICE_UNAVAILABLE.
        """
        account = {"email": email, "password": password, "email_confirm": confirmed, "user_metadata": metadata}
        try:
            await self._client.call("create_user", "POST /admin/users", account, holds="id")
        except AuthRefusedError as error:
            if error.code in {"email_address_invalid", "validation_failed", "weak_password"}:
                raise ApiError(VALIDATION_ERROR, "The address or the password was not accepted.") from error
            raise AccountRefusedError(error.code) from error

    async def sign_in(self, email: str, password: str) -> Tokens:
        """Return a new session.

        Raises:
            ApiError: AUTHENTICATION_ERROR, in the same words whether the address or the password is wrong.
        """
        if not email or not password or not writable(email + password):
            raise unauthenticated(_WRONG_CREDENTIALS)  # nobody's; the database would stumble over them
        return await self._session("sign_in", "password", _WRONG_CREDENTIALS, email=email, password=password)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Return the session's tokens for a refresh token, which is used up.

        One that comes again because its answer was lost gets the tokens of that answer.

        Raises:
            ApiError: AUTHENTICATION_ERROR, it was used before or never was one.
        """
        if not writable(refresh_token):
            raise unauthenticated(_REFRESH_REFUSED)  # the database would stumble over it
        return await self._session("refresh", "refresh_token", _REFRESH_REFUSED, refresh_token=refresh_token)

    async def verify(self, kind: str, token: str) -> Tokens | None:
        """Take the token of a mail, which is used up, and return a session; ``None``: another mail has to be answered.

        Args:
            kind: what the mail was for: `recovery`, `signup`, `magiclink`, `email_change`.
            token: from its link.

        Raises:
            ApiError: AUTHENTICATION_ERROR, it is too old, was used before or never was one.
        """
        if not writable(token):
            raise unauthenticated(_LINK_REFUSED)
        try:
            answer = await self._client.call("verify", "POST /verify", {"type": kind, "token_hash": token}, once=True)
        except AuthRefusedError as error:
            _refuse(error, _LINK_REFUSED)
        if "access_token" in answer:
            return _tokens(answer)
        if "msg" in answer or "message" in answer:
            return None
        raise auth_unavailable(ValueError("the answer is empty"))

    async def change_password(self, access_token: str, password: str) -> None:
        """Set another password, in the name of the user whose token it is.

        Raises:
            ApiError: AUTHENTICATION_ERROR; VALIDATION_ERROR, the project's rules do not take the password.
        """
        try:
            await self._client.call(
                "change_password", "PUT /user", {"password": password}, token=access_token, holds="id"
            )
        except AuthRefusedError as error:
            if error.code == "same_password":  # or it was changed by a call whose answer was lost
                return
            if error.code == "weak_password":
                raise ApiError(VALIDATION_ERROR, "The password was not accepted.") from error
            _refuse(error, _TOKEN_REFUSED)

    async def change_email(self, access_token: str, email: str) -> None:
        """Have the mails sent that confirm another address; one that is taken gets none, and nobody is told.

        Raises:
            ApiError: AUTHENTICATION_ERROR.
        """
        try:
            await self._client.call("change_email", "PUT /user", {"email": email}, token=access_token, holds="id")
        except AuthRefusedError as error:
            if error.code not in {"email_exists", "over_email_send_rate_limit", "unexpected_failure"}:
                _refuse(error, _TOKEN_REFUSED)

    async def send_mail(self, path: str, **fields: Any) -> None:
        """Have a mail sent to an address, if it has an account that waits for one; nobody is told whether it has."""
        try:
            await self._client.call("send_mail", f"POST {path}", fields)
        except AuthRefusedError as error:
            if error.code == "over_request_rate_limit":  # counts calls, whomever they are about
                _refuse(error, "")

    async def sign_out(self, access_token: str, scope: str = "local") -> None:
        """End sessions of the user whose token it is; one that has ended already is fine.

        Args:
            access_token: of the session at hand.
            scope: `local`, this session; `others`, all but this one; `global`, all.

        Raises:
            ApiError: AUTHENTICATION_ERROR, Supabase Auth does not take the token; the session may go on.
        """
        try:
            await self._client.call("sign_out", f"POST /logout?scope={scope}", token=access_token)
        except AuthRefusedError as error:
            if error.code not in _ENDED:
                _refuse(error, _TOKEN_REFUSED)

    async def _session(self, name: str, grant: str, refusal: str, **fields: str) -> Tokens:
        try:
            return _tokens(
                await self._client.call(name, f"POST /token?grant_type={grant}", fields, holds="access_token")
            )
        except AuthRefusedError as error:
            _refuse(error, refusal)


def _tokens(answer: dict[str, Any]) -> Tokens:
    try:
        user = answer["user"]
        return Tokens(
            user_id=UUID(user["id"]),
            token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            expires_at=datetime.fromtimestamp(answer["expires_at"], UTC),
            session_id=session_of(answer["access_token"]),
            second_factor_required=any(each.get("status") == "verified" for each in user.get("factors") or ()),
        )
    except (LookupError, TypeError, ValueError, AttributeError, jwt.PyJWTError) as error:
        raise auth_unavailable(error) from error


def session_of(access_token: str) -> str:
    """Return the session that a token of Supabase Auth's own answer names; it needs no check."""
    claims: dict[str, Any] = jwt.decode(access_token, options={"verify_signature": False})
    return str(claims["session_id"])


def _refuse(error: AuthRefusedError, message: str) -> NoReturn:
    if error.code in _UNAUTHENTICATED:
        raise unauthenticated(message) from error
    if error.code == "insufficient_aal":
        raise forbidden("This account has a second factor, which this session has not shown.") from error
    if error.code == "over_request_rate_limit":
        raise ApiError(RATE_LIMIT_EXCEEDED, "Too many attempts.", headers={"Retry-After": "60"}) from error
    raise auth_unavailable(error) from error


@lru_cache(maxsize=1)
def supabase_auth() -> SupabaseAuth:
    """Return the process's client."""
    return SupabaseAuth(get_settings(), http_client())


on_restore(supabase_auth.cache_clear)
