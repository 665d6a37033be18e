"""Properties for any input: times, text, cursors, filters, request ids, tokens, and masking in logs."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postgrest import AsyncPostgrestClient
from pydantic import TypeAdapter, ValidationError

from gamification.leaderboards import _POSITION as BOARD_POSITION
from sessions.service import _POSITION as SESSION_POSITION
from studysync.auth.tokens import TokenVerifier
from studysync.compat.tables import OPERATORS, _filtered
from studysync.context import begin_request
from studysync.errors import ApiError
from studysync.fields import DisplayText, Timestamp, clean_text
from studysync.telemetry.logging import MASK, mask
from studysync.web.pagination import decode_cursor, encode_cursor

pytestmark = pytest.mark.properties

TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)
DISPLAY: TypeAdapter[str] = TypeAdapter(DisplayText)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_EARLY, _LATE = datetime(1971, 1, 1), datetime(2199, 12, 30)  # noqa: DTZ001 - hypothesis adds the zones
ANY_TEXT = st.text(st.characters(codec=None))


@given(st.datetimes(_EARLY, _LATE, timezones=OFFSETS))
def test_a_time_keeps_its_moment(moment: datetime) -> None:
    """With any offset, a time goes in and out as the same moment, in UTC."""
    found = TIMESTAMP.validate_python(moment.isoformat())
    assert found == moment
    assert found.tzinfo is UTC
    assert TIMESTAMP.validate_json(TIMESTAMP.dump_json(found)) == found


@given(
    ANY_TEXT | st.datetimes().map(str) | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d)?.{0,12}", fullmatch=True)
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Any text is either a time between 1970 and 2200 or a validation error."""
    try:
        found = TIMESTAMP.validate_python(text)
    except ValidationError:
        return
    assert 1970 <= found.year <= 2200
    assert found.utcoffset() == timedelta(0)


@given(ANY_TEXT)
def test_text_is_clean_or_refused(text: str) -> None:
    """Clean text is composed, has no control characters, and cleaning it again changes nothing."""
    try:
        clean = clean_text(text)
    except ValueError:
        return
    assert clean == clean_text(clean)
    assert unicodedata.is_normalized("NFC", clean)
    clean.encode()  # no lone surrogates
    pattern = DISPLAY.json_schema()["pattern"]
    assert re.search(pattern, clean), "the document must not refuse what is accepted"


@given(st.integers(0, 2**31 - 1), st.datetimes(_EARLY, _LATE, timezones=st.just(UTC)), st.uuids())
def test_positions_survive_their_cursors(xp: int, moment: datetime, row_id: Any) -> None:
    """Cursors restore positions, also in lists ordered by several columns."""
    at = moment.isoformat()
    assert decode_cursor(encode_cursor([at, row_id]), SESSION_POSITION) == (moment, row_id)
    assert decode_cursor(encode_cursor([xp, at, row_id]), BOARD_POSITION) == (xp, moment, row_id)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_cursors_of_another_shape_are_a_400(position: Any) -> None:
    """Well-formed JSON that none of our lists issued is VALIDATION_ERROR."""
    for shape in (SESSION_POSITION, BOARD_POSITION):
        with pytest.raises(ApiError) as caught:
            decode_cursor(encode_cursor([position]), shape)
        assert caught.value.kind.code == "VALIDATION_ERROR"


@cache
def _client() -> AsyncPostgrestClient:
    return AsyncPostgrestClient("http://nowhere.test")


def _query(filters: dict[str, Any]) -> list[tuple[str, str]]:
    built = _filtered(_client().from_("badges").select("*"), filters)
    return [pair for pair in parse_qsl(str(built.request.params), keep_blank_values=True) if pair[0] != "select"]


@given(st.sampled_from(sorted(OPERATORS - {"in", "is"})), st.text(max_size=40))
def test_a_filter_is_one_parameter(operator: str, value: str) -> None:
    """A value cannot end a filter or start another, and is sent unchanged."""
    assert _query({f"{operator}_name": value}) == [("name", f"{operator}.{value}")]


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_a_list_of_values_is_one_parameter(values: list[str]) -> None:
    """Commas, quotes and brackets in one of several values do not add values."""
    ((name, sent),) = _query({"in_name": values})
    assert name == "name"
    assert sent.startswith("in.(")
    assert _values(sent.removeprefix("in.(")) == values


def _values(sent: str) -> list[str]:
    """Parse a list as PostgREST does: quoted values may contain anything, escaped with a backslash."""
    rest, found = sent, []
    while True:
        if rest.startswith('"'):
            end = re.match(r'"((?:[^"\\]|\\.)*)"', rest, re.DOTALL)
            assert end is not None
            found.append(re.sub(r"\\(.)", r"\1", end[1], flags=re.DOTALL))
        else:
            end = re.match(r"[^,)]*", rest)
            assert end is not None
            found.append(end[0])
        rest = rest[end.end() :]
        if rest == ")":
            return found
        assert rest.startswith(",")
        rest = rest[1:]


@given(st.text(max_size=30))
def test_what_is_no_column_is_no_filter(name: str) -> None:
    """Only an operator and a plain column name reach the database."""
    if re.fullmatch(rf"({'|'.join(OPERATORS)})_[a-z_][a-z0-9_]*", name):
        return
    with pytest.raises(ValueError, match=r"filter|column"):
        _query({name: "1"})


@given(ANY_TEXT, ANY_TEXT)
def test_request_ids_are_safe_to_print(request_id: str, traceparent: str) -> None:
    """Whatever a client sends, the stored request id is short and plain."""
    context = begin_request({"method": "GET", "path": "/"}, request_id, traceparent)
    assert re.fullmatch(r"[A-Za-z0-9._:+/=-]{1,128}", context.request_id)
    assert context.trace_id is None or re.fullmatch(r"[0-9a-f]{32}", context.trace_id)


SEGMENT = st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode())


@given(ANY_TEXT | st.lists(SEGMENT, min_size=3, max_size=3).map(lambda parts: b".".join(parts).decode("latin-1")))
def test_no_text_is_a_token(token: str) -> None:
    """Anything that the project did not sign is AUTHENTICATION_ERROR, whatever it contains."""

    async def keys() -> dict[str, Any]:
        return {"keys": []}

    verifier = TokenVerifier(issuer="https://x.test", fetch_keys=keys, shared_secret="s" * 64)
    with pytest.raises(ApiError) as caught:
        asyncio.run(verifier.verify(token))
    assert caught.value.kind.code == "AUTHENTICATION_ERROR"


SECRET_NAMES = st.sampled_from(["password", "Token", "REFRESH_TOKEN", "email", "Authorization", "apikey", "cookie"])
LOGGED: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.text("abc"),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text("abc") | SECRET_NAMES, inner),
)


@given(LOGGED, SECRET_NAMES)
def test_what_stands_under_a_secret_name_is_masked(value: Any, name: str) -> None:
    """A value under a secret name is masked at any depth and in any case."""
    hidden = {"level": [{"deeper": ({name: ["tell-tale", value]},)}], "plain": value}
    found = mask(hidden)
    assert "tell-tale" not in str(found)
    assert found["level"][0]["deeper"][0][name] == MASK
