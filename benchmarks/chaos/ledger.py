"""Compare what clients were told with what the database contains.

An acknowledged write must be in the database, or it is lost. No write may be there more often than it was requested, or
it is doubled. A write that was never acknowledged may be there once or not at all.

The comparison may run while clients keep writing. It is then given the writes acknowledged before the database was read
and those begun by the time it had been read. Clients record a write before sending it and once it is acknowledged, so a
write still in flight can count neither as lost nor as doubled.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.chaos.facts import Facts
from benchmarks.load.record import Asked, Began

_IN_SPACE = {"join": "joined", "leave": "left"}


@dataclass
class Promise:
    """A write and its answer, which is None until the write is acknowledged or refused for good."""

    began: Began
    answer: dict[str, Any] | None = None

    @property
    def kept_to(self) -> bool:
        """Whether the write was acknowledged, and not refused."""
        return self.answer is not None and "refused" not in self.answer


@dataclass
class Verdict:
    """The lost and doubled writes, one line each, and the number of acknowledged writes checked."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    checked: int = 0


class Ledger:
    """All writes in the clients' record, in the order they were begun."""

    def __init__(self) -> None:
        self.promises: dict[str, Promise] = {}

    def add(self, line: object) -> None:
        """Add a line of the record."""
        if isinstance(line, Began):
            self.promises[line.write] = Promise(line)
        elif isinstance(line, Asked) and line.write and line.final:
            self.promises[line.write].answer = line.answer

    def acknowledged(self) -> set[str]:
        """Return the ids of the writes acknowledged so far."""
        return {number for number, promise in self.promises.items() if promise.kept_to}

    @property
    def unanswered(self) -> list[str]:
        """The kinds of the writes without an answer, one entry per write."""
        return [promise.began.kind for promise in self.promises.values() if promise.answer is None]

    def compare(self, facts: Facts, acknowledged: set[str]) -> Verdict:
        """Compare the database with the writes begun so far, of which `acknowledged` must be there."""
        verdict = Verdict(checked=len(acknowledged))
        for number, promise in self.promises.items():
            _one(promise, number in acknowledged, facts, verdict)
        self._heartbeats(facts, acknowledged, verdict)
        self._spaces(facts, acknowledged, verdict)
        return verdict

    def _heartbeats(self, facts: Facts, acknowledged: set[str], verdict: Verdict) -> None:
        """Count heartbeats per session: they carry nothing that identifies them individually."""
        begun, sure = Counter[str](), Counter[str]()
        for number, promise in self._of("heartbeat"):
            begun[promise.began.of["session"]] += 1
            sure[promise.began.of["session"]] += number in acknowledged
        for session, most in begun.items():
            _within(f"heartbeats of {session}", facts.heartbeats[session], sure[session], most, verdict)

    def _spaces(self, facts: Facts, acknowledged: set[str], verdict: Verdict) -> None:
        """Check joins and leaves, which alternate: each adds one line to the feed, and the last decides membership."""
        walks: dict[tuple[str, str], list[tuple[str, Promise]]] = defaultdict(list)
        for number, promise in self.promises.items():
            if promise.began.kind in _IN_SPACE:
                walks[promise.began.of["space"], promise.began.user].append((number, promise))
        for key, walk in walks.items():
            if any(promise.answer is None for _, promise in walk[:-1]):
                continue  # whether an earlier step took effect is unknown, so later ones may have had nothing to do
            for kind, activity in _IN_SPACE.items():
                steps = [number in acknowledged for number, promise in walk if promise.began.kind == kind]
                _within(f"{activity} {key}", facts.activity[*key, activity], sum(steps), len(steps), verdict)
            number, last = walk[-1]
            if number in acknowledged and (key in facts.members) is not (last.began.kind == "join"):
                verdict.lost.append(f"{last.began.kind} of {key}")

    def _of(self, kind: str) -> Iterator[tuple[str, Promise]]:
        return ((number, promise) for number, promise in self.promises.items() if promise.began.kind == kind)


def _one(promise: Promise, sure: bool, facts: Facts, verdict: Verdict) -> None:
    """Check a single write of a kind that can be identified by its content."""
    of, answer = promise.began.of, promise.answer or {}
    match promise.began.kind:
        case "account":
            users = facts.accounts[of["username"]]
            _within(f"account {of['username']}", len(users), sure, 1, verdict)
            if sure and users and answer["user_id"] not in users:
                verdict.lost.append(f"account {of['username']}: another id than was acknowledged")
        case "space":
            _within(f"space {of['name']}", facts.spaces[of["name"]], sure, 1, verdict)
        case "start":
            _within(f"start of {of['session']}", facts.starts[of["session"]], sure, 1, verdict)
        case "audit":
            _within(f"note {of['mark']}", facts.marks[of["mark"]], sure, 1, verdict)
        case "complete":
            _within(f"completion of {of['session']}", facts.completions[of["session"]], sure, 1, verdict)
            if sure:
                paid = answer["xp_awarded"]
                _within(f"XP of {of['session']}", facts.paid[of["session"]], paid, paid, verdict)
        case "sync":
            _batch(of, answer, sure, facts, verdict)


def _batch(of: dict[str, Any], answer: dict[str, Any], sure: bool, facts: Facts, verdict: Verdict) -> None:
    session, events = of["session"], of["events"]
    if sure and answer["rejected_count"]:
        return  # some events were rejected; the invariants cover those that were applied
    _within(f"offline events of {session}", facts.events[session], len(events) if sure else 0, len(events), verdict)
    if not sure:
        return
    verdict.lost.extend(f"event {event} of {session}" for event in events if facts.synced.get(event) != "applied")
    paid = sum(each["xp_awarded"] for each in answer["sessions"])
    _within(f"XP of {session}", facts.paid[session], paid, paid, verdict)


def _within(what: str, found: int, least: int, most: int, verdict: Verdict) -> None:
    if found < least:
        verdict.lost.append(f"{what}: {found} of {int(least)}")
    if found > most:
        verdict.doubled.append(f"{what}: {found} for {int(most)}")
