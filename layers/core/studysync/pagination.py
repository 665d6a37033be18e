"""Cursors: opaque to clients, checked when they come back, so that a forged one is a 400 and never an error inside."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from studysync.envelope import Page
from studysync.errors import invalid

T = TypeVar("T")


def absent_when_empty(value: Any) -> Any:
    """Take ``?cursor=`` as no cursor: clients that always name their parameters leave them empty."""
    return None if value == "" else value


DEFAULT_LIMIT = 50
MAX_LIMIT = 100

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A number in a cursor that the database keeps in 4 bytes."""

BigCount = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A number in a cursor that the database keeps in 8 bytes."""

DEFERRED = ConfigDict(defer_build=True)
"""For the shape of a cursor: few requests bring one, so none is built while a function starts."""

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows a page.")]
Cursor = Annotated[
    Annotated[str, StringConstraints(max_length=512)] | None,
    BeforeValidator(absent_when_empty),
    Query(description="From `next_cursor` of the page before."),
]


def encode_cursor(position: Sequence[Any]) -> str:
    """Return a cursor for `position`, the JSON values that the next page starts after."""
    packed = json.dumps(list(position), separators=(",", ":"), default=str).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_cursor(cursor: str | None, shape: TypeAdapter[T]) -> T | None:
    """Return the position in `cursor`, validated against `shape`; ``None`` for no cursor.

    Raises:
        ApiError: VALIDATION_ERROR, the cursor was not made by us for this list.
    """
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return shape.validate_json(packed)
    except (ValidationError, binascii.Error, ValueError) as error:
        raise invalid("The cursor is not valid.", "query.cursor") from error


def page(rows: list[dict[str, Any]], limit: int, position: Callable[[dict[str, Any]], Sequence[Any]]) -> dict[str, Any]:
    """Return the page of `rows`, which holds one row more than `limit` where there are more."""
    more = len(rows) > limit
    rows = rows[:limit]
    return (
        Page[Any]
        .model_construct(success=True, data=rows, next_cursor=encode_cursor(position(rows[-1])) if more else None)
        .__dict__
    )
