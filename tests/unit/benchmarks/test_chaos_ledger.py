"""How `make chaos` detects lost and duplicated writes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.facts import Facts
from benchmarks.chaos.ledger import Ledger, Verdict
from benchmarks.load.record import OK, REFUSED, Asked, Began, Line, Measured, Reader, Recorder

SESSION, SPACE, USER = "session-1", "space-1", "user-1"
WRITES: dict[str, tuple[dict[str, Any], dict[str, Any], Facts]] = {
    # kind: subject, the content of the answer, and a database that has the write
    "account": ({"username": "ada"}, {"user_id": USER}, Facts(accounts={"ada": [USER]})),
    "space": ({"name": "Room"}, {"space_id": SPACE}, Facts(spaces=Counter(Room=1))),
    "start": ({"session": SESSION}, {}, Facts(starts=Counter({SESSION: 1}))),
    "heartbeat": ({"session": SESSION}, {}, Facts(heartbeats=Counter({SESSION: 1}))),
    "audit": ({"session": SESSION, "mark": "m"}, {}, Facts(marks=Counter(m=1))),
    "complete": (
        {"session": SESSION},
        {"xp_awarded": 40, "total_xp": 40},
        Facts(completions=Counter({SESSION: 1}), paid=Counter({SESSION: 40})),
    ),
    "sync": (
        {"session": SESSION, "events": ["a", "b"]},
        {"rejected_count": 0, "sessions": [{"xp_awarded": 40}]},
        Facts(events=Counter({SESSION: 2}), synced={"a": "applied", "b": "applied"}, paid=Counter({SESSION: 40})),
    ),
    "join": (
        {"space": SPACE},
        {"role": "member"},
        Facts(members={(SPACE, USER)}, activity=Counter({(SPACE, USER, "joined"): 1})),
    ),
    "leave": ({"space": SPACE}, {}, Facts(activity=Counter({(SPACE, USER, "left"): 1}))),
}


def ledger(*writes: tuple[str, dict[str, Any], dict[str, Any] | None]) -> Ledger:
    """A ledger of (kind, subject, answer); an answer of None never arrived."""
    made = Ledger()
    for number, (kind, of, answer) in enumerate(writes):
        made.add(Began(str(number), kind, USER, of))
        made.add(Asked(1.0, 5.0, kind, 503, REFUSED, str(number)))
        if answer is not None:
            made.add(Asked(2.0, 5.0, kind, 200, OK, str(number), final=True, answer=answer))
    return made


def compared(made: Ledger, facts: Facts) -> Verdict:
    return made.compare(facts, made.acknowledged())


@pytest.mark.parametrize("kind", WRITES)
def test_an_acknowledged_write_that_is_there_once_is_fine(kind: str) -> None:
    """An acknowledged write that is there once is no fault, whether it was sent once or several times."""
    of, answer, facts = WRITES[kind]
    verdict = compared(ledger((kind, of, answer)), facts)
    assert (verdict.lost, verdict.doubled, verdict.checked) == ([], [], 1)


@pytest.mark.parametrize("kind", WRITES)
def test_an_acknowledged_write_that_is_not_there_is_lost(kind: str) -> None:
    """A missing acknowledged write of any kind is reported as lost."""
    of, answer, _ = WRITES[kind]
    empty = Facts(members={(SPACE, USER)}) if kind == "leave" else Facts()
    assert compared(ledger((kind, of, answer)), empty).lost


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("there", [True, False])
def test_a_write_that_nobody_acknowledged_may_be_there_or_not(kind: str, there: bool) -> None:
    """The client does not know the outcome, so neither case is a fault."""
    of, _, facts = WRITES[kind]
    verdict = compared(ledger((kind, of, None)), facts if there else Facts())
    assert (verdict.lost, verdict.doubled) == ([], [])


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("account", Facts(accounts={"ada": [USER, "user-2"]})),
        ("space", Facts(spaces=Counter(Room=2))),
        ("start", Facts(starts=Counter({SESSION: 2}))),
        ("heartbeat", Facts(heartbeats=Counter({SESSION: 2}))),
        ("audit", Facts(marks=Counter(m=2))),
        ("complete", Facts(completions=Counter({SESSION: 2}))),
        ("sync", Facts(events=Counter({SESSION: 3}))),
        ("join", Facts(activity=Counter({(SPACE, USER, "joined"): 2}))),
        ("leave", Facts(activity=Counter({(SPACE, USER, "left"): 2}))),
    ],
)
@pytest.mark.parametrize("acknowledged", [True, False])
def test_more_than_was_asked_for_is_doubled(kind: str, facts: Facts, acknowledged: bool) -> None:
    """A duplicate is reported even when no attempt was acknowledged."""
    of, answer, _ = WRITES[kind]
    assert compared(ledger((kind, of, answer if acknowledged else None)), facts).doubled


@pytest.mark.parametrize(("paid", "lost", "doubled"), [(39, 1, 0), (40, 0, 0), (80, 0, 1)])
def test_xp_is_what_the_answer_said(paid: int, lost: int, doubled: int) -> None:
    """Less XP than acknowledged is lost, more is doubled."""
    of, answer, facts = WRITES["complete"]
    facts = Facts(completions=facts.completions, paid=Counter({SESSION: paid}))
    verdict = compared(ledger(("complete", of, answer)), facts)
    assert (len(verdict.lost), len(verdict.doubled)) == (lost, doubled)


def test_a_write_begun_after_the_look_is_no_double() -> None:
    """Clients keep writing: acknowledged writes are listed before the database is read, started ones after."""
    of = {"session": SESSION}
    made = ledger(("heartbeat", of, {}))
    before = made.acknowledged()
    made.add(Began("later", "heartbeat", USER, of))
    verdict = made.compare(Facts(heartbeats=Counter({SESSION: 2})), before)
    assert (verdict.lost, verdict.doubled) == ([], [])


def test_a_refused_write_is_no_promise() -> None:
    """The server said that it would not write, so a missing write is no fault."""
    made = ledger(("heartbeat", {"session": SESSION}, {"refused": "SESSION_NOT_ACTIVE"}))
    assert (made.acknowledged(), made.unanswered) == (set(), [])


def test_the_last_step_decides_who_is_a_member() -> None:
    """A user who joined, left and rejoined is a member, with three feed entries."""
    of = {"space": SPACE}
    made = ledger(("join", of, {}), ("leave", of, {}), ("join", of, {}))
    activity = Counter({(SPACE, USER, "joined"): 2, (SPACE, USER, "left"): 1})
    assert compared(made, Facts(members={(SPACE, USER)}, activity=activity)).lost == []
    assert compared(made, Facts(activity=activity)).lost == [f"join of {(SPACE, USER)}"]


def test_a_record_is_read_while_it_is_written(tmp_path: Path) -> None:
    """Each line is read once as written, and an incomplete line is left until it is complete."""
    path = tmp_path / "record.jsonl"
    reader = Reader(path)
    assert list(reader.new()) == []
    lines: list[Line] = [
        Began("1", "start", USER, {"session": SESSION}),
        Asked(1.0, 2.0, "POST /x", 200, OK, "1"),
        Measured(1, 2),
    ]
    recorder = Recorder(path)
    for line in lines:
        recorder.write(line)
        assert list(reader.new()) == [line]
    recorder.close()
    with path.open("a", encoding="utf-8") as half:
        half.write('["asked",')
    assert list(reader.new()) == []
