"""Supabase Auth, through its own client: accounts and tokens, with its errors put into the contract's words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NoReturn, TypeVar

import httpx
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError, AuthWeakPasswordError
from supabase_auth.types import Session

from resilience import CircuitBreaker, CircuitOpenError, performance_monitor, timeout_for
from studysync.aws.snapstart import on_restore
from studysync.context import current_caller
from studysync.db.transport import TIMEOUT, http_client, tls_context
from studysync.errors import (
    INTERNAL_ERROR,
    RATE_LIMIT_EXCEEDED,
    VALIDATION_ERROR,
    ApiError,
    unauthenticated,
    unavailable,
)
from studysync.fields import writable
from studysync.settings import Settings, get_settings
from studysync.telemetry.logging import app_logger
from studysync.telemetry.tracing import trace_call
from users.models import Tokens

# Wrong address and wrong password must not be told apart; the others say that a token or session is not good any more.
_REFUSED = frozenset(
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
        "validation_failed",
    }
)
# What signing out may hear: the session has ended already, or went with its account.
_ENDED = frozenset({"session_not_found", "session_expired", "user_not_found"})
_SERVER_ERROR = 500
_GATEWAY_TIMEOUT = 504
_WRONG_CREDENTIALS = "The email address or the password is wrong."
_REFRESH_REFUSED = "The refresh token is not valid."
_UNAVAILABLE = "Sign-in is unavailable for a moment."
T = TypeVar("T")
_TIMEOUT_SECONDS = 8.0  # passwords are slow to check on purpose

# Supabase Auth can be down while the database is well, and the other way round. What it refuses shows that it works;
# so does `unexpected_failure`, its word for a database that would not take an account.
breaker = CircuitBreaker(
    "auth",
    failure_threshold=5,
    recovery_timeout=5.0,
    max_recovery_timeout=10.0,
    minimum_calls=20,
    lease_seconds=10.0,
    # A mistake of ours on the way there, such as a body that cannot be written, must not shut sign-in for everybody.
    handled_exceptions=(AuthError, httpx.HTTPError, TimeoutError),
    excluded_exceptions=(AuthApiError, AuthWeakPasswordError),
    # A sign-in that takes too long may be its caller's own doing.
    minimum_callers=3,
    caller_failures=(TimeoutError,),
    caller=current_caller,
)


class AccountRefusedError(Exception):
    """Supabase Auth would not make an account. Why is found out in the database, because it does not always say."""


class SupabaseAuth:
    """Accounts and tokens.

    Args:
        settings: where Supabase Auth is, and the service role's key.
        client: the HTTP pool to use.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = self._client_over(client)

    def _client_over(self, client: httpx.AsyncClient) -> AsyncGoTrueClient:
        key = self._settings.supabase_service_role_key.get_secret_value()
        return AsyncGoTrueClient(
            url=self._settings.supabase_auth_url,
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            http_client=client,
            auto_refresh_token=False,
            persist_session=False,
        )

    @cached_property
    def _sent_once(self) -> AsyncGoTrueClient:
        """The client for what must not be sent again when its connection broke.

        A refresh token that comes twice is taken for a stolen one, and its whole session is revoked. So each of these
        calls has a connection of its own, which cannot have died unnoticed before it.
        """
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.AsyncHTTPTransport(verify=tls_context(), limits=limits)
        return self._client_over(httpx.AsyncClient(transport=transport, timeout=TIMEOUT))

    async def create_account(self, email: str, password: str, metadata: dict[str, Any]) -> None:
        """Make a confirmed account; the database makes its profile from `metadata` in the same transaction.

        Raises:
            AccountRefusedError: there is one already, or the database refused the profile.
            ApiError: SERVICE_UNAVAILABLE.
        """
        try:
            await _guarded(
                "create_user",
                self._client.admin.create_user,
                {"email": email, "password": password, "email_confirm": True, "user_metadata": metadata},
            )
        except AuthApiError as error:
            if error.code in {"email_address_invalid", "validation_failed"}:
                raise ApiError(VALIDATION_ERROR, "The address or the password was not accepted.") from error
            raise AccountRefusedError(error.code) from error

    async def sign_in(self, email: str, password: str) -> Tokens:
        """Return a new session.

        Raises:
            ApiError: AUTHENTICATION_ERROR, in the same words whether the address or the password is wrong.
        """
        if not email or not password or not writable(email + password):
            raise unauthenticated(_WRONG_CREDENTIALS)  # nobody's; the client and the database would stumble over them
        try:
            response = await _guarded(
                "sign_in", self._client.sign_in_with_password, {"email": email, "password": password}
            )
        except AuthApiError as error:
            _refuse(error, _WRONG_CREDENTIALS)
        return _tokens(response.session)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Return a new session for a refresh token, which is used up.

        Raises:
            ApiError: AUTHENTICATION_ERROR, it was used before or never was one.
        """
        if not writable(refresh_token):
            raise unauthenticated(_REFRESH_REFUSED)  # the database would stumble over it
        try:
            response = await _guarded("refresh", self._sent_once.refresh_session, refresh_token)
        except AuthApiError as error:
            _refuse(error, _REFRESH_REFUSED)
        return _tokens(response.session)

    async def sign_out(self, access_token: str) -> None:
        """End the session that `access_token` belongs to; one that has ended already is fine.

        Raises:
            ApiError: AUTHENTICATION_ERROR, Supabase Auth does not take the token; the session may go on.
        """
        try:
            await _guarded("sign_out", self._client.admin.sign_out, access_token, "local")
        except AuthApiError as error:
            if error.code not in _ENDED:
                _refuse(error, "The access token is not valid.")


async def _guarded(name: str, call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Call Supabase Auth behind its breaker and within the request's time; AuthApiError is what it answers itself."""
    started, failed = time.perf_counter(), True
    try:
        result = await breaker.call_async(_in_time, call, *arguments)
        failed = False
    except CircuitOpenError as error:
        raise unavailable(_UNAVAILABLE, error.retry_after) from error
    except AuthApiError as error:
        failed = error.status >= _SERVER_ERROR
        raise
    except AuthWeakPasswordError as error:  # which is no AuthApiError, though the project's rule for passwords says it
        failed = False
        raise ApiError(VALIDATION_ERROR, "The password was not accepted.") from error
    except (AuthError, TimeoutError) as error:
        raise _unavailable(error) from error
    finally:
        duration = time.perf_counter() - started
        performance_monitor.record(f"auth {name}", duration, error=failed)
        trace_call(f"auth {name}", duration, error=failed)
    return result


