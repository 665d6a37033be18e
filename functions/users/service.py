"""What users may do, and how registration leaves nothing half done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypedDict
from uuid import UUID, uuid4

from pydantic import Field, TypeAdapter

from studysync.auth.denials import record_in_trail
from studysync.auth.tokens import Caller
from studysync.context import request_context
from studysync.db.client import database
from studysync.display_names import one_spelling
from studysync.errors import (
    AUTHENTICATION_ERROR,
    IDEMPOTENCY_KEY_REUSED,
    NOT_FOUND,
    SERVICE_UNAVAILABLE,
    USER_ALREADY_EXISTS,
    ApiError,
    invalid,
    unauthenticated,
    unavailable,
)
from studysync.fields import Timestamp
from studysync.sealing import keyed_hash
from studysync.telemetry.audit import audit_logger
from studysync.web.idempotency import fingerprint
from studysync.web.pagination import DEFERRED, BigCount, Count, decode_cursor, page_up_to
from studysync.web.responses import Page
from users.attempts import password_attempt, registration_attempt
from users.models import AuditEntry, OwnProfile, PublicProfile, Registered, Registration, Tokens

if TYPE_CHECKING:
    from users.auth import SupabaseAuth

_POSITION: TypeAdapter[tuple[int, str]] = TypeAdapter(
    tuple[Annotated[int, Field(ge=0, le=2)], Annotated[str, Field(pattern=r"^[a-z0-9_]{0,30}$")]], config=DEFERRED
)
# The last entry of each of the two lists that a trail is woven of; null where it has not begun.
_ENTRY: TypeAdapter[tuple[int | None, datetime | None, int | None, UUID | None]] = TypeAdapter(
    tuple[BigCount | None, Timestamp | None, Count | None, UUID | None], config=DEFERRED
)


class RegistrationState(TypedDict):
    """What the database knows of an address, a user name and an Idempotency-Key.

    Attributes:
        key_fingerprint: of the request that the key was used with; ``None``: it was not used.
        username_reserved, username_taken, email_taken: whether they are.
        resumable: the address has an account without a profile, which its owner may complete.
    """

    key_fingerprint: str | None
    username_reserved: bool
    username_taken: bool
    email_taken: bool
    resumable: bool


def supabase_auth() -> SupabaseAuth:
    """Return the client of Supabase Auth; its package loads only for an account or a token."""
    from users import auth

    return auth.supabase_auth()


async def register(body: Registration, key: str | None) -> Registered:
    """Make account and profile, in one transaction of Supabase Auth, and sign in.

    A repeat with the same Idempotency-Key, or of a registration that broke off before it had a token, signs in to the
    account that is there, provided that the password is right.

    Raises:
        ApiError: USER_ALREADY_EXISTS, IDEMPOTENCY_KEY_REUSED, SERVICE_UNAVAILABLE; VALIDATION_ERROR where the name is
            reserved; RATE_LIMIT_EXCEEDED, too many came from the same network.
    """
    attempt = registration_attempt()
    await attempt.count()
    try:
        return await _register(body, key)
    except ApiError as error:
        if error.kind is SERVICE_UNAVAILABLE:
            attempt.forget()
        raise


async def _register(body: Registration, key: str | None) -> Registered:
    # The password is left out: nothing that could help to guess it is kept. It is checked by signing in.
    request = fingerprint("register", {"username": body.username, "email": body.email})
    # Without a key from the client one is made up here, by which a call that our own transport repeats is recognised.
    key = key or f"once:{uuid4()}"
    context = request_context()
    # With a key of ours: there are so few addresses that all could be tried. Nobody but the database sees it, and only
    # until it has taken it out of the account's metadata, which tokens show.
    scope = keyed_hash("registration", f"{key} {context.address if context else None}")
    registration = {"key": key, "scope": scope, "fingerprint": request}
    metadata = {"username": body.username, "registration": registration}
    password = body.password.get_secret_value()
    from users.auth import AccountRefusedError

    try:
        await supabase_auth().create_account(body.email, password, metadata)
    except AccountRefusedError:
        return await _register_again(body, registration)
    tokens = await supabase_auth().sign_in(body.email, password)
    _tell_profile(tokens.user_id)
    _tell("registration", tokens.user_id)
    return _registered(tokens, body.username)


async def _register_again(body: Registration, registration: Mapping[str, str]) -> Registered:
    state: RegistrationState = await database().call(
        "registration_state",
        p_email=body.email,
        p_username=body.username,
        p_key=registration["key"],
        p_scope=registration["scope"],
    )
    known = state["key_fingerprint"]
    if known is not None and known != registration["fingerprint"]:
        raise _key_reused()
    if known is not None:
        # Another password is another request. It is in no fingerprint, and shows when it does not open the account.
        return _registered(await _sign_in_to_own(body, _key_reused()), body.username)
    if state["username_reserved"]:
        raise invalid("This username is reserved.", "body.username")
    if state["resumable"] and not state["username_taken"]:  # its one chance is not to be used up by a taken name
        tokens = await _sign_in_to_own(body, _already_exists("email address"))
        await database().write("complete_registration", tokens.user_id, {"username": body.username})
        _tell_profile(tokens.user_id)
        return _registered(tokens, body.username)
    if state["email_taken"] and not state["resumable"]:
        raise _already_exists("email address")
    if state["username_taken"]:
        raise _already_exists("username")
    # Neither is taken (any more): what stood in the way has gone, and the client may try again.
    raise unavailable()  # pragma: no cover - a name that is given up between two calls to the database


async def _sign_in_to_own(body: Registration, refusal: ApiError) -> Tokens:
    try:
        return await sign_in(body.email, body.password.get_secret_value())
    except ApiError as error:
        if error.kind.status == 401:  # noqa: PLR2004
            raise refusal from error
        raise


def _already_exists(what: str) -> ApiError:
    return ApiError(USER_ALREADY_EXISTS, f"A user with this {what} already exists.")


def _key_reused() -> ApiError:
    return ApiError(IDEMPOTENCY_KEY_REUSED, "This Idempotency-Key was used with another request.")


def _registered(tokens: Tokens, username: str) -> Registered:
    return Registered(**tokens.model_dump(), username=username)


async def sign_in(email: str, password: str) -> Tokens:
    """Return a new session.

    Raises:
        ApiError: as `SupabaseAuth.sign_in`; a refusal is in the audit trail of the address's owner.
            RATE_LIMIT_EXCEEDED, too many passwords were tried.
    """
    attempt = password_attempt(email)
    await attempt.count()
    try:
        tokens = await supabase_auth().sign_in(email, password)
    except ApiError as error:
        if error.kind is AUTHENTICATION_ERROR:
            await record_in_trail("record_failed_sign_in", p_email=email)
        else:
            attempt.forget()
        raise
    attempt.forget()
    _tell("login", tokens.user_id)
    return tokens


async def refresh(refresh_token: str) -> Tokens:
    """Return a new session for a refresh token, which is used up; raises as `SupabaseAuth.refresh`."""
    tokens = await supabase_auth().refresh(refresh_token)
    _tell("refresh", tokens.user_id)
    return tokens


async def sign_out(caller: Caller) -> None:
    """End the caller's session; raises as `SupabaseAuth.sign_out`."""
    await supabase_auth().sign_out(caller.token)
    _tell("logout", caller.user_id)


