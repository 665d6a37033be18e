"""Converts between Python values and DynamoDB's typed values; no lists or maps, which the protocol does not have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from resilience.store.protocol import Item, Value

RESERVED = frozenset({"pk", "sk", "ttl", "version"})


def dump(value: Value) -> dict[str, Any]:
    """Return a value in DynamoDB's typed form; raises TypeError for other types, ValueError for a non-finite number."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} cannot be stored: not a finite number")
        return {"N": repr(value)}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def load(typed: Mapping[str, Any]) -> Value:
    """Return the Python value of a typed one; numbers without point or exponent become int. Other types: TypeError."""
    kind, value = next(iter(typed.items()))
    if kind == "N":
        text = str(value)
        return int(text) if text.lstrip("-").isdigit() else float(text)
    if kind == "NULL":
        return None
    if kind in {"S", "BOOL", "B"}:
        return value  # type: ignore[no-any-return]
    raise TypeError(f"stored values of kind {kind} are not read here")


def dump_item(
    pk: str, sk: str, attributes: Mapping[str, Value], *, version: int | None, ttl: int | None
) -> dict[str, Any]:
    """Return an item in DynamoDB's form; raises as `dump`, and ValueError if an attribute has a reserved name."""
    if clash := RESERVED & attributes.keys():
        raise ValueError(f"attributes {sorted(clash)} are reserved")
    item = {name: dump(value) for name, value in attributes.items()}
    item |= {"pk": dump(pk), "sk": dump(sk)}
    if version is not None:
        item["version"] = dump(version)
    if ttl is not None:
        item["ttl"] = dump(ttl)
    return item


def load_item(raw: Mapping[str, Any]) -> Item:
    """Return the Item in DynamoDB's form of it; raises TypeError, ValueError or KeyError if it has another shape."""
    values = {name: load(typed) for name, typed in raw.items()}
    version, ttl = values.pop("version", None), values.pop("ttl", None)
    for name, number in (("version", version), ("ttl", ttl)):
        if number is not None and not isinstance(number, int | float):
            raise TypeError(f"{name} is no number")
    return Item(
        pk=str(values.pop("pk")),
        sk=str(values.pop("sk")),
        attributes=values,
        version=None if version is None else int(version),
        ttl=None if ttl is None else int(ttl),
    )
