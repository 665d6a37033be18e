"""Checks of settings when an object is built; each raises ConfigurationError with the field and the value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

from resilience.errors import ConfigurationError


def number(field: str, value: float, *, least: float = 0.0, most: float = math.inf, open_below: bool = False) -> float:
    """Return value as given if it is a finite number from least to most; open_below excludes least itself."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(field, value, "must be a finite number")
    if value < least or value > most or (open_below and value == least):
        bound = f"more than {least:g}" if open_below else f"at least {least:g}"
        raise ConfigurationError(
            field, value, f"must be {bound}" + (f" and at most {most:g}" if most < math.inf else "")
        )
    return value


def seconds(field: str, value: float) -> float:
    """Return a duration in seconds, which must be more than 0."""
    return number(field, value, open_below=True)


def whole(field: str, value: int, *, least: int = 1, most: float = math.inf) -> int:
    """Return a whole number from least to most."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(field, value, "must be a whole number")
    number(field, value, least=least, most=most)
    return value


def share(field: str, value: float) -> float:
    """Return a share, which must be more than 0 and at most 1."""
    return number(field, value, most=1.0, open_below=True)


def text(field: str, value: str) -> str:
    """Return a name, which must be a non-empty string."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(field, value, "must be a non-empty string")
    return value


def exceptions(field: str, value: Iterable[type[BaseException]]) -> tuple[type[BaseException], ...]:
    """Return exception types as a tuple; a single type is accepted too."""
    kinds = cast("tuple[type[BaseException], ...]", (value,) if isinstance(value, type) else tuple(value))
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigurationError(field, value, "must hold exception types only")
    return kinds
