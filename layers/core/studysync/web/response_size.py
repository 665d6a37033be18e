"""The maximum size of responses: Lambda rejects more than 6 MB, which also ends the process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any

MAX_ANSWER_BYTES = 6_000_000
"""Of a body as Lambda's runtime sends it, as a JSON string. The rest of the 6 MB is for the headers."""

MAX_PAGE_BYTES = 5_000_000
"""Of a page's rows, likewise. The rest is for what a route adds to them."""


class AnswerTooLargeError(Exception):
    """A response that exceeds Lambda's limit; its route should have paginated."""


def check_response_size(body: bytes) -> None:
    """Check the size of a response's body.

    Raises:
        AnswerTooLargeError: it exceeds Lambda's limit.
    """
    if len(body) > MAX_ANSWER_BYTES // 2 and _in_json(body) > MAX_ANSWER_BYTES:
        raise AnswerTooLargeError(f"{len(body)} bytes")


def fit_to_response(rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return as many of the first `rows` as fit into one response, and at least one if there are any."""
    # Escaping at most doubles each character.
    if 2 * len(_packed(rows)) <= MAX_PAGE_BYTES:
        return rows
    sizes: Iterable[int] = (_in_json(_packed(row)) for row in rows)
    return rows[: max(1, sum(1 for _ in takewhile(lambda size: size <= MAX_PAGE_BYTES, accumulate(sizes))))]


def _packed(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def _in_json(body: bytes) -> int:
    """Return the size of JSON text within a JSON string, where quotes and backslashes are escaped again."""
    return len(body) + body.count(b'"') + body.count(b"\\") + body.count(b"\n")
