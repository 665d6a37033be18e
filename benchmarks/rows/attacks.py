"""A student's slowest and failed responses while another user attacks within the rate limits."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.attacks.beside import bystander
from benchmarks.attacks.program import ATTACKS, LIMITS, attack, attackers
from benchmarks.harness import Figure, Row, Stage
from benchmarks.load.stack import running


def run(stage: Stage) -> list[Row]:
    """Run every attack, one after another, on a whole stack, and measure a student alongside."""
    with (
        TemporaryDirectory(prefix="studysync-attacks-") as folder,
        running(Path(folder) / "home", more=LIMITS, new_accounts=True) as stack,
    ):
        facts = stack.facts
        with (
            attackers(stack.url, facts["dsn"], facts["environment"]) as target,
            bystander(stack.url) as met,
            stage.bar("Attacks", 1),
        ):
            answered = attack(target)
    failed = met["failed"]
    return [
        Row(
            "slowest response of a user while another account attacks within its limits",
            "within 1 s, without a 5xx",
            float("inf") if failed else met["slowest_seconds"] * 1e3,
            1000.0,
            "ms",
            [Figure.exact("slowest response", met["slowest_seconds"] * 1e3)],
            note=f"{met['answers']} answers while {len(ATTACKS)} attacks ran, {len(failed)} failed {failed or ''}. "
            + "; ".join(f"{name}: {dict(sorted(statuses.items()))}" for name, statuses in answered.items()),
        )
    ]
