"""How large an answer may be: Lambda gives none over 6 MB, and a process that tries ends with the request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any

MAX_ANSWER_BYTES = 6_000_000
"""Of a body as Lambda's runtime writes it: a string in JSON. What is left of 6 MB is for the headers."""

MAX_PAGE_BYTES = 5_000_000
"""Of a page's rows, likewise; what is left is for what a route adds to them."""


class AnswerTooLargeError(Exception):
    """An answer that Lambda would not give; whoever made it should have answered in pages."""


def check_answer(body: bytes) -> None:
    """Let `body` pass.

    Raises:
        AnswerTooLargeError: Lambda would not.
    """
    if len(body) > MAX_ANSWER_BYTES // 2 and _in_json(body) > MAX_ANSWER_BYTES:
        raise AnswerTooLargeError(f"{len(body)} bytes")


def fitting(rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return as many of the first `rows` as one answer can hold, and at least one if there are any."""
    # Escaped in the answer, every character of it doubles at most.
    if 2 * len(_packed(rows)) <= MAX_PAGE_BYTES:
        return rows
    sizes: Iterable[int] = (_in_json(_packed(row)) for row in rows)
    return rows[: max(1, sum(1 for _ in takewhile(lambda size: size <= MAX_PAGE_BYTES, accumulate(sizes))))]


def _packed(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def _in_json(body: bytes) -> int:
    """Return the bytes that a text of JSON takes within JSON: quotes and backslashes are escaped once more."""
    return len(body) + body.count(b'"') + body.count(b"\\") + body.count(b"\n")