def _tell_profile(user_id: UUID) -> None:
    """Tell the audit log of a profile that a registration made or completed."""
    audit_logger.log_data_modification(
        user_id=str(user_id), resource_type="profile", resource_id=str(user_id), operation="register"
    )


def _tell(method: str, user_id: UUID) -> None:
    """Tell the audit log of what Supabase Auth did; what it refused, `studysync.auth.denials` does."""
    context = request_context()
    address = context.address if context else None
    audit_logger.log_authentication(user_id=str(user_id), success=True, method=method, ip_address=address)


async def audit_trail(caller: Caller, limit: int, cursor: str | None) -> Page[AuditEntry]:
    """Return a page of the caller's own audit trail, newest first."""
    before, at, turn, session_id = decode_cursor(cursor, _ENTRY) or (None, None, None, None)
    found = await database().call(
        "get_audit",
        p_user_id=str(caller.user_id),
        p_limit=limit,
        p_before=before,
        p_at=at.isoformat() if at else None,
        p_turn=turn,
        p_session_id=str(session_id) if session_id else None,
    )
    return page_up_to(Page[AuditEntry], found["entries"], found["next"])


async def profile(caller: Caller, user_id: UUID) -> OwnProfile | PublicProfile:
    """Return the profile of `user_id`: all of it to themselves, the public part to others."""
    if user_id == caller.user_id:
        return await own_profile(caller)
    found = await _get_profile(caller, user_id)
    audit_logger.log_access_by(caller.user_id, "profile", user_id)
    return PublicProfile.model_validate(found)


async def own_profile(caller: Caller) -> OwnProfile:
    """Return the caller's own profile.

    Raises:
        ApiError: AUTHENTICATION_ERROR, the token has outlived its account.
    """
    try:
        return OwnProfile.model_validate(await _get_profile(caller, caller.user_id))
    except ApiError as error:
        if error.kind is NOT_FOUND:
            raise unauthenticated("This account no longer exists.") from error
        raise


async def _get_profile(caller: Caller, user_id: UUID) -> Any:
    return await database().call("get_profile", p_caller_id=str(caller.user_id), p_user_id=str(user_id))


async def search(query: str | None, limit: int, cursor: str | None) -> Page[PublicProfile]:
    """Return a page of public profiles whose user name or display name contains `query`.

    The database reads a bounded number of names a call, so a page may hold fewer than there are; its cursor goes on.
    """
    step, name = decode_cursor(cursor, _POSITION) or (0, "")
    query = one_spelling(query) if query else None
    found = await database().call("search_users", p_query=query, p_limit=limit, p_step=step, p_after=name)
    return page_up_to(Page[PublicProfile], found["users"], found["next"])
