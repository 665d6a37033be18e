"""Text and times in requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from studysync.fields import Timestamp, clean_text, spell_times

TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31T12:00Z",
    ],
)
def test_times_are_taken_in_utc(text: str) -> None:
    """With or without an offset, a time is converted to UTC."""
    assert TIMESTAMP.validate_python(text) == NOON
    assert TIMESTAMP.dump_json(TIMESTAMP.validate_python(text)) == b'"2026-01-31T12:00:00.000000Z"'


@pytest.mark.parametrize(
    "value", [0, 1769860800, 1.5, "1769860800", "12:00", "2026-01-31", "2026-13-01T00:00:00Z", None, ""]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    """Numbers, dates and garbage are errors; numbers are not read as seconds since 1970."""
    with pytest.raises(ValidationError):
        TIMESTAMP.validate_python(value)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Ada ", "Ada"),
        ("Zoë", "Zoë"),
        ("Zoe\u0308", "Zoë"),
        ("👩\u200d🎓", "👩\u200d🎓"),
        ("مرحبا", "مرحبا"),
        ("", ""),
    ],
)
def test_text_is_normalised(text: str, clean: str) -> None:
    """Surrounding white space is removed, letters are composed, emoji and every script stay."""
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    "text", ["a\0b", "a\nb", "a\x1b[2Jb", "a\x7fb", "a\u202eb", "\u200b", "\u3164", "\u2800", "\ud800", "a\u2028b"]
)
def test_text_that_deceives_is_refused(text: str) -> None:
    """Control characters, direction overrides and invisible names are errors."""
    with pytest.raises(ValueError, match="must"):
        clean_text(text)


@pytest.mark.parametrize("spelled", ["2026-12-31T23:59:60Z", "2026-12-31 23:59:60.75", "2027-01-01t00:59:60+01:00"])
def test_a_leap_second_is_the_last_instant_before_it(spelled: str) -> None:
    """A leap second becomes the last microsecond before it, in any zone."""
    assert TIMESTAMP.validate_python(spelled) == datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("spelled", ["2026-12-31T23:60:00Z", "2026-12-31T23:59:61Z", "2026-12-31T24:00:60Z"])
def test_what_no_clock_shows_is_no_time(spelled: str) -> None:
    """Second 60 is the only value accepted beyond a clock's range."""
    with pytest.raises(ValidationError):
        TIMESTAMP.validate_python(spelled)


def test_times_of_the_database_are_spelled_as_everywhere() -> None:
    """Only fields with time names are rewritten, at any depth."""
    row = {"ended_at": "2026-01-31T13:00:00+01:00", "note": "2026-01-31T13:00:00+01:00", "in": [{"read_at": None}]}
    assert spell_times(row) == {**row, "ended_at": "2026-01-31T12:00:00.000000Z"}
