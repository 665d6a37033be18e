"""Parsing offline events: any input becomes the same event or the same rejection every time."""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studysync.web.event_payload import MAX_PAYLOAD_BYTES, payload_error
from sync.events import _digest, read_event

USER = uuid4()
TEXT = st.text(st.characters(codec=None), max_size=30)  # lone surrogates too: JSON can contain them
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(["start", "heartbeat", "focus_start", "complete", "abandon", "nonsense"])
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event_id": JSON | st.uuids().map(str),
        "session_id": JSON | st.uuids().map(str),
        "event_type": JSON | KINDS,
        "event_payload": JSON | st.dictionaries(st.sampled_from(["subject", "duration_minutes", "efficiency"]), JSON),
        "created_at": JSON | st.datetimes().map(lambda moment: moment.isoformat()),
        "user_id": JSON | st.just(str(USER)),
    },
)


def _storable(value: Any) -> bytes:
    """What goes to the database: JSON without characters that PostgreSQL cannot store."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text
    return text.encode()  # raises for lone surrogates


@given(EVENTS | JSON)
def test_everything_is_an_event_or_a_rejection(raw: Any) -> None:
    """Any input has an id and can be stored, and none raises an error."""
    found = read_event(raw, USER)
    UUID(found["event_id"])
    _storable(found)
    if "error_code" in found:
        assert found["error_code"] == "VALIDATION_ERROR"
        assert found["message"]
        assert payload_error(found["payload"]) is None
    else:
        UUID(found["session_id"])
        assert len(_storable(found["payload"])) <= 2 * MAX_PAYLOAD_BYTES


@given(EVENTS | JSON)
def test_a_repeat_is_the_same_event(raw: Any) -> None:
    """Parsed twice, an event has the same id and the same fingerprint."""
    assert read_event(raw, USER) == read_event(raw, USER)


@given(EVENTS.filter(lambda raw: "event_id" not in raw))
def test_events_without_an_id_of_their_own_are_their_senders(raw: dict[str, Any]) -> None:
    """The same event of two users has two ids."""
    raw.pop("user_id", None)
    assert read_event(raw, USER)["event_id"] != read_event(raw, uuid4())["event_id"]


@given(st.dictionaries(TEXT, JSON, max_size=6))
def test_a_payload_that_passes_can_be_kept(payload: dict[str, Any]) -> None:
    """An accepted payload is JSON, small, and without NUL; a refused one has a sentence as its reason."""
    wrong = payload_error(payload)
    if wrong is None:
        assert len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()) <= MAX_PAYLOAD_BYTES
        assert "\0" not in json.dumps(payload, ensure_ascii=False).replace("\\u0000", "\0")
    else:
        assert wrong.endswith(".")


@pytest.mark.parametrize("exponent", [300, -300])
def test_a_payload_is_as_large_as_the_database_writes_it(exponent: int) -> None:
    """A number of five characters is stored with 300 digits, and counts as that."""
    number = float(f"1e{exponent}")
    assert payload_error({"n": [number] * 12}) is None
    assert payload_error({"n": [number] * 15}) == f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes."


def test_what_is_nested_without_end_has_a_digest() -> None:
    """Such an event cannot fail the whole batch; its depth is refused where payloads are checked."""
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 100):
        deep = [deep]
    assert len(_digest(deep)) == len(_digest([]))
