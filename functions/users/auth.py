"""Supabase Auth: accounts, sessions and emails. Its errors become errors of the contract."""

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

# A wrong address and a wrong password must be indistinguishable; the others mean that a token or session is no longer
# valid.
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
# Possible errors when signing out: the session has ended already, or was deleted with its account.
_ENDED = frozenset({"session_not_found", "session_expired", "user_not_found"})
_WRONG_CREDENTIALS = "The email address or the password is wrong."
_REFRESH_REFUSED = "The refresh token is not valid."
_TOKEN_REFUSED = "The access token is not valid."  # noqa: S105 - a message
_LINK_REFUSED = "The link is invalid or was used before."


class AccountRefusedError(Exception):
    """Supabase Auth rejected an account. The reason is read from the database, as Auth does not always give it."""


class SupabaseAuth:
    """Accounts and tokens.

    Args:
        settings: Supabase Auth's URL, and the keys.
        client: the HTTP client.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._client = AuthClient(settings, client)

    async def create_account(self, email: str, password: str, metadata: dict[str, Any], *, confirmed: bool) -> None:
        """Create an account; the database creates its profile from `metadata` in the same transaction.

        Args:
            email: its address.
            password: its password.
            metadata: read by the database's trigger.
            confirmed: whether the address counts as confirmed; otherwise the account cannot sign in.

        Raises:
            AccountRefusedError: it exists already, or the database rejected the profile.
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
            ApiError: AUTHENTICATION_ERROR, with the same message whether the address or the password is wrong.
        """
        if not email or not password or not writable(email + password):
            raise unauthenticated(_WRONG_CREDENTIALS)  # cannot belong to an account, and would cause a database error
        return await self._session("sign_in", "password", _WRONG_CREDENTIALS, email=email, password=password)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Return the session's new tokens for a refresh token, which is used up.

        A repeat because of a lost answer returns the same tokens.

        Raises:
            ApiError: AUTHENTICATION_ERROR, it was used before or is not a refresh token.
        """
        if not writable(refresh_token):
            raise unauthenticated(_REFRESH_REFUSED)  # it would cause a database error
        return await self._session("refresh", "refresh_token", _REFRESH_REFUSED, refresh_token=refresh_token)

    async def verify(self, kind: str, token: str) -> Tokens | None:
        """Use up the token of an email and return a session; ``None``: another email has to be confirmed too.

        Args:
            kind: the purpose of the email: `recovery`, `signup`, `magiclink`, `email_change`.
            token: from its link.

        Raises:
            ApiError: AUTHENTICATION_ERROR, it has expired, was used before or is not such a token.
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
        """Set a new password on behalf of the user of the token.

        Raises:
            ApiError: AUTHENTICATION_ERROR; VALIDATION_ERROR, the password violates the project's rules.
        """
        try:
            await self._client.call(
                "change_password", "PUT /user", {"password": password}, token=access_token, holds="id"
            )
        except AuthRefusedError as error:
            if error.code == "same_password":  # or a call whose answer was lost changed it
                return
            if error.code == "weak_password":
                raise ApiError(VALIDATION_ERROR, "The password was not accepted.") from error
            _refuse(error, _TOKEN_REFUSED)

    async def change_email(self, access_token: str, email: str) -> None:
        """Send the emails that confirm a new address; a taken address gets none, and nobody learns that.

        Raises:
            ApiError: AUTHENTICATION_ERROR.
        """
        try:
            await self._client.call("change_email", "PUT /user", {"email": email}, token=access_token, holds="id")
        except AuthRefusedError as error:
            if error.code not in {"email_exists", "over_email_send_rate_limit", "unexpected_failure"}:
                _refuse(error, _TOKEN_REFUSED)

    async def send_mail(self, path: str, **fields: Any) -> None:
        """Send a pending email to an address, if it has an account that waits for one; nobody learns whether it has."""
        try:
            await self._client.call("send_mail", f"POST {path}", fields)
        except AuthRefusedError as error:
            if error.code == "over_request_rate_limit":  # this limit counts all calls together
                _refuse(error, "")

    async def sign_out(self, access_token: str, scope: str = "local") -> None:
        """End sessions of the token's user; one that has ended already is no error.

        Args:
            access_token: of the current session.
            scope: `local`, this session; `others`, all but this one; `global`, all.

        Raises:
            ApiError: AUTHENTICATION_ERROR, Supabase Auth rejects the token; the session may stay active.
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
    """Return the session id in a token that Supabase Auth just issued; it needs no verification."""
    claims: dict[str, Any] = jwt.decode(access_token, options={"verify_signature": False})
    return str(claims["session_id"])


def _refuse(error: AuthRefusedError, message: str) -> NoReturn:
    if error.code in _UNAUTHENTICATED:
        raise unauthenticated(message) from error
    if error.code == "insufficient_aal":
        raise forbidden("Verify your second factor to continue.") from error
    if error.code == "over_request_rate_limit":
        raise ApiError(RATE_LIMIT_EXCEEDED, "Too many attempts.", headers={"Retry-After": "60"}) from error
    raise auth_unavailable(error) from error


@lru_cache(maxsize=1)
def supabase_auth() -> SupabaseAuth:
    """Return the process's client."""
    return SupabaseAuth(get_settings(), http_client())


on_restore(supabase_auth.cache_clear)
