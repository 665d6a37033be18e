"""A handful of database connections that are kept, and replaced when the server went away in between."""

from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[DictRow]
# Seconds that a request waits for a connection; without a server it is then an error.
_PATIENCE = 2.0


class Pool(AsyncConnectionPool[Connection]):
    """At most `size` connections to `dsn`, in autocommit; each is tried before it is given out."""

    def __init__(self, dsn: str, size: int = 8) -> None:
        super().__init__(
            dsn,
            connection_class=Connection,
            kwargs={"autocommit": True, "row_factory": dict_row},
            min_size=0,
            max_size=size,
            timeout=_PATIENCE,
            reconnect_timeout=0,  # the next request tries again
            check=self.check_connection,
            open=False,
        )

    async def one(self, query: Any, *values: Any) -> DictRow | None:
        """The first row of a query."""
        async with self.connection() as connection:
            return await (await connection.execute(query, values)).fetchone()
