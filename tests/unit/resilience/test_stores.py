"""Details of the stores."""

from __future__ import annotations

import pytest

import resilience.store as store_package
from resilience import (
    MemoryStore,
)
from resilience.store._values import load_item
from resilience.testing import ManualClock


def test_a_store_in_memory_forgets_what_is_over(clock: ManualClock) -> None:
    """Expired items are not shown, and are dropped on later writes, so that memory does not grow forever."""
    store = MemoryStore(clock=clock)
    for n in range(50):
        store.put("old", str(n), {}, ttl=int(clock.wall()) + 10)
    store.put("kept", "x", {"n": 1})
    clock.advance(11)
    assert store.query("old") == []
    for n in range(5_000):
        store.put("new", str(n % 10), {})
    assert {pk: len(items) for pk, items in store._items.items()} == {"kept": 1, "new": 10}


@pytest.mark.parametrize("name", ["Nothing", "__path"])
def test_the_store_has_only_what_it_says(name: str) -> None:
    """A misspelt import is an AttributeError as usual."""
    with pytest.raises(AttributeError):
        getattr(store_package, name)


def test_a_kind_that_nothing_writes_is_refused() -> None:
    """An unknown kind is refused instead of being read as another one."""
    with pytest.raises(TypeError, match="kind SS"):
        load_item({"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"SS": ["c"]}})
