"""Pagination: pages limited in rows and bytes, and the cursors between them.

A cursor is encrypted and authenticated. It is valid for the route that it was created for and, if the list is private,
for its user only. Any other cursor is a 400, never an internal error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from studysync.context import request_context
from studysync.errors import invalid
from studysync.sealing import seal, unseal
from studysync.web.response_size import fit_to_response
from studysync.web.responses import Page

T = TypeVar("T")
Row = dict[str, Any]
"""A row as parsed from the database's JSON."""


DEFAULT_LIMIT = 50
MAX_LIMIT = 100

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A number in a cursor that the database stores in 4 bytes."""

BigCount = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A number in a cursor that the database stores in 8 bytes."""

DEFERRED = ConfigDict(defer_build=True)
"""For the type of a cursor: few requests have one, so it is not built while a function starts."""

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The maximum number of rows on the page.")]
Cursor = Annotated[
    Annotated[str, StringConstraints(max_length=512)] | None,
    Query(description="The `next_cursor` of the previous page."),
]


_SHARED_LISTS = frozenset({"/api/users", "/api/spaces", "/api/gamification/leaderboard/{period}"})
"""Cursors of these routes are the same for everyone."""


def encode_cursor(position: Sequence[Any], route: str | None = None) -> str:
    """Return a cursor for `position`, the JSON values that the next page starts after.

    Args:
        position: at least one value.
        route: the template of the path that accepts it; ``None``: the current route.
    """
    return seal("cursor", json.dumps(list(position), separators=(",", ":"), default=str).encode(), _owner(route))


def decode_cursor(cursor: str | None, shape: TypeAdapter[T]) -> T | None:
    """Return the position in `cursor`, validated against `shape`; ``None`` for no cursor.

    Raises:
        ApiError: VALIDATION_ERROR, the cursor was not issued for this list and this caller.
    """
    if cursor is None:
        return None
    try:
        return shape.validate_json(unseal("cursor", cursor, _owner(None)))
    except ValueError as error:  # pydantic's errors too
        raise invalid("The cursor is not valid.", "query.cursor") from error


def _owner(route: str | None) -> tuple[str, str]:
    """Return what a cursor is bound to: the route, and the caller if the list is private."""
    context = request_context()
    route = route or (context.route if context else "")
    caller = context.user_id if context and route not in _SHARED_LISTS else None
    return route, caller or ""


def page(shape: type[Page[T]], rows: Sequence[Row], limit: int, position: Callable[[Row], Sequence[Any]]) -> Page[T]:
    """Return the page of `rows`, which has one row more than `limit` if there is a next page.

    A page has fewer than `limit` rows if they would be too large for one response.

    Args:
        shape: the type of the page, such as ``Page[Session]``.
        rows: as returned by the database.
        limit: maximum number of rows of the page.
        position: returns the position of the last row, after which the next page starts.
    """
    shown = fit_to_response(rows[:limit])
    return page_up_to(shape, shown, position(shown[-1]) if len(rows) > len(shown) else None)


def page_up_to(shape: type[Page[T]], rows: Sequence[Row], next_position: Sequence[Any] | None) -> Page[T]:
    """Return the page of `rows`; the next one starts after `next_position`, ``None`` on the last page."""
    cursor = None if next_position is None else encode_cursor(next_position)
    return shape.model_validate({"data": rows, "next_cursor": cursor})
