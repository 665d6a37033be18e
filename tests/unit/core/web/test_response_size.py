"""How many rows fit into one answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studysync.web import response_size
from studysync.web.response_size import AnswerTooLargeError, check_response_size, fit_to_response

TEXT = st.text(st.sampled_from('ab"\\\n\x01é\U0001f4da\u2028'), max_size=60)
ROWS = st.lists(st.dictionaries(TEXT, TEXT | st.integers() | st.none(), max_size=3), max_size=12)
ROOM = 400


def in_lambdas_json(rows: list[dict[str, Any]]) -> int:
    body = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return len(json.dumps(body, ensure_ascii=False).encode())


@given(ROWS)
def test_as_many_rows_as_fit_are_answered(rows: list[dict[str, Any]]) -> None:
    """The first rows are answered, at least one, and as many as fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(response_size, "MAX_PAGE_BYTES", ROOM)
        shown = fit_to_response(rows)
    assert shown == rows[: len(shown)]
    assert bool(shown) == bool(rows)
    between = 2 + 2 + len(rows)  # quotes, brackets and commas
    assert len(shown) <= 1 or in_lambdas_json(shown) <= ROOM + between
    assert len(shown) == len(rows) or in_lambdas_json(rows[: len(shown) + 1]) > ROOM


@pytest.mark.parametrize("unit", ['"', "\\", "a", "é", "\n"])
def test_what_lambda_gives_passes(unit: str) -> None:
    """An answer up to Lambda's limit passes, counted as its runtime encodes it."""
    each = len(json.dumps(unit, ensure_ascii=False).encode()) - 2
    check_response_size(unit.encode() * (response_size.MAX_ANSWER_BYTES // each))
    with pytest.raises(AnswerTooLargeError):
        check_response_size(unit.encode() * (response_size.MAX_ANSWER_BYTES // each + 1))
