"""Schedules take one small step after another for as long as there is time."""

from __future__ import annotations

import asyncio

from studysync.aws.schedules import RUN_SECONDS, end_of_run, in_steps


def _steps(left: int, seconds_each: float) -> int:
    """How many of `left` steps a run takes when each takes `seconds_each`."""
    now, done = 0.0, 0

    async def step() -> bool:
        nonlocal now, done
        now, done = now + seconds_each, done + 1
        return done < left

    asyncio.run(in_steps(step, clock=lambda: now))
    return done


def test_a_run_ends_when_nothing_is_left() -> None:
    """A run ends when nothing is left, however much time there is."""
    assert _steps(left=1, seconds_each=0.0) == 1
    assert _steps(left=7, seconds_each=0.1) == 7


def test_a_run_of_two_works_ends_once() -> None:
    """The second task gets the time that the first one left, so the function is not killed."""
    now, steps = 0.0, 0

    async def step() -> bool:
        nonlocal now, steps
        now, steps = now + 1.0, steps + 1
        return True

    async def run() -> None:
        until = end_of_run(lambda: now)
        for _ in range(2):
            await in_steps(step, until=until, clock=lambda: now)

    asyncio.run(run())
    assert steps == RUN_SECONDS + 1  # each takes at least one step


def test_a_run_ends_when_its_time_is_over() -> None:
    """The remaining steps are left to the next run; a slow step runs at least once."""
    assert _steps(left=1000, seconds_each=1.0) == RUN_SECONDS
    assert _steps(left=1000, seconds_each=60.0) == 1
