"""A handful of database connections that are kept, and replaced when the server went away in between."""

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

Connection = psycopg.AsyncConnection[DictRow]


class Pool:
    """At most `size` connections to `dsn`, in autocommit."""

    def __init__(self, dsn: str, size: int = 8) -> None:
        self._dsn, self._slots = dsn, asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of one's own for the length of the block."""
        async with self._slots:
            connection = await self._take()
            try:
                yield connection
            finally:
                if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    await connection.close()
                else:
                    self._idle.append(connection)

    async def one(self, query: Any, *values: Any) -> DictRow | None:
        """The first row of a query."""
        async with self.connection() as connection:
            return await (await connection.execute(query, values)).fetchone()

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and not _has_ended(connection):
                return connection
            await connection.close()
        return await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, row_factory=dict_row, connect_timeout=5
        )


def _has_ended(connection: Connection) -> bool:
    """An idle connection has something to read only when the server closed it or said that it will."""
    return bool(select.select([connection.fileno()], [], [], 0)[0])
