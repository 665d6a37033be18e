"""The scheduled upkeep of this function."""

from __future__ import annotations

from resilience import performance_monitor
from studysync.aws.schedules import end_of_run, in_steps, purge
from studysync.db.client import database
from studysync.telemetry.logging import app_logger
from studysync.telemetry.metrics import count


async def check_invariants() -> dict[str, int]:
    """Continue the day's round of checks on a schedule, and count the violations for the alarm.

    Returns:
        The round's violations so far, by rule; nothing new if the day's round is over.
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
    """Delete audit entries after 30 days and entries of spaces' feeds after 90, on a schedule.

    Returns:
        The number of deleted rows.
    """
    until = end_of_run()
    return await purge("purge_audit_log", until=until) + await purge("purge_space_activity", until=until)


async def roll_up_metrics() -> int:
    """Store the fleet's metrics of the last ten minutes for a day, on a schedule.

    Returns:
        The number of ten-minute periods that were written.

    Raises:
        StoreError: DynamoDB does not answer.
    """
    return await performance_monitor.roll_up_async()
