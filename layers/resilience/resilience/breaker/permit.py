"""What an admitted call holds until its outcome is known."""

from __future__ import annotations


class Permit:
    """The generation in which a call was admitted, and whether the call is a probe."""

    __slots__ = ("generation", "probe")

    def __init__(self, generation: int, probe: bool) -> None:
        self.generation = generation
        self.probe = probe


ELECTION = Permit(-1, True)
"""Returned by `Circuit.enter` to the one call that must win an election before it may probe."""
