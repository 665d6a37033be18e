"""Field types that several domains share: visible text, times, and the base of every request body."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)

from studysync.errors import MAX_FIELD_ERRORS, invalid_request

# Direction overrides can make a name look like another one; marks that right-to-left text needs are allowed.
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Characters unknown to our tables are allowed: they are newer letters or emoji.
_INVISIBLE_CATEGORIES = frozenset({"Cf", "Co", "Mn", "Me", "Zs", "Zl", "Zp"})
# Letters that are blank although Unicode does not classify them so (Hangul fillers, Braille blank).
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_LEAP_SECOND = re.compile(r"^(.{10}[Tt ]\d\d:\d\d):60(?:[.,]\d*)?")


def clean_text(value: str, *, allowed: str = "") -> str:
    """Return `value` in Unicode NFC without surrounding white space.

    Args:
        value: as it was sent.
        allowed: control characters that it may hold all the same.

    Raises:
        ValueError: it contains control characters or direction overrides, or nothing visible.
    """
    value = unicodedata.normalize("NFC", value).strip()
    if any(
        (unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in allowed) or char in _DIRECTION_OVERRIDES
        for char in value
    ):
        raise ValueError("must not contain control characters")
    if value and all(unicodedata.category(c) in _INVISIBLE_CATEGORIES or c in _BLANK_LETTERS for c in value):
        raise ValueError("must contain a visible character")
    return value


def _clean_lines(value: str) -> str:
    return clean_text(value.replace("\r\n", "\n").replace("\r", "\n"), allowed="\n\t")


def _in_utc(value: datetime) -> datetime:
    # Old clients send times without an offset, in UTC.
    try:
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error
    # Times outside this range are mistakes, and sums of them could exceed the database's range.
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"must be between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment


def _not_a_number(value: Any) -> Any:
    # pydantic would read 1767225600 as seconds since 1970; the contract allows RFC 3339 only.
    if not isinstance(value, str | datetime) or (
        isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value)
    ):
        raise ValueError("must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
    # A leap second, which no clock of ours has, is the last instant before it.
    return _LEAP_SECOND.sub(r"\1:59.999999", value) if isinstance(value, str) else value


def _spell_time(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def spell_times(value: Any) -> Any:
    """Return JSON from the database with its times, which it has in fields named ``..._at``, spelled as everywhere."""
    if isinstance(value, list):
        return [spell_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _spell_time(datetime.fromisoformat(each))
        if name.endswith("_at") and isinstance(each, str)
        else spell_times(each)
        for name, each in value.items()
    }


def _not_a_truth(value: Any) -> Any:
    if isinstance(value, bool):  # which Python takes for 0 or 1
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic's way to refuse
    return value


# For the OpenAPI document: the control characters that `clean_text` rejects. Client generators fail on the others.
_WRITABLE = "^[^\\x00-\\x1f\\x7f-\\x9f]*$"
_WRITABLE_LINES = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$"


def writable(text: str) -> bool:
    """Return whether JSON and the database can represent `text`: no NUL, and no lone surrogate.

    Pydantic rejects lone surrogates in strings, but not in secrets.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


DisplayText = Annotated[str, AfterValidator(clean_text), Field(json_schema_extra={"pattern": _WRITABLE})]
"""Visible text. Add its length with ``Field(min_length=, max_length=)`` in an outer ``Annotated``, so that lengths are
checked after cleaning.
"""

MultilineText = Annotated[str, AfterValidator(_clean_lines), Field(json_schema_extra={"pattern": _WRITABLE_LINES})]
"""As `DisplayText`, but with line breaks and tabs; every line break becomes ``\\n``."""

Integer = Annotated[int, BeforeValidator(_not_a_truth)]
"""A whole number in a request; ``true`` is none."""

Number = Annotated[float, BeforeValidator(_not_a_truth)]
"""A number in a request; ``true`` is none."""

UtcDatetime = Annotated[datetime, PlainSerializer(_spell_time, return_type=str, when_used="json")]
"""A time in an answer: in UTC, with ``Z`` and six digits of a second."""

Timestamp = Annotated[
    datetime,
    BeforeValidator(_not_a_number, json_schema_input_type=str),
    AfterValidator(_in_utc),
    PlainSerializer(_spell_time, return_type=str, when_used="json"),
    Field(
        json_schema_extra={"format": "date-time"},
        description=f"From {_FIRST_YEAR} to {_LAST_YEAR}; without an offset, UTC.",
    ),
]
"""A moment in UTC; without an offset, it is taken as UTC."""

SearchText = Annotated[DisplayText, StringConstraints(max_length=100)]

IDEMPOTENCY_KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"


_MANY_FIELDS = 100  # more than any body has, and more than an error lists


class RequestBody(BaseModel):
    """Base of every request body; unknown fields are errors.

    Old clients repeat their own user id in the body; any other id is rejected.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    user_id: str | None = Field(default=None, description="Sent by old clients: your own id.")
    created_by: str | None = Field(default=None, description="Sent by old clients: your own id.")

    @model_validator(mode="wrap")
    @classmethod
    def _in_bounded_time(cls, sent: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Validate only some of very many unknown fields and count the rest: each takes longer to reject than to send.

        Raises:
            ApiError: VALIDATION_ERROR, as for a few.
        """
        if not isinstance(sent, dict) or len(sent) <= _MANY_FIELDS:
            return validate(sent)
        unknown = [name for name in sent if name not in cls.model_fields]
        looked_at = {name: sent[name] for name in cls.model_fields.keys() & sent.keys()}
        looked_at |= {name: sent[name] for name in islice(unknown, MAX_FIELD_ERRORS)}
        try:
            return validate(looked_at)
        except ValidationError as error:
            found: list[Any] = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_input=False)]
            raise invalid_request(found, len(found) + len(unknown) - MAX_FIELD_ERRORS) from None

    def arguments(self) -> dict[str, Any]:
        """Return the fields that were sent, ready for JSON, without those that only repeat the caller's id."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"user_id", "created_by"})


UNCHANGED: Any = None
"""Default of a field in a partial update that must not be null: no client can send it, and it is omitted."""
