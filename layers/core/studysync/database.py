"""The database: one call is one SQL function is one transaction, over PostgREST.

Failure policy: every write carries an id that makes a repeat harmless, so a call whose connection broke is sent once
more on a new one (studysync.http). What the database says on purpose becomes an error of the contract; everything else
is a 503 when it passes (it is down, busy, restarting) and a 500 when it does not, and its text stays in the log.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any
from uuid import UUID

import httpx
from postgrest import APIError, AsyncPostgrestClient

from studysync.database_errors import client_error, is_transient
from studysync.errors import INTERNAL_ERROR, ApiError, unavailable
from studysync.http import http_client
from studysync.logging import app_logger
from studysync.settings import Settings, get_settings


class Database:
    """Calls SQL functions as the service role.

    Args:
        settings: where PostgREST is, and the key.
        client: the HTTP pool to use.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        key = settings.supabase_service_role_key.get_secret_value()
        self._postgrest = AsyncPostgrestClient(
            settings.supabase_rest_url,
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            http_client=client,
            retry_enabled=False,
        )

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call the SQL function `function` and return its JSON.

        Raises:
            ApiError: what the function says to the client, SERVICE_UNAVAILABLE or INTERNAL_ERROR.
        """
        started = time.perf_counter()
        try:
            response = await self._postgrest.rpc(function, arguments).execute()
        except Exception as error:
            self._log(function, started, error)
            raise self._translate(error) from error
        self._log(function, started, None)
        return response.data

    async def write(
        self, operation: str, user_id: UUID, arguments: dict[str, Any], *, key: str | None = None, fingerprint: str = ""
    ) -> Any:
        """Run the write `operation` for `user_id`; with `key`, the client's Idempotency-Key, once and for all.

        Raises:
            ApiError: as `call`; IDEMPOTENCY_KEY_REUSED, the key came before with another `fingerprint`.
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

    @staticmethod
    def _translate(error: Exception) -> Exception:
        if isinstance(error, APIError):
            told = client_error(error)
            if told is not None:
                return told
            return (
                unavailable()
                if is_transient(error.code)
                else ApiError(INTERNAL_ERROR, "Something went wrong on our side.")
            )
        return unavailable() if isinstance(error, httpx.HTTPError) else error

    @staticmethod
    def _log(function: str, started: float, error: Exception | None) -> None:
        meant_for_client = isinstance(error, APIError) and client_error(error) is not None
        app_logger.log_database_operation(
            operation="rpc",
            table=function,
            duration=time.perf_counter() - started,
            success=error is None or meant_for_client,
            **({} if error is None else {"error": f"{type(error).__name__}: {error}"}),
        )


@lru_cache(maxsize=1)
def database() -> Database:
    """Return the process's database."""
    return Database(get_settings(), http_client())
