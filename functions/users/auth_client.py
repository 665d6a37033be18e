"""Calls to Supabase Auth: one request each, and the interpretation of the response.

Failure policy: an error of Supabase Auth itself shows that it works, and is raised as AuthRefusedError with its code.
Anything else (a gateway's page, a status of an unhealthy platform, an incomplete success) is an outage: a 503 for the
client and a failure for the breaker `auth`. Timeouts count only when several callers have them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import httpx

from resilience import CircuitBreaker, CircuitOpenError, performance_monitor, timeout_for
from studysync.api_keys import ApiKeys
from studysync.context import current_caller, request_context
from studysync.db.client import log_refused_key
from studysync.errors import ApiError, unavailable
from studysync.settings import Settings
from studysync.telemetry.logging import app_logger
from studysync.telemetry.tracing import trace_call

_UNAVAILABLE = "Sign-in is temporarily unavailable."
_TIMEOUT_SECONDS = 8.0  # checking passwords is slow on purpose
_OK, _NO_CONTENT, _UNAUTHORIZED, _SERVER_ERROR, _UNAVAILABLE_STATUS = 200, 204, 401, 500, 503
_WAITED_IN_VAIN = frozenset({408, 504, 524, 544})
_API_VERSION = "2024-01-01"  # the first version with the error code in one place
_CODE = re.compile(r"[a-z][a-z0-9_]*")
# Its code for a database that rejected an account: the only internal error that is an answer.
_DATABASE_REFUSED = "unexpected_failure"


class AuthRefusedError(Exception):
    """Supabase Auth answered with an error.

    Attributes:
        code: GoTrue's, such as ``invalid_credentials``.
        status: the HTTP status.
    """

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class AuthDownError(Exception):
    """Supabase Auth did not answer, or its answer cannot be used."""


# Supabase Auth can be down while the database works, and vice versa.
breaker = CircuitBreaker(
    "auth",
    failure_threshold=5,
    recovery_timeout=5.0,
    max_recovery_timeout=10.0,
    minimum_calls=20,
    lease_seconds=10.0,
    # Our own bugs, such as a body that cannot be serialised, must not disable sign-in for everyone.
    handled_exceptions=(AuthDownError, httpx.HTTPError, TimeoutError),
    excluded_exceptions=(AuthRefusedError,),
    # A slow sign-in may be its caller's own fault.
    minimum_callers=3,
    caller_failures=(TimeoutError,),
    caller=current_caller,
)


class AuthClient:
    """Sends requests to Supabase Auth with the project's API key.

    Args:
        settings: Supabase Auth's URL, and the keys.
        client: the HTTP client. It retries after a broken connection, except requests marked `once`.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._url, self._client = settings.supabase_auth_url, client
        self._api_keys = ApiKeys(settings)

    async def call(
        self,
        name: str,
        request: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        holds: str | None = None,
        once: bool = False,
    ) -> dict[str, Any]:
        """Send one request and return its response.

        Args:
            name: for metrics and traces.
            request: method and path, such as ``POST /logout?scope=local``.
            body: sent as JSON.
            token: a user's, to act on their behalf; ``None``: as the service role.
            holds: a field that a valid response has.
            once: never retry.

        Raises:
            AuthRefusedError: Supabase Auth returned an error.
            ApiError: SERVICE_UNAVAILABLE.
        """
        started, status, failed = time.perf_counter(), _UNAVAILABLE_STATUS, True
        try:
            result = await breaker.call_async(self._in_time, request, body, token, holds, once)
            status, failed = _OK, False
        except AuthRefusedError as error:
            status, failed = error.status, error.code == _DATABASE_REFUSED
            raise
        except CircuitOpenError as error:
            raise unavailable(_UNAVAILABLE, error.retry_after) from error
        except (AuthDownError, httpx.HTTPError, TimeoutError) as error:
            raise auth_unavailable(error) from error
        finally:
            duration = time.perf_counter() - started
            performance_monitor.record(f"auth {name}", duration, error=failed)
            trace_call(f"auth {name}", duration, status)
        return result

    async def _in_time(
        self, asked: str, body: Mapping[str, Any] | None, token: str | None, holds: str | None, once: bool
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(timeout_for("auth", _TIMEOUT_SECONDS)):
                answer = await self._send(asked, body, token, once)
        except httpx.ConnectTimeout:
            raise
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        if holds is not None and not answer.get(holds):
            raise AuthDownError("the answer is empty")
        return answer

    async def _send(self, asked: str, body: Mapping[str, Any] | None, token: str | None, once: bool) -> dict[str, Any]:
        method, path = asked.split(" ")
        for left in reversed(range(len(self._api_keys))):
            key = self._api_keys.current
            response = await self._client.request(
                method,
                f"{self._url}{path}",
                json=body,
                headers=self._headers(token),
                extensions={"once": True} if once else {},
            )
            if response.status_code != _UNAUTHORIZED or _code_of(response) is not None:
                return _read(response)
            log_refused_key(path)
            self._api_keys.refuse(key)
            if not left:
                break
        raise AuthDownError("the API key was rejected")

    def _headers(self, token: str | None) -> dict[str, str]:
        context = request_context()
        headers = {**self._api_keys.headers(), "X-Supabase-Api-Version": _API_VERSION, "User-Agent": "StudySync"}
        if context is not None and context.has_ip_address:
            # Counted per client instead of for us, if the project allows it.
            headers["Sb-Forwarded-For"] = str(context.address)
        return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _read(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == _NO_CONTENT:
        return {}
    if response.is_success:
        found = _json_of(response)
        if found is None:
            raise AuthDownError("the answer is not a JSON object")
        return found
    code = _code_of(response)
    if code is not None and (response.status_code < _SERVER_ERROR or code == _DATABASE_REFUSED):
        raise AuthRefusedError(code, response.status_code)
    if response.status_code in _WAITED_IN_VAIN:
        raise TimeoutError
    raise AuthDownError(f"HTTP {response.status_code}")


def _json_of(response: httpx.Response) -> dict[str, Any] | None:
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _code_of(response: httpx.Response) -> str | None:
    """Return GoTrue's error code; ``None`` if the response is not one of GoTrue's errors."""
    found = _json_of(response) or {}
    code = found.get("error_code", found.get("code"))
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def auth_unavailable(error: Exception) -> ApiError:
    """Log why Supabase Auth cannot be used, and return the client's error."""
    code = getattr(error, "code", None)
    app_logger.warning("supabase auth failed", kind="auth", error_type=type(error).__name__, auth_code=code)
    return unavailable(_UNAVAILABLE)
