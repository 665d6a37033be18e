"""Upkeep: what the schedules of this function run."""

from __future__ import annotations

from resilience import performance_monitor
from studysync.aws.schedules import end_of_run, in_steps, purge
from studysync.db.client import database
from studysync.telemetry.logging import app_logger
from studysync.telemetry.metrics import count


async def check_invariants() -> dict[str, int]:
    """Go on with the day's round of checks and count, for the alarm, what is wrong; the schedule calls it.

    Returns:
        What the round has found so far, by rule; nothing new where the day's round is over.
    """
    found: dict[str, int] = {}
    checked = False

    async def step() -> bool:
        nonlocal found, checked
        answer = await database().call("check_next_invariants")
        found, checked = answer["violations"], checked or answer["checked"]
        return not answer["over"]

    await in_steps(step)
    if checked:
        count("InvariantViolations", sum(found.values()))
        for rule, violations in found.items():
            app_logger.error("an invariant does not hold", kind="invariant", error_type=rule, violations=violations)
    return found


async def purge_trails() -> int:
    """Forget what is over its age, 30 days in the audit trail and 90 in the spaces' feeds; the schedule calls it.

    Returns:
        How many rows went.
    """
    until = end_of_run()
    return await purge("purge_audit_log", until=until) + await purge("purge_space_activity", until=until)


async def roll_up_metrics() -> int:
    """Keep the figures of the last ten minutes of the fleet for a day; the schedule calls it.

    Returns:
        How many times of ten minutes were written.

    Raises:
        StoreError: DynamoDB does not answer.
    """
    return await performance_monitor.roll_up_async()
