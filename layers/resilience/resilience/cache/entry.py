"""One cached value, and the rules for how long it may be served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from resilience import _validation


class Entry(NamedTuple):
    """A value as kept in memory.

    Attributes:
        text: The encoded value; each reader decodes a copy of its own.
        created: Unix second of the computation.
        generation: The cache's generation then; a clear makes it old.
        checked: Unix second at which the second level was last asked, or None for a value that is only kept here.
    """

    text: str
    created: float
    generation: int
    checked: float | None

    @property
    def size(self) -> int:
        """Bytes that it counts for: its characters, at four bytes for those outside ASCII, and some for the rest."""
        return len(self.text) * (1 if self.text.isascii() else 4) + 200


@dataclass(frozen=True, kw_only=True, slots=True)
class CachePolicy:
    """How long values may be served; all in seconds.

    Attributes:
        ttl: Fresh for so long.
        stale_while_revalidate: After that, served for so long while one refresh is under way.
        stale_if_error: After ttl, served for so long when the computation fails.
        negative_ttl: How long None is kept; None (the default) never keeps it.
        local_seconds: How long the first level answers without asking the second.
        private: Belongs to one user: no first level, every read asks the store.
    """

    ttl: float
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    negative_ttl: float | None = None
    local_seconds: float = 5.0
    private: bool = False

    def __post_init__(self) -> None:
        _validation.seconds("ttl", self.ttl)
        for name in ("stale_while_revalidate", "stale_if_error", "local_seconds"):
            _validation.number(name, getattr(self, name))
        if self.negative_ttl is not None:
            _validation.seconds("negative_ttl", self.negative_ttl)

    def lifetime(self, entry: Entry) -> float:
        """Seconds that this value is fresh."""
        return self.negative_ttl or 0.0 if entry.text == "null" else self.ttl

    def age(self, entry: Entry, now: float) -> float:
        """Seconds since the computation; a clock that stepped back makes nothing younger than new."""
        return max(0.0, now - entry.created)

    def fresh(self, entry: Entry, now: float) -> bool:
        """Whether it may be served as it is. A value from the future (a clock stepped back) may not."""
        return entry.created - 5.0 <= now < entry.created + self.lifetime(entry)

    def revalidatable(self, entry: Entry, now: float) -> bool:
        """Whether it may be served while a refresh is under way."""
        return now < entry.created + self.lifetime(entry) + self.stale_while_revalidate and entry.created - 5.0 <= now

    def usable_on_error(self, entry: Entry, now: float) -> bool:
        """Whether it may be served when the computation fails."""
        return now < entry.created + self.lifetime(entry) + self.stale_if_error

    def keep(self, entry: Entry) -> float:
        """Unix second after which it is of no use."""
        return entry.created + self.lifetime(entry) + max(self.stale_while_revalidate, self.stale_if_error)
