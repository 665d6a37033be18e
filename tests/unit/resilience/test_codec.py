"""What the cache can store, and that it comes back unchanged."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import register_type
from resilience.cache.codec import canonical, decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(dt.UTC) | st.none())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
hashable = scalars | st.tuples(scalars, scalars)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.just("~tuple") | hashable, inner, max_size=4)
        | st.sets(hashable, max_size=3)
        | st.frozensets(hashable, max_size=3)
    ),
    max_leaves=12,
)


def shape(value: Any) -> str:
    """A value with the types of all its parts, so that 1, True and 1.0 differ, without the order of keys."""
    if isinstance(value, dict):
        return f"dict{sorted(shape(key) + ':' + shape(each) for key, each in value.items())}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}{[shape(each) for each in value]}"
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}{sorted(map(shape, value))}"
    return f"{type(value).__name__}({value!r})"


@given(values)
def test_every_supported_value_comes_back(value: Any) -> None:
    """The decoded value is equal and of the same types, at any depth."""
    assert decode(encode(value)) == value
    assert shape(decode(encode(value))) == shape(value)


@given(values, values)
def test_keys_are_equal_only_for_equal_values(one: Any, other: Any) -> None:
    """Different arguments never make the same key."""
    assert (canonical([one]) == canonical([other])) == (shape(one) == shape(other))


def test_the_order_of_keys_does_not_matter() -> None:
    """Equal mappings in another order have one key."""
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


def test_a_value_cannot_pretend_to_be_another() -> None:
    """Objects that look like tags come back as objects."""
    assert decode(encode({"~uuid": "x"})) == {"~uuid": "x"}


@pytest.mark.parametrize("value", [object(), float, lambda: 1, 1j])
def test_what_is_not_supported_is_refused(value: Any) -> None:
    """An unsupported value is an error instead of a changed value."""
    with pytest.raises(TypeError, match="register_type"):
        encode([value])


def test_a_value_that_contains_itself_is_refused() -> None:
    """Infinite nesting is an error."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="contains itself"):
        encode(endless)


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


def test_types_can_be_added() -> None:
    """register_type takes an encoder and a decoder, and refuses a used tag."""
    register_type(Point, "point", lambda point: [point.x, point.y], lambda parts: Point(*parts))
    back = decode(encode({"at": Point(1, 2)}))["at"]
    assert (back.x, back.y) == (1, 2)
    with pytest.raises(ValueError, match="point"):
        register_type(complex, "point", str, complex)
    with pytest.raises(ValueError, match="dict"):
        register_type(complex, "map", str, complex)


def test_the_text_is_plain_json() -> None:
    """Any JSON parser can read what is stored."""
    assert json.loads(encode({"id": UUID(int=1), "price": Decimal("1.50")})) == {
        "id": {"~uuid": str(UUID(int=1))},
        "price": {"~decimal": "1.50"},
    }
