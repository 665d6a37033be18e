"""The database: one call is one SQL function in one transaction, over PostgREST.

Failure policy, from the outside in:

- retry: transient errors are retried at most twice, within the request's deadline. Every write carries an id that makes
  a retry harmless; writes without one (rows inserted by studysync.compat.tables) are never retried.
- breaker `database`: when the database does not answer, callers get an error within microseconds. Any answer, even an
  error, shows that the database works. Timeouts may be one caller's own fault, so they open it only if three callers
  have them.
- pool: 20 concurrent calls; further calls wait for a permit.
- connection: a broken keep-alive connection is replaced once (studysync.db.transport).

Errors that the database raises on purpose become errors of the contract. Everything else is a 503 if it is transient
(down, busy, restarting) and a 500 otherwise; its text is only logged.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

import httpx

from resilience import (
    Bulkhead,
    BulkheadFullError,
    CircuitBreaker,
    CircuitOpenError,
    ResilienceError,
    performance_monitor,
    timeout_for,
    with_retry,
)
from studysync.api_keys import ApiKeys
from studysync.context import current_caller
from studysync.db.errors import (
    DatabaseBusyError,
    DatabaseDownError,
    DatabaseRefusalError,
    DatabaseSlowError,
    client_error,
    is_slow,
    is_transient,
    shows_life,
)
from studysync.db.transport import POOL_SIZE, http_transport, post_json
from studysync.errors import INTERNAL_ERROR, ApiError, unavailable
from studysync.settings import Settings, get_settings
from studysync.telemetry.logging import app_logger
from studysync.telemetry.tracing import trace_call

_NO_CONTENT = 204

Call = Callable[[], Awaitable[Any]]

# One circuit per process: what one function learns about the database applies to all of them.
breaker = CircuitBreaker(
    "database",
    failure_threshold=5,
    recovery_timeout=5.0,
    max_recovery_timeout=10.0,
    minimum_calls=20,
    lease_seconds=10.0,
    handled_exceptions=(DatabaseDownError, DatabaseSlowError),
    excluded_exceptions=(ApiError, DatabaseBusyError),
    minimum_callers=3,
    caller_failures=(DatabaseSlowError,),
    caller=current_caller,
)
pool = Bulkhead(limit=POOL_SIZE, timeout=5.0)


def _pool_metrics() -> dict[str, float]:
    stats = pool.get_stats()
    names = ("active", "limit", "waiting", "acquired", "timeouts", "wait_seconds_total", "wait_seconds_max", "peak")
    return {name: getattr(stats, name) for name in names}


performance_monitor.report("pool", _pool_metrics)


class Database:
    """Calls SQL functions as the service role. A rejected API key is replaced by the next one in the settings.

    It posts directly over HTTP: the Supabase client takes three times as long, and adds to every cold start. Code that
    needs the client's query builder uses studysync.compat.tables.

    Args:
        settings: PostgREST's URL, the keys, and the timeout of a call.
        transport: the connections to use.
    """

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._url = settings.supabase_rest_url
        self._api_keys = ApiKeys(settings)
        self._headers: dict[str, httpx.Headers] = {}
        self._wishes = {"X-Live-Updates": "true"} if settings.live_updates else {}
        self._urls: dict[str, httpx.URL] = {}
        self._seconds = settings.database_timeout_seconds
        self._timeout: Any = httpx.Timeout(self._seconds, connect=2.0).as_dict()

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call the SQL function `function` and return its JSON.

        Raises:
            ApiError: the function's own error for the client, SERVICE_UNAVAILABLE or INTERNAL_ERROR.
        """
        body = json.dumps(arguments, separators=(",", ":")).encode()

        async def execute() -> Any:
            url = self._url_of(function)
            for left in reversed(range(len(self._api_keys))):
                key = self._api_keys.current
                response = await post_json(self._transport, url, self._headers_with(key), body, self._timeout)
                if response.is_success:
                    return _result(response)
                refusal = DatabaseRefusalError.of_response(response)
                if refusal.refuses_key:
                    log_refused_key(function)
                    self._api_keys.refuse(key)
                if not left or not refusal.refuses_key:
                    raise refusal
            return None  # pragma: no cover - there is a key

        return await self.guarded(function, execute)

    def _headers_with(self, key: str) -> httpx.Headers:
        headers = self._headers.get(key)
        if headers is None:
            kinds = {"Content-Type": "application/json", "Accept": "application/json", **self._wishes}
            headers = self._headers[key] = httpx.Headers({**self._api_keys.headers(), **kinds})
        return headers

    def _url_of(self, function: str) -> httpx.URL:
        url = self._urls.get(function)
        if url is None:
            url = self._urls[function] = httpx.URL(f"{self._url}/rpc/{function}")
        return url

    async def write(
        self, operation: str, user_id: UUID, arguments: dict[str, Any], *, key: str | None = None, fingerprint: str = ""
    ) -> Any:
        """Run the write `operation` for `user_id`; with `key`, the client's Idempotency-Key, exactly once.

        Raises:
            ApiError: as `call`; IDEMPOTENCY_KEY_REUSED, the key was used with another `fingerprint`.
        """
        if key is None:
            return await self.call(operation, p_user_id=str(user_id), p_args=arguments)
        return await self.call(
            "write_once",
            p_user_id=str(user_id),
            p_operation=operation,
            p_args=arguments,
            p_key=key,
            p_fingerprint=fingerprint,
        )

    async def guarded(self, name: str, execute: Call, *, repeat: bool = True) -> Any:
        """Run `execute`, a call to PostgREST, with all protection of the database and its callers.

        Args:
            name: for logs and metrics.
            execute: makes the call.
            repeat: False if a retry would happen twice.

        Raises:
            ApiError: as `call`.
        """
        started = time.perf_counter()
        try:
            result = await (_protected if repeat else _once)(execute, self._seconds)
        except ApiError as error:
            _record(name, started, error if error.kind is INTERNAL_ERROR else None)
            raise
        except CircuitOpenError as error:
            _record(name, started, error)
            raise unavailable(retry_after=error.retry_after) from error
        except (DatabaseDownError, DatabaseBusyError, DatabaseSlowError, ResilienceError) as error:
            _record(name, started, error)
            raise unavailable() from error
        _record(name, started, None)
        return result


