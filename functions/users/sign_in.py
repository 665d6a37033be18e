"""Signing in and out, and the sessions of an account."""

from __future__ import annotations

from uuid import UUID

from studysync.auth.denials import record_in_trail
from studysync.auth.tokens import Caller
from studysync.context import request_context
from studysync.db.client import database
from studysync.errors import AUTHENTICATION_ERROR, REAUTHENTICATION_REQUIRED, ApiError
from studysync.telemetry.audit import audit_logger
from users.auth import supabase_auth
from users.models import SignIn, Tokens
from users.throttles import password_throttle

_MAX_USER_AGENT = 300


async def sign_in(email: str, password: str) -> Tokens:
    """Return a new session.

    Raises:
        ApiError: as `SupabaseAuth.sign_in`; a failure is recorded in the audit trail of the address's owner.
            RATE_LIMIT_EXCEEDED, too many failed sign-ins.
    """
    throttle = password_throttle(email)
    await throttle.hit()
    try:
        tokens = await supabase_auth().sign_in(email, password)
    except ApiError as error:
        if error.kind is AUTHENTICATION_ERROR:
            await record_in_trail("record_failed_sign_in", p_email=email)
        else:
            throttle.refund()
        raise
    throttle.refund()
    log_sign_in("login", tokens.user_id)
    return tokens


async def describe_session(tokens: Tokens) -> None:
    """Store the user agent of a new session, for the list of sign-ins.

    Supabase Auth sees ours. The client's cannot be passed on, because secret keys are rejected with a browser's user
    agent.
    """
    context = request_context()
    if context is not None and context.user_agent:
        await record_in_trail(
            "describe_auth_session",
            p_user_id=str(tokens.user_id),
            p_session_id=tokens.session_id,
            p_user_agent=context.user_agent[:_MAX_USER_AGENT],
        )


async def require_password(email: str, password: str) -> None:
    """Check the caller's password.

    Raises:
        ApiError: REAUTHENTICATION_REQUIRED, it is wrong; RATE_LIMIT_EXCEEDED.
    """
    try:
        tokens = await sign_in(email, password)
    except ApiError as error:
        if error.kind is AUTHENTICATION_ERROR:
            raise ApiError(REAUTHENTICATION_REQUIRED, "The password is wrong.") from error
        raise
    await supabase_auth().sign_out(tokens.token)


async def refresh(refresh_token: str) -> Tokens:
    """Return the session's new tokens for a refresh token, which is used up; raises as `SupabaseAuth.refresh`."""
    tokens = await supabase_auth().refresh(refresh_token)
    log_sign_in("refresh", tokens.user_id)
    return tokens


async def sign_out(caller: Caller, scope: str) -> None:
    """End the caller's sessions in `scope`; raises as `SupabaseAuth.sign_out`."""
    await supabase_auth().sign_out(caller.token, scope)
    log_sign_in("logout", caller.user_id)


async def list_sessions(caller: Caller) -> list[SignIn]:
    """Return the sessions of the caller's account, the most recently used first."""
    current = str(caller.session_id) if caller.session_id else None
    found = await database().call("list_auth_sessions", p_user_id=str(caller.user_id), p_session_id=current)
    return [SignIn.model_validate(row) for row in found]


def log_sign_in(method: str, user_id: UUID) -> None:
    """Log what Supabase Auth did; failures are logged by `studysync.auth.denials`."""
    context = request_context()
    address = context.address if context else None
    audit_logger.log_authentication(user_id=str(user_id), success=True, method=method, ip_address=address)
