"""A cached value, and the rules for how long it may be served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from resilience import _validation


class Entry(NamedTuple):
    """A cached value as kept in memory.

    Attributes:
        text: The encoded value; each reader decodes its own copy.
        created: Unix second at which the value was computed.
        generation: Generation of the cache that the value belongs to; `clear` starts a new one.
        checked: Unix second at which the second level was last asked, or None without a second level.
    """

    text: str
    created: float
    generation: int
    checked: float | None

    @property
    def size(self) -> int:
        """Estimated size in bytes: one per character, or four if the text is not all ASCII, plus 200 of overhead."""
        return len(self.text) * (1 if self.text.isascii() else 4) + 200


@dataclass(frozen=True, kw_only=True, slots=True)
class CachePolicy:
    """How long values may be served. All times are in seconds.

    Attributes:
        ttl: Time for which a value is fresh; more than 0.
        stale_while_revalidate: Time after ttl during which a value is served while one refresh is under way.
        stale_if_error: Time after ttl during which a value is served if the computation fails.
        negative_ttl: Time for which a None result is fresh; None (the default) never caches it.
        local_seconds: Time for which the first level answers without asking the second.
        private: Whether values belong to one user: they skip the first level, and every read asks the store.

    Raises:
        ConfigurationError: A time is out of range.
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
        """Return for how many seconds the entry is fresh: negative_ttl for None, else ttl."""
        return self.negative_ttl or 0.0 if entry.text == "null" else self.ttl

    def age(self, entry: Entry, now: float) -> float:
        """Return the seconds since the computation; never negative, even if the wall clock stepped back."""
        return max(0.0, now - entry.created)

    def fresh(self, entry: Entry, now: float) -> bool:
        """Return whether the entry is fresh.

        An entry dated more than 5 seconds in the future is not: the wall clock stepped back.
        """
        return entry.created - 5.0 <= now < entry.created + self.lifetime(entry)

    def revalidatable(self, entry: Entry, now: float) -> bool:
        """Return whether the entry may be served while a refresh is under way; see `fresh` for future dates."""
        return now < entry.created + self.lifetime(entry) + self.stale_while_revalidate and entry.created - 5.0 <= now

    def usable_on_error(self, entry: Entry, now: float) -> bool:
        """Return whether the entry may be served if the computation fails."""
        return now < entry.created + self.lifetime(entry) + self.stale_if_error

    def keep(self, entry: Entry) -> float:
        """Return the Unix second after which the entry may no longer be served."""
        return entry.created + self.lifetime(entry) + max(self.stale_while_revalidate, self.stale_if_error)