def _result(response: httpx.Response) -> Any:
    """Return a function's result. No function returns an empty object, and an HTML page is not a result either."""
    if response.status_code == _NO_CONTENT:
        return None
    try:
        result = json.loads(response.content)
    except ValueError as error:
        raise DatabaseDownError("the answer is not JSON") from error
    if result == {}:
        raise DatabaseDownError("the answer is empty")
    return result


def log_refused_key(function: str) -> None:
    """Log that a call's API key was rejected, which only the operators can fix."""
    app_logger.error(
        "an API key was rejected: check the secret against the project's keys",
        kind="error",
        error_type="refused API key",
        function=function,
    )


async def _once(execute: Call, seconds: float) -> Any:
    return await breaker.call_async(_attempt, execute, seconds)


_protected = with_retry(max_retries=2, base_delay=0.05, max_delay=0.5, retry_on=(DatabaseDownError, DatabaseBusyError))(
    _once
)


async def _attempt(execute: Call, seconds: float) -> Any:
    try:
        async with pool, asyncio.timeout(timeout_for("database", seconds)):
            return await execute()
    except DatabaseRefusalError as error:
        raise _meaning(error) from error
    except ResilienceError:
        raise
    except httpx.ConnectTimeout as error:
        raise DatabaseDownError(type(error).__name__) from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise DatabaseSlowError from error
    except httpx.HTTPError as error:
        raise DatabaseDownError(type(error).__name__) from error


def _meaning(error: DatabaseRefusalError) -> Exception:
    for_client = client_error(error)
    if for_client is not None:
        return for_client
    if is_slow(error.code):
        return DatabaseSlowError(error.code)
    if shows_life(error.code):
        return DatabaseBusyError(error.code)
    if is_transient(error.code):
        return DatabaseDownError(error.code)
    app_logger.error(
        "the database rejected a call", kind="error", error_type=f"database {error.code}", text=error.loggable
    )
    return ApiError(INTERNAL_ERROR, "Something went wrong on our side.")


def _record(name: str, started: float, error: Exception | None) -> None:
    duration = time.perf_counter() - started
    performance_monitor.record(f"database {name}", duration, error=error is not None)
    trace_call(f"database {name}", duration, _status(error))
    app_logger.log_database_operation(
        operation="call",
        table=name,
        duration=duration,
        success=error is None,
        **({} if error is None else {"error": f"{type(error).__name__}: {error}"}),
    )


def _status(error: Exception | None) -> int:
    """Return the HTTP status that stands for how a call ended. A refusal meant for the client is an answer."""
    if error is None:
        return 200
    if isinstance(error, DatabaseBusyError | BulkheadFullError):
        return 429
    return 500 if isinstance(error, ApiError) else 503


@lru_cache(maxsize=1)
def database() -> Database:
    """Return the process's database."""
    return Database(get_settings(), http_transport())
