"""Text and times as requests may carry them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from studysync.fields import Timestamp, clean_text

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
    """With or without an offset, the moment comes out in UTC."""
    assert TIMESTAMP.validate_python(text) == NOON
    assert TIMESTAMP.dump_json(TIMESTAMP.validate_python(text)) == b'"2026-01-31T12:00:00Z"'


@pytest.mark.parametrize(
    "value", [0, 1769860800, 1.5, "1769860800", "12:00", "2026-01-31", "2026-13-01T00:00:00Z", None, ""]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    """Numbers, dates and nonsense are errors; numbers are not read as seconds since 1970."""
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
    """White space around goes, composed and decomposed letters become one, emoji and every script stay."""
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    "text", ["a\0b", "a\nb", "a\x1b[2Jb", "a\x7fb", "a\u202eb", "\u200b", "\u3164", "\u2800", "\ud800", "a\u2028b"]
)
def test_text_that_deceives_is_refused(text: str) -> None:
    """Control characters, direction overrides and names that nobody can see are errors."""
    with pytest.raises(ValueError, match="must"):
        clean_text(text)
