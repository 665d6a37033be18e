"""Calls to Supabase Auth: one request each, and what its answer means.

Failure policy: what Supabase Auth refuses shows that it works, and is raised as AuthRefusedError with its code.
Whatever else comes back (a gateway's page, a status of a platform that is not well, a success without what it should
hold) is an outage: a 503 for the client and a failure for the breaker `auth`. What takes too long counts only when
several callers have it.
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

_UNAVAILABLE = "Sign-in is unavailable for a moment."
_TIMEOUT_SECONDS = 8.0  # passwords are slow to check on purpose
_SERVER_ERROR, _UNAUTHORIZED, _NO_CONTENT = 500, 401, 204
_WAITED_IN_VAIN = frozenset({408, 504, 524, 544})
_API_VERSION = "2024-01-01"  # the first whose errors have their code in one place
_CODE = re.compile(r"[a-z][a-z0-9_]*")
# Its word for a database that would not take an account: the one failure inside that is an answer.
_DATABASE_REFUSED = "unexpected_failure"


class AuthRefusedError(Exception):
    """Supabase Auth answers that it will not.

    Attributes:
        code: GoTrue's, such as ``invalid_credentials``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class AuthDownError(Exception):
    """No answer of Supabase Auth's, or none that can be used."""


# Supabase Auth can be down while the database is well, and the other way round.
breaker = CircuitBreaker(
    "auth",
    failure_threshold=5,
    recovery_timeout=5.0,
    max_recovery_timeout=10.0,
    minimum_calls=20,
    lease_seconds=10.0,
    # A mistake of ours on the way there, such as a body that cannot be written, must not shut sign-in for everybody.
    handled_exceptions=(AuthDownError, httpx.HTTPError, TimeoutError),
    excluded_exceptions=(AuthRefusedError,),
    # A sign-in that takes too long may be its caller's own doing.
    minimum_callers=3,
    caller_failures=(TimeoutError,),
    caller=current_caller,
)


class AuthClient:
    """Sends requests to Supabase Auth with the project's API key.

    Args:
        settings: where Supabase Auth is, and the keys.
        client: the HTTP pool to use. It sends again what broke with its connection, but what says `once`.
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
        """Send one request and return its answer.

        Args:
            name: for figures and traces.
            request: method and path, such as ``POST /logout?scope=local``.
            body: sent as JSON.
            token: a user's, to speak for them; ``None``: as the service role.
            holds: a field without which an answer is none.
            once: never send it a second time.

        Raises:
            AuthRefusedError: Supabase Auth refuses.
            ApiError: SERVICE_UNAVAILABLE.
        """
        started, failed = time.perf_counter(), True
        try:
            result = await breaker.call_async(self._in_time, request, body, token, holds, once)
            failed = False
        except AuthRefusedError as error:
            failed = error.code == _DATABASE_REFUSED
            raise
        except CircuitOpenError as error:
            raise unavailable(_UNAVAILABLE, error.retry_after) from error
        except (AuthDownError, httpx.HTTPError, TimeoutError) as error:
            raise auth_unavailable(error) from error
        finally:
            duration = time.perf_counter() - started
            performance_monitor.record(f"auth {name}", duration, error=failed)
            trace_call(f"auth {name}", duration, error=failed)
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
        raise AuthDownError("the API key was refused")

    def _headers(self, token: str | None) -> dict[str, str]:
        context = request_context()
        headers = {**self._api_keys.headers(), "X-Supabase-Api-Version": _API_VERSION, "User-Agent": "StudySync"}
        if context is not None and context.has_ip_address:
            # Counted there in place of ours, where the project allows it.
            headers["Sb-Forwarded-For"] = str(context.address)
        return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _read(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == _NO_CONTENT:
        return {}
    if response.is_success:
        found = _json_of(response)
        if found is None:
            raise AuthDownError("the answer is no JSON object")
        return found
    code = _code_of(response)
    if code is not None and (response.status_code < _SERVER_ERROR or code == _DATABASE_REFUSED):
        raise AuthRefusedError(code)
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
    """Return GoTrue's code of a refusal; ``None``: it is none of GoTrue's."""
    found = _json_of(response) or {}
    code = found.get("error_code", found.get("code"))
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def auth_unavailable(error: Exception) -> ApiError:
    """Log why Supabase Auth cannot be used, and return what the client is told."""
    code = getattr(error, "code", None)
    app_logger.warning("supabase auth failed", kind="auth", error_type=type(error).__name__, auth_code=code)
    return unavailable(_UNAVAILABLE)
