"""Count the calls that still reach a dependency during an outage, on a manual clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.harness import Figure, Row, Stage
from resilience.testing import ManualClock

_PEER = "aws_lambda_powertools.utilities.circuit_breaker"
RECOVERY_SECONDS = 30
CALLS_A_SECOND, BUCKET_SECONDS = 10, 10
BEFORE, DOWN, AFTER = 60, 180, 120  # seconds
OUTAGES = {"all calls fail": 5, "4 of 5 fail": 4}
Protect = Callable[[Callable[[], None], ManualClock], tuple[Callable[[], None], type[Exception]]]


def outage(stage: Stage, ours: Protect, powertools: Protect) -> Row:
    """Run the same outages with our breaker, Powertools' breaker and no breaker."""
    breakers: dict[str, Protect] = {"ours": ours, "Powertools": powertools, "no breaker": _none}
    figures, series = [], {}
    reached: dict[str, int] = {}
    with stage.bar("An outage", len(OUTAGES) * len(breakers)) as advance:
        for way, failing in OUTAGES.items():
            for name, protect in breakers.items():
                points = _reaching(protect, failing)
                label = f"{name}, {way}"
                reached[label] = sum(count for at, count in points if 0 <= at < DOWN)
                figures.append(Figure.exact(label, reached[label]))
                if name != "no breaker":
                    series[label] = [(float(at), float(count)) for at, count in points]
                advance()
    note = (
        f"{CALLS_A_SECOND} calls per second, down for {DOWN} s; one environment, plain functions, because Powertools' "
        f"breaker never opens for async ones. Both first probe after {RECOVERY_SECONDS} s; ours then waits longer from "
        "probe to probe, asks less of what is down, and notices its recovery later."
    )
    return Row(
        "calls that reach a dependency during its outage",
        "none made",
        max(reached[f"ours, {way}"] for way in OUTAGES),
        None,
        "calls",
        figures,
        value_label=f"at most, of {CALLS_A_SECOND * DOWN:,}",
        value_unit="",
        note=note,
        series=series,
    )


def _none(function: Callable[[], None], _: ManualClock) -> tuple[Callable[[], None], type[Exception]]:
    return function, ConnectionError


def _reaching(protect: Protect, failing: int) -> list[tuple[int, int]]:
    """Return (start second, calls that reached the dependency) per 10 s bucket; the outage begins at second 0."""
    clock, begins = ManualClock(), range(-BEFORE, DOWN + AFTER, BUCKET_SECONDS)
    counts, made = dict.fromkeys(begins, 0), 0

    def dependency() -> None:
        second = made // CALLS_A_SECOND - BEFORE
        counts[second // BUCKET_SECONDS * BUCKET_SECONDS] += 1
        if 0 <= second < DOWN and made % 5 < failing:
            raise ConnectionError

    with ExitStack() as stack:
        for module in ("base", "persistence.base", "persistence.dynamodb"):
            stack.enter_context(mock.patch(f"{_PEER}.{module}.dt", _time(clock)))
        call, opened = protect(dependency, clock)
        while made < (BEFORE + DOWN + AFTER) * CALLS_A_SECOND:
            with suppress(ConnectionError, opened):
                call()
            made += 1
            clock.advance(1 / CALLS_A_SECOND)
    return sorted(counts.items())


def _time(clock: ManualClock) -> Any:
    """Return a stand-in for the `datetime` module on our clock, because Powertools accepts no clock as an argument."""
    return SimpleNamespace(datetime=SimpleNamespace(now=lambda: dt.datetime.fromtimestamp(clock.wall(), dt.UTC)))
