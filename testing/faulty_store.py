"""A store that misbehaves on request and counts the reads and writes that reach the store behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from resilience import Store, StoreError
from resilience.store import Item, Value


class FaultyStore:
    """One environment's view of a shared store, with the faults that networks and replicas have.

    Attributes:
        inner: The shared store.
        down: Every request fails.
        lose_writes: Every write fails and is not made.
        lose_answers: Every write but `delete` is made and then fails.
        stale: Old answers to queries, by (pk, sk_prefix), as an eventually consistent read may give them; None gives
            current ones. See `remember`.
        on_answer: Called once, after the inner store has done the next `get` or write (but not `delete`) and before the
            caller gets the answer.
        writes: Writes that reached the inner store.
        reads: Reads that were answered, stale ones included.
    """

    blocking = False

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.down = self.lose_writes = self.lose_answers = False
        self.stale: dict[tuple[str, str], list[Item]] | None = None
        self.on_answer: Callable[[], object] | None = None
        self.writes = self.reads = 0

    def calm(self) -> None:
        """End all faults."""
        self.down = self.lose_writes = self.lose_answers = False
        self.stale = self.on_answer = None

    def get(self, pk: str, sk: str) -> Item | None:
        self._check()
        self.reads += 1
        item = self.inner.get(pk, sk)
        self._pass()
        return item

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        self._check()
        self.reads += 1
        if self.stale is not None and (pk, sk_prefix) in self.stale:
            return self.stale[pk, sk_prefix]
        return self.inner.query(pk, sk_prefix=sk_prefix, limit=limit)

    def remember(self, pk: str) -> None:
        """Set `stale` to the partition as it is now: queries of the whole partition return this copy until `calm`."""
        self.stale = {(pk, ""): self.inner.query(pk)}

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        self._write()
        self.inner.put(pk, sk, attributes, ttl=ttl)
        self._answer()

    def put_if(
        self,
        pk: str,
        sk: str,
        attributes: Mapping[str, Value],
        *,
        expected_version: int | None,
        ttl: int | None = None,
        first_version: int = 1,
    ) -> bool:
        self._write()
        done = self.inner.put_if(
            pk, sk, attributes, expected_version=expected_version, ttl=ttl, first_version=first_version
        )
        self._answer()
        return done

    def add(
        self,
        pk: str,
        sk: str,
        deltas: Mapping[str, int],
        *,
        ttl: int | None = None,
        request_id: tuple[str, str] | None = None,
    ) -> dict[str, int]:
        self._write()
        values = self.inner.add(pk, sk, deltas, ttl=ttl, request_id=request_id)
        self._answer()
        return values

    def delete(self, pk: str, sk: str) -> None:
        self._write()
        self.inner.delete(pk, sk)

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")

    def _write(self) -> None:
        self._check()
        if self.lose_writes:
            raise StoreError("lost on the way there")
        self.writes += 1

    def _pass(self) -> None:
        pausing, self.on_answer = self.on_answer, None
        if pausing is not None:
            pausing()

    def _answer(self) -> None:
        self._pass()
        if self.lose_answers:
            raise StoreError("lost on the way back")