async def _in_time(call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    try:
        async with asyncio.timeout(timeout_for("auth", _TIMEOUT_SECONDS)):
            return await call(*arguments)
    except AuthRetryableError as error:
        # The client gives every kind of failure the same name.
        cause = error.__context__
        timed_out = isinstance(cause, httpx.TimeoutException) and not isinstance(cause, httpx.ConnectTimeout)
        if timed_out or error.status == _GATEWAY_TIMEOUT:
            raise TimeoutError from error
        raise


def _tokens(session: Session | None) -> Tokens:
    if session is None:  # pragma: no cover - only where addresses must be confirmed, and ours are
        raise ApiError(INTERNAL_ERROR, "Something went wrong on our side.")
    expires_at = datetime.fromtimestamp(session.expires_at or 0, UTC)
    return Tokens(
        user_id=session.user.id, token=session.access_token, refresh_token=session.refresh_token, expires_at=expires_at
    )


def _refuse(error: AuthApiError, message: str) -> NoReturn:
    if error.code in _REFUSED:
        raise unauthenticated(message) from error
    if error.code == "over_request_rate_limit":
        raise ApiError(RATE_LIMIT_EXCEEDED, "Too many attempts.", headers={"Retry-After": "60"}) from error
    raise _unavailable(error) from error


def _unavailable(error: Exception) -> ApiError:
    code = getattr(error, "code", None)
    app_logger.warning("supabase auth failed", kind="auth", error_type=type(error).__name__, auth_code=code)
    return unavailable(_UNAVAILABLE)


@lru_cache(maxsize=1)
def supabase_auth() -> SupabaseAuth:
    """Return the process's client."""
    return SupabaseAuth(get_settings(), http_client())


on_restore(supabase_auth.cache_clear)
