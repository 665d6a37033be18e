"""Tables by name, for scripts and data without an SQL function: rows and filters by operator.

A filter's name is an operator and a column, ``eq_user_id``, ``gte_total_xp``, ``in_status``; rows must match all of
them.
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from postgrest import APIError, AsyncPostgrestClient, CountMethod

from resilience import QueryOptimizer, cached
from studysync.api_keys import ApiKeys
from studysync.aws.snapstart import on_restore
from studysync.db.client import Database, database, log_refused_key
from studysync.db.errors import DatabaseDownError, DatabaseRefusalError
from studysync.db.transport import TIMEOUT, http_transport
from studysync.settings import Settings, get_settings

Row = dict[str, Any]
Filters = Mapping[str, Any]

OPERATORS = frozenset({"eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "is", "in"})
CACHE_SECONDS = 60.0
_until_exit = ExitStack()
atexit.register(_until_exit.close)
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*")


class Tables:
    """Reads and writes rows through a `Database`, with all of its protection.

    Every method exists twice: `fetch_async` for event loops, `fetch` for synchronous code (not from within an event
    loop). Errors are those of `Database.call`; an invalid filter is a ValueError.
    """

    def __init__(self, source: Database, transport: httpx.AsyncBaseTransport, settings: Settings) -> None:
        self._source, self._api_keys = source, ApiKeys(settings)
        hooks: dict[str, Any] = {"request": [self._before_sending], "response": [self._after_answering]}
        client = httpx.AsyncClient(transport=transport, timeout=TIMEOUT, event_hooks=hooks)
        self._postgrest = AsyncPostgrestClient(
            settings.supabase_rest_url,
            http_client=client,
            retry_enabled=False,  # the database's own policy retries
        )

    async def fetch_async(
        self,
        table: str,
        filters: Filters | None = None,
        *,
        columns: Sequence[str] = ("*",),
        order: str | None = None,
        limit: int | None = None,
        cache: bool = False,
    ) -> list[Row]:
        """Return the rows that match every filter.

        Args:
            table: its name.
            filters: operator and column to value; ``None``: all rows.
            columns: the columns to return; default all.
            order: a column to order by, descending with a leading ``-``.
            limit: maximum number of rows; ``None``: all.
            cache: allow results up to 60 s old. Never for what a user must see after their own write.
        """
        question = (table, dict(filters or {}), list(columns), order, limit)
        return await (_cached_fetch if cache else _fetch)(self._source, self._postgrest, *question)

    async def insert_async(self, table: str, rows: Row | list[Row]) -> list[Row]:
        """Insert rows and return them as stored.

        Never retried: after a 503, the caller must check whether they were inserted.
        """
        query = self._postgrest.from_(table).insert(rows)
        return await self._run(f"insert {table}", query, repeat=False)

    async def update_async(self, table: str, values: Row, filters: Filters) -> list[Row]:
        """Update the rows that match every filter, and return them; without a filter nothing is changed."""
        query = _filtered(self._postgrest.from_(table).update(values), _required(filters))
        return await self._run(f"update {table}", query)

    async def delete_async(self, table: str, filters: Filters) -> list[Row]:
        """Delete the rows that match every filter, and return them; without a filter nothing is deleted."""
        query = _filtered(self._postgrest.from_(table).delete(), _required(filters))
        return await self._run(f"delete {table}", query)

    async def _run(self, name: str, query: Any, *, repeat: bool = True) -> list[Row]:
        return await _rows(self._source, name, query, repeat=repeat)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._postgrest.aclose()

    async def _before_sending(self, request: httpx.Request) -> None:
        """Add the API key, and mark inserts: rows have no id by which the database would recognise a retry."""
        request.headers.update(self._api_keys.headers())
        if request.method == "POST":
            request.extensions["once"] = True

    async def _after_answering(self, response: httpx.Response) -> None:
        """Raise the error for an unsuccessful response, as everywhere."""
        if response.is_success:
            return
        await response.aread()
        refusal = DatabaseRefusalError.of_response(response)
        if refusal.refuses_key:
            log_refused_key(response.request.url.path)
            self._api_keys.refuse(response.request.headers["apikey"])
        raise refusal

    def fetch(self, table: str, filters: Filters | None = None, **options: Any) -> list[Row]:
        """As `fetch_async`."""
        return _blocking("fetch_async", table, filters, **options)

    def insert(self, table: str, rows: Row | list[Row]) -> list[Row]:
        """As `insert_async`."""
        return _blocking("insert_async", table, rows)

    def update(self, table: str, values: Row, filters: Filters) -> list[Row]:
        """As `update_async`."""
        return _blocking("update_async", table, values, filters)

    def delete(self, table: str, filters: Filters) -> list[Row]:
        """As `delete_async`."""
        return _blocking("delete_async", table, filters)


async def _fetch(
    source: Database,
    client: AsyncPostgrestClient,
    table: str,
    filters: Row,
    columns: list[str],
    order: str | None,
    limit: int | None,
) -> list[Row]:
    def page(orders: Sequence[str], offset: int) -> Any:
        fields = QueryOptimizer.optimize_select_fields(columns, table)
        query: Any = _filtered(client.from_(table).select(fields, count=CountMethod.exact), filters)
        for name in orders:
            query = query.order(_column(name.removeprefix("-")), desc=name.startswith("-"))
        query = query.offset(offset) if offset else query
        return query if limit is None else query.limit(limit - offset)

    name, orders = f"select {table}", [order] if order else []
    rows, total = await _page(source, name, page(orders, 0))
    wanted = total if limit is None else min(total, limit)
    if len(rows) < wanted:
        # PostgREST limits the rows per response. Ordered by all columns, rows that compare equal are identical.
        orders += [each for each in (rows[0] if rows else ()) if each != (order or "").removeprefix("-")]
        rows = []
        while len(rows) < wanted:
            more, _ = await _page(source, name, page(orders, len(rows)))
            if not more:  # they were deleted in the meantime
                break
            rows += more
    return rows


@cached(ttl=CACHE_SECONDS, key_prefix="tables", key=lambda _source, _client, *question: question)
async def _cached_fetch(source: Database, client: AsyncPostgrestClient, *question: Any) -> list[Row]:
    return await _fetch(source, client, *question)


async def _rows(source: Database, name: str, query: Any, *, repeat: bool = True) -> list[Row]:
    return (await _page(source, name, query, repeat=repeat))[0]


async def _page(source: Database, name: str, query: Any, *, repeat: bool = True) -> tuple[list[Row], int]:
    """Return the rows of a response, and the total number if the query asked for it."""

    async def execute() -> tuple[list[Row], int]:
        try:
            answer = await query.execute()
        except APIError as error:  # a success, but not from PostgREST
            raise DatabaseDownError("the answer is not JSON") from error
        if not isinstance(answer.data, list):
            raise DatabaseDownError("the answer has no rows")
        return answer.data, answer.count or 0

    rows: tuple[list[Row], int] = await source.guarded(name, execute, repeat=repeat)
    return rows


def _filtered(query: Any, filters: Filters) -> Any:
    for name, value in filters.items():
        operator, _, column = name.partition("_")
        if operator not in OPERATORS:
            raise ValueError(f"filter {name!r} does not begin with one of {sorted(OPERATORS)}")
        column = _column(column)
        query = query.in_(column, list(value)) if operator == "in" else query.filter(column, operator, _literal(value))
    return query


def _column(name: str) -> str:
    if not _COLUMN.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a column")
    return name


def _literal(value: Any) -> str:
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool | None)
        else str(value)
    )


def _required(filters: Filters) -> Filters:
    if not filters:
        raise ValueError("changing all rows needs an explicit filter")
    return filters


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Return the process's tables."""
    return Tables(database(), http_transport(), get_settings())


on_restore(tables.cache_clear)


@lru_cache(maxsize=1)
def _portal() -> tuple[BlockingPortal, Tables]:
    # Synchronous code gets its own event loop in a thread, with its own connections, until the process ends.
    portal = _until_exit.enter_context(start_blocking_portal())
    transport = httpx.AsyncHTTPTransport()
    own = Tables(Database(get_settings(), transport), transport, get_settings())
    _until_exit.callback(portal.call, own.aclose)  # before the loop that its connections belong to ends
    return portal, own


def _blocking(method: str, *arguments: Any, **options: Any) -> list[Row]:
    portal, own = _portal()

    async def run() -> list[Row]:
        rows: list[Row] = await getattr(own, method)(*arguments, **options)
        return rows

    return portal.call(run)
