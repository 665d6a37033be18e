"""Run one fault: inject it, remove it, wait for recovery, and compare the record with the database."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.chaos.facts import read_facts
from benchmarks.chaos.faults import Fault
from benchmarks.chaos.ledger import Verdict
from benchmarks.chaos.site import Site
from benchmarks.chaos.watch import Watch, counted, failed
from benchmarks.harness import percentile
from benchmarks.load.record import OK, OUTSIDE, Asked

_LOOK, _QUIET, _LONGEST = 0.2, 3.5, 60.0  # seconds
_EXAMPLES = 5


@dataclass
class Result:
    """The effects of a fault.

    Requests are those answered since the fault began and sent no later than its end or the last failure, whichever is
    later. Times are in seconds unless stated otherwise.

    Attributes:
        seen: number of answers by class.
        statuses: number of answers by HTTP status.
        refused: number of requests without a normal answer, by endpoint.
        asked: number of requests.
        share: share of the requests that failed, from 0 to 1.
        opened: from the fault's start until the first circuit opened; None if none did.
        opens: the circuit that should open; empty if none should.
        recovered: from the fault's end until the first success of a request that depends on the faulty part; None if
            there was none.
        settled: from the fault's end until the last failure; 0 if it was earlier.
        p99: 99th percentile of the response time in milliseconds, failures included.
        checked: number of acknowledged writes so far, all of which were looked for in the database.
        outside, lost, doubled, violations: counts; `examples` describes some of them.
        settled_in_time: whether failures stopped within the time limit.
    """

    name: str
    seen: dict[str, int]
    statuses: dict[str, int]
    refused: dict[str, int]
    asked: int
    share: float
    opened: float | None
    opens: str
    recovered: float | None
    settled: float
    p99: float
    checked: int
    outside: int
    lost: int
    doubled: int
    violations: int
    settled_in_time: bool = True
    examples: list[str] = field(default_factory=list)

    @property
    def bad(self) -> bool:
        """Whether anything happened that must never happen."""
        return bool(self.lost or self.doubled or self.violations or self.outside or not self.settled_in_time)


def run_fault(fault: Fault, site: Site, watch: Watch) -> Result:
    """Inject the fault, wait until the system has settled, and return the result."""
    watch.look()
    began = time.time()
    fault.begin(site)
    _look_for(watch, fault.seconds)
    ended = time.time()
    fault.end(site)
    quiet = _settle(fault, watch, ended)
    return _result(fault, watch, began, ended, quiet, *compare(watch, site.stack.facts["dsn"]))


def compare(watch: Watch, dsn: str) -> tuple[Verdict, list[str]]:
    """Compare the record with the database while clients keep working; return the verdict and the violations."""
    watch.look()
    acknowledged = watch.ledger.acknowledged()
    facts, violations = read_facts(dsn)
    watch.look()
    return watch.ledger.compare(facts, acknowledged), violations


def _look_for(watch: Watch, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(_LOOK)
        watch.look()


def _settle(fault: Fault, watch: Watch, ended: float) -> bool:
    """Wait until failures have stopped and an affected request has succeeded; return False on timeout."""
    while time.time() - ended < _LONGEST:
        _look_for(watch, _LOOK)
        recent = watch.since(max(ended, time.time() - _QUIET))
        if time.time() - ended >= _QUIET and not failed(recent) and _first_success(fault, watch, ended) is not None:
            return True
    return False


def _first_success(fault: Fault, watch: Watch, ended: float) -> float | None:
    """Return the Unix time of the first affected request to succeed that was sent after the fault's end."""
    sent_after = (asked for asked in watch.since(ended) if asked.at - asked.ms / 1e3 >= ended)
    return min((asked.at for asked in sent_after if asked.seen == OK and fault.touches(asked)), default=None)


def _result(
    fault: Fault, watch: Watch, began: float, ended: float, quiet: bool, verdict: Verdict, violations: list[str]
) -> Result:
    asked = watch.since(began)
    bad = failed(asked)
    last = max((each.at for each in bad), default=0.0)
    # Requests sent later would make the failed share look better.
    until = [each for each in asked if each.at - each.ms / 1e3 <= max(last, ended)]
    opened, recovered = watch.first_opening(began), _first_success(fault, watch, ended)
    outside = [each for each in asked if each.seen == OUTSIDE]
    lines = [*verdict.lost, *verdict.doubled, *violations, *(_describe(each) for each in outside)]
    return Result(
        name=fault.name,
        seen=counted(until),
        statuses={str(status): count for status, count in sorted(Counter(each.status for each in until).items())},
        refused=dict(Counter(each.name for each in bad).most_common()),
        asked=len(until),
        share=len(bad) / max(1, len(until)),
        opened=None if opened is None else opened - began,
        opens=fault.opens,
        recovered=None if recovered is None else recovered - ended,
        settled=max(0.0, last - ended),
        p99=percentile([each.ms for each in until], 99) if until else 0.0,
        checked=verdict.checked,
        outside=len(outside),
        lost=len(verdict.lost),
        doubled=len(verdict.doubled),
        violations=len(violations),
        settled_in_time=quiet,
        examples=lines[:_EXAMPLES],
    )


def _describe(asked: Asked) -> str:
    return f"{asked.name}: {asked.status} {asked.note}"


def as_dict(result: Result) -> dict[str, Any]:
    """Return the result for the JSON file."""
    return dict(result.__dict__)
