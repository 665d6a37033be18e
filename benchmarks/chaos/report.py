"""Save the results as JSON, and render them as terminal lines and as docs/reliability.md."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.chaos.ledger import Verdict
from benchmarks.chaos.run import Result, as_dict
from benchmarks.chaos.watch import Watch
from benchmarks.load.drive import Load
from benchmarks.load.record import BROKEN, GATEWAY, OK, OUTSIDE, REFUSED

RESULTS = Path(__file__).with_name("results.json")
REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"
TEXT = Path(__file__).with_name("reliability.md.in")
_SEEN = {
    OK: "answered",
    REFUSED: "503 with `Retry-After`",
    GATEWAY: "500 or 503 of the gateway",
    BROKEN: "no answer",
    OUTSIDE: "**outside the contract**",
}


@dataclass(frozen=True)
class Final:
    """The comparison after the last fault, once every client has finished what it began."""

    seconds: float
    asked: int
    writes: dict[str, int]
    acknowledged: int
    unanswered: dict[str, int]
    lost: list[str]
    doubled: list[str]
    violations: list[str]

    @classmethod
    def of(cls, watch: Watch, verdict: Verdict, violations: list[str], seconds: float) -> Final:
        """Summarise the run; `seconds` is its duration."""
        kinds = Counter(promise.began.kind for promise in watch.ledger.promises.values() if promise.kept_to)
        return cls(
            seconds=seconds,
            asked=len(watch.asked),
            writes=dict(sorted(kinds.items())),
            acknowledged=verdict.checked,
            unanswered=dict(Counter(watch.ledger.unanswered)),
            lost=verdict.lost[:20],
            doubled=verdict.doubled[:20],
            violations=violations[:20],
        )

    @property
    def bad(self) -> bool:
        """Whether a write was lost or doubled, or an invariant was violated."""
        return bool(self.lost or self.doubled or self.violations)

    def line(self) -> str:
        """Return the summary for the terminal, with every finding on a line of its own."""
        wrong = f"{len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.violations)} invariants violated"
        missing = ", ".join(f"{count} {kind}" for kind, count in self.unanswered.items()) or "none"
        more = [*self.lost, *self.doubled, *self.violations]
        return "\n".join([f"{self.acknowledged:,} acknowledged writes: {wrong}; never answered: {missing}.", *more])


def result_line(result: Result) -> str:
    """Return a fault's result for the terminal."""
    mark = "[red]WRONG[/]" if result.bad else "[green]ok[/]"
    seen = ", ".join(f"{count} {kind}" for kind, count in result.seen.items())
    opened, recovered = _seconds(result.opened) or "never", _seconds(result.recovered) or "never"
    times = f"opened {opened}, recovered {recovered}, settled {result.settled:.1f} s"
    lines = [f"{mark} {result.name}: {seen}; {times}; {result.lost} lost, {result.doubled} doubled"]
    return "\n".join([*lines, *(f"    {example}" for example in result.examples)])


def save(results: list[Result], final: Final, load: Load) -> None:
    """Write the results as JSON."""
    whole = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
        "load_average": [round(number, 1) for number in os.getloadavg()],
        "clients": load.clients,
        "final": final.__dict__,
        "faults": [as_dict(result) for result in results],
    }
    RESULTS.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def write_report() -> None:
    """Write docs/reliability.md from the JSON results."""
    whole = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = TEXT.read_text(encoding="utf-8")
    filled = {"run": _run(whole), "table": _table(whole["faults"]), "writes": _writes(whole["final"])}
    for name, value in filled.items():
        text = text.replace(f"<!-- {name} -->", value)
    REPORT.write_text(text, encoding="utf-8")


def _run(whole: dict[str, Any]) -> str:
    final = whole["final"]
    return (
        f"Run of {whole['at']} ({whole['machine']}, load average {whole['load_average'][1]} at the end):\n"
        f"{len(whole['faults'])} faults in {final['seconds'] / 60:.1f} minutes, {whole['clients']} clients, "
        f"{final['asked']:,} requests, {final['acknowledged']:,} acknowledged writes.\n"
        f"**{len(final['lost'])} lost, {len(final['doubled'])} doubled, {len(final['violations'])} violations of the "
        f"invariants**; {sum(final['unanswered'].values())} writes were never answered."
    )


def _table(faults: list[dict[str, Any]]) -> str:
    lines = [
        "| fault | clients saw | failed | p99 | circuit opened | first success | last failure | lost | doubled |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in faults:
        seen = ", ".join(f"{text}: {each['seen'][kind]:,}" for kind, text in _SEEN.items() if each["seen"].get(kind))
        opened = _seconds(each["opened"]) if each["opened"] is not None else ("**no**" if each["opens"] else "")
        cells = [each["name"], seen, f"{each['share']:.1%}", f"{each['p99'] / 1e3:.2f} s", opened]
        cells += [_seconds(each["recovered"]), f"{each['settled']:.1f} s", str(each["lost"]), str(each["doubled"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _writes(final: dict[str, Any]) -> str:
    lines = ["| acknowledged write | how many |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {kind} | {count:,} |" for kind, count in final["writes"].items())])


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
