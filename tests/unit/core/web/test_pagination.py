"""Cursors round-trip, and forged ones are a 400."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from studysync.errors import ApiError
from studysync.web.pagination import decode_cursor, encode_cursor, page
from studysync.web.responses import Page

NAME: TypeAdapter[tuple[str]] = TypeAdapter(tuple[str])
XP_AND_ID: TypeAdapter[tuple[int, UUID]] = TypeAdapter(tuple[int, UUID])


@given(st.integers(-(2**63), 2**63 - 1), st.uuids())
def test_a_position_survives_the_round_trip(xp: int, user_id: UUID) -> None:
    """An encoded position is decoded unchanged."""
    assert decode_cursor(encode_cursor([xp, user_id]), XP_AND_ID) == (xp, user_id)


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_forged_cursors_are_a_400(cursor: str) -> None:
    """A made-up cursor is VALIDATION_ERROR, never an internal error."""
    with pytest.raises(ApiError) as caught:
        decode_cursor(cursor, XP_AND_ID)
    assert caught.value.kind.code == "VALIDATION_ERROR"


def test_no_cursor_is_the_first_page() -> None:
    """Without a cursor there is no position."""
    assert decode_cursor(None, NAME) is None


@pytest.mark.parametrize(("rows", "more"), [(0, False), (2, False), (3, True)])
def test_a_page_has_a_cursor_only_when_there_is_more(rows: int, more: bool) -> None:
    """The row beyond the limit is not shown, and the cursor points to the last row that is."""
    names: list[dict[str, Any]] = [{"name": str(n)} for n in range(rows)]
    found = page(Page[dict[str, str]], names, 2, lambda row: [row["name"]])
    assert found.data == names[:2]
    assert (found.next_cursor is not None) == more
    if more:
        assert decode_cursor(found.next_cursor, NAME) == ("1",)
