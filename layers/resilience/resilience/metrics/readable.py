"""Reading what other environments stored, which may be of another version or simply broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from resilience import events
from resilience.store.protocol import Item

T = TypeVar("T")


def readable(topic: str, items: Iterable[Item], read: Callable[[Item], T]) -> Iterator[T]:
    """What can be made of stored items; one of another shape or version is skipped, and an event says so."""
    for item in items:
        try:
            yield read(item)
        except Exception as error:  # noqa: BLE001 - whatever somebody stored
            key = f"{item.pk} {item.sk}"
            events.emit(events.STORE_ERROR, topic, operation="read", key=key, error=str(error))
