"""Registration, which never leaves a half-made account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID, uuid4

from studysync.context import request_context
from studysync.db.client import database
from studysync.errors import (
    AUTHENTICATION_ERROR,
    IDEMPOTENCY_KEY_REUSED,
    SERVICE_UNAVAILABLE,
    USER_ALREADY_EXISTS,
    ApiError,
    invalid,
    unavailable,
)
from studysync.sealing import keyed_hash
from studysync.settings import get_settings
from studysync.telemetry.audit import audit_logger
from studysync.web.idempotency import fingerprint
from users.auth import AccountRefusedError, supabase_auth
from users.captcha import check_captcha
from users.models import Registered, Registration, Tokens
from users.sign_in import describe_session, log_sign_in, sign_in
from users.throttles import registration_throttle
from users.timing import steady_time


async def register(body: Registration, key: str | None) -> Registered:
    """Create account and profile, in one transaction of Supabase Auth, and sign in.

    A repeat with the same Idempotency-Key, or of a registration that was interrupted before it returned a token, signs
    in to the existing account, if the password is right.

    If addresses must be confirmed, a taken address gets the same response as a new one.

    Raises:
        ApiError: USER_ALREADY_EXISTS, IDEMPOTENCY_KEY_REUSED, SERVICE_UNAVAILABLE; VALIDATION_ERROR, the name is
            reserved or the captcha was not solved; RATE_LIMIT_EXCEEDED, too many registrations from the same network.
    """
    throttle = registration_throttle()
    await throttle.hit()
    try:
        await check_captcha(body.captcha_token)
        if get_settings().email_confirmation == "required":
            async with steady_time():
                return await _register(body, key)
        return await _register(body, key)
    except ApiError as error:
        if error.kind is SERVICE_UNAVAILABLE:
            throttle.refund()
        raise


async def _register(body: Registration, key: str | None) -> Registered:
    # Without the password: nothing that could help to guess it is stored. Signing in checks it.
    request = fingerprint("register", {"username": body.username, "email": body.email})
    # Without a key from the client, one is generated, so that retries of our own transport are recognised.
    key = key or f"once:{uuid4()}"
    context = request_context()
    # Keyed, because there are so few addresses that all could be tried. Only the database sees it, and only until it
    # has removed it from the account's metadata, which is part of tokens.
    scope = keyed_hash("registration", f"{key} {context.address if context else None}")
    registration = {"key": key, "scope": scope, "fingerprint": request}
    try:
        await _create_account(body, registration)
    except AccountRefusedError:
        return await _register_again(body, registration)
    return await _registered(body)


async def _create_account(body: Registration, registration: Mapping[str, str]) -> None:
    metadata = {"username": body.username, "registration": dict(registration)}
    confirmed = get_settings().email_confirmation != "required"
    password = body.password.get_secret_value()
    await supabase_auth().create_account(body.email, password, metadata, confirmed=confirmed)


async def _registered(body: Registration) -> Registered:
    """Return the response for an account that was just created."""
    mode, auth = get_settings().email_confirmation, supabase_auth()
    if mode == "required":
        await auth.send_mail("/resend", type="signup", email=body.email)
        state = await _state(body, {"key": "", "scope": ""})
        return _to_be_confirmed(body, UUID(state["user_id"]) if state["user_id"] else _nobody(body.email))
    if mode == "optional":
        await auth.send_mail("/otp", email=body.email, create_user=False)
    tokens = await auth.sign_in(body.email, body.password.get_secret_value())
    await describe_session(tokens)
    _log_profile(tokens.user_id)
    log_sign_in("registration", tokens.user_id)
    return _signed_in(tokens, body.username)


async def _register_again(body: Registration, registration: Mapping[str, str]) -> Registered:
    state = await _state(body, registration)
    known = state["key_fingerprint"]
    if known is not None and known != registration["fingerprint"]:
        raise _key_reused()
    if get_settings().email_confirmation == "required":
        return await _register_unconfirmed(body, registration, state)
    if known is not None:
        # Another password makes it another request. The fingerprint does not contain it, but signing in fails.
        return _signed_in(await _sign_in_to_own(body, _key_reused()), body.username)
    if state["username_reserved"]:
        raise invalid("This username is reserved.", "body.username")
    if state["resumable"] and not state["username_taken"]:  # it has one attempt, which a taken name must not use up
        tokens = await _sign_in_to_own(body, _already_exists("email address"))
        await database().write("complete_registration", tokens.user_id, {"username": body.username})
        _log_profile(tokens.user_id)
        return _signed_in(tokens, body.username)
    if state["email_taken"] and not state["resumable"]:
        raise _already_exists("email address")
    if state["username_taken"]:
        raise _already_exists("username")
    # Neither is taken any more: the conflicting account is gone, and the client may retry.
    raise unavailable()  # pragma: no cover - a name that is given up between two calls to the database


async def _register_unconfirmed(
    body: Registration, registration: Mapping[str, str], state: RegistrationState
) -> Registered:
    """Answer if addresses must be confirmed. A taken name is reported, because names are public; an address never."""
    if state["key_fingerprint"] is not None and state["user_id"] is not None:
        return _to_be_confirmed(body, UUID(state["user_id"]))
    if state["username_reserved"]:
        raise invalid("This username is reserved.", "body.username")
    if state["username_known"]:
        raise _already_exists("username")
    if await database().call("drop_unconfirmed_account", p_email=body.email):
        # Nobody confirmed its address in time; whoever registered it may not have been able to.
        await _create_account(body, registration)
        return await _registered(body)
    return _to_be_confirmed(body, _nobody(body.email))


class RegistrationState(TypedDict):
    """What the database knows of an address, a user name and an Idempotency-Key.

    Attributes:
        key_fingerprint: the fingerprint of the key's first request; ``None`` if the key is new.
        username_taken: an account with another address has the name, or one that looks like it.
        username_known: any account has it.
        username_reserved: nobody may have it.
        user_id: the account with the address; ``None`` if there is none.
        email_taken: whether there is one.
        resumable: its registration was interrupted before it returned a token.
    """

    key_fingerprint: str | None
    username_taken: bool
    username_known: bool
    username_reserved: bool
    user_id: str | None
    email_taken: bool
    resumable: bool


async def _state(body: Registration, registration: Mapping[str, str]) -> RegistrationState:
    found: RegistrationState = await database().call(
        "registration_state",
        p_email=body.email,
        p_username=body.username,
        p_key=registration["key"],
        p_scope=registration["scope"],
    )
    return found


def _nobody(email: str) -> UUID:
    """Return an id that looks like an account's, the same for the same address."""
    return UUID(keyed_hash("nobody", email), version=4)


async def _sign_in_to_own(body: Registration, refusal: ApiError) -> Tokens:
    try:
        return await sign_in(body.email, body.password.get_secret_value())
    except ApiError as error:
        if error.kind is AUTHENTICATION_ERROR:
            raise refusal from error
        raise


def _already_exists(what: str) -> ApiError:
    return ApiError(USER_ALREADY_EXISTS, f"A user with this {what} already exists.")


def _key_reused() -> ApiError:
    return ApiError(IDEMPOTENCY_KEY_REUSED, "This Idempotency-Key was used with another request.")


def _signed_in(tokens: Tokens, username: str) -> Registered:
    return Registered(**tokens.model_dump(exclude={"second_factor_required", "session_id"}), username=username)


def _to_be_confirmed(body: Registration, user_id: UUID) -> Registered:
    return Registered(
        user_id=user_id,
        username=body.username,
        token=None,
        refresh_token=None,
        expires_at=None,
        confirmation_sent_at=datetime.now(UTC),
    )


def _log_profile(user_id: UUID) -> None:
    """Log the profile that a registration created or completed."""
    audit_logger.log_data_modification(
        user_id=str(user_id), resource_type="profile", resource_id=str(user_id), operation="register"
    )
