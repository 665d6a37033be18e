"""Encodes values as JSON, with tags for types that JSON lacks. It never uses pickle, so decoding cannot run code.

A tagged value is an object with a single key: "~" followed by the type's tag. A dict with a key that starts with "~"
or is not a string is written as a list of pairs. So every supported value decodes to an equal value of the same type,
and an unsupported value is refused rather than changed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

T = TypeVar("T")
_PLAIN = (str, bool, type(None), float, int)

_dumpers: dict[type, tuple[str, Callable[[Any], Any]]] = {}
_loaders: dict[str, Callable[[Any], Any]] = {}


def register_type(kind: type[T], tag: str, dump: Callable[[T], Any], load: Callable[[Any], T]) -> None:
    """Add a type that the cache can store.

    Args:
        kind: The type; its subclasses are not included.
        tag: Identifies the type in stored text; no other type may use it.
        dump: Converts a value to types that are already supported.
        load: The inverse of dump.

    Raises:
        ValueError: Another type uses the tag.
    """
    taken = next((other for other, (used, _) in _dumpers.items() if used == tag and other is not kind), None)
    if taken is not None or tag == "map":
        raise ValueError(f"tag {tag!r} is taken by {(taken or dict).__name__}")
    _dumpers[kind] = (tag, dump)
    _loaders["~" + tag] = load


def encode(value: object) -> str:
    """Encode a value as text.

    Raises:
        TypeError: The value, or one inside it, has an unsupported type.
        ValueError: The value is nested more than 100 levels deep, or contains itself.
    """
    return json.dumps(_prepare(value, 0), separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Any:
    """Decode text written by `encode`.

    Raises:
        ValueError: The text is not JSON.
        KeyError: A tag is unknown. A loader may raise other errors.
    """
    return json.loads(text, object_hook=_hook)


def readable(text: str) -> bool:
    """Return whether this version of the code can decode the text; another version may have written it."""
    try:
        decode(text)
    except Exception:  # noqa: BLE001 - whatever a loader makes of it
        return False
    return True


def canonical(value: object) -> str:
    """Return canonical JSON for use as a cache key; raises the errors of `encode`.

    The order of dict keys and set members makes no difference. Values of different types, such as 1 and 1.0, differ.
    """
    return json.dumps(_prepare(value, 0, ordered=True), separators=(",", ":"), sort_keys=True)


_DEEPEST = 100


def _prepare(value: Any, depth: int, *, ordered: bool = False) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth > _DEEPEST:
        raise ValueError("nested too deeply, or contains itself")
    if kind is list:
        return [_prepare(each, depth + 1, ordered=ordered) for each in value]
    if kind is dict:
        if all(type(key) is str and not key.startswith("~") for key in value):
            return {key: _prepare(each, depth + 1, ordered=ordered) for key, each in value.items()}
        pairs = [[_prepare(each, depth + 1, ordered=ordered) for each in pair] for pair in value.items()]
        return {"~map": sorted(pairs, key=json.dumps) if ordered else pairs}
    if kind not in _dumpers:
        raise TypeError(f"{kind.__module__}.{kind.__qualname__} cannot be cached; see register_type")
    tag, dump = _dumpers[kind]
    return {"~" + tag: _prepare(dump(value), depth + 1, ordered=ordered)}


def _hook(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        key, value = next(iter(found.items()))
        if key.startswith("~"):
            return _loaders[key](value)
    return found


def _ordered(values: Any) -> list[Any]:
    return sorted(values, key=canonical)


def _dump_clock(value: datetime | time) -> str:
    return value.isoformat() + ("f" if value.fold else "")


def _load_clock(kind: Any, text: str) -> Any:
    return kind.fromisoformat(text.removesuffix("f")).replace(fold=text.endswith("f"))


_loaders["~map"] = lambda pairs: {key: value for key, value in pairs}  # noqa: C416 - pairs are lists
register_type(tuple, "tuple", list, tuple)
register_type(set, "set", _ordered, set)
register_type(frozenset, "frozenset", _ordered, frozenset)
register_type(bytes, "bytes", lambda value: base64.b64encode(value).decode(), base64.b64decode)
register_type(datetime, "datetime", _dump_clock, lambda text: _load_clock(datetime, text))
register_type(date, "date", date.isoformat, date.fromisoformat)
register_type(time, "time", _dump_clock, lambda text: _load_clock(time, text))
register_type(
    timedelta,
    "timedelta",
    lambda value: [value.days, value.seconds, value.microseconds],
    lambda parts: timedelta(*parts),
)
register_type(Decimal, "decimal", str, Decimal)
register_type(UUID, "uuid", str, UUID)
