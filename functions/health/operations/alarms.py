"""The state of the stack's alarms, from CloudWatch.

Failure policy: CloudWatch is called at most twice a minute, with a timeout of two seconds. If it does not answer, the
page says so, and everything else works.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TypedDict

from health.operations.models import Alarm, Alarms
from studysync.aws import snapstart
from studysync.aws_clients import aws_client
from studysync.telemetry.logging import app_logger

_KEEP_SECONDS = 30.0
_ORDER = ("ALARM", "INSUFFICIENT_DATA", "OK")


class _Kept(TypedDict):
    until: float
    found: list[Alarm]


_kept = _Kept(until=0.0, found=[])


async def alarms() -> Alarms:
    """Return whether CloudWatch is available, and all alarms, raised ones first."""
    prefix = stack_prefix()
    if prefix is None:
        return Alarms(available=False, alarms=[])
    if not 0 < _kept["until"] - time.monotonic() <= _KEEP_SECONDS:
        try:
            found = await asyncio.to_thread(_describe, prefix)
        except Exception as error:  # noqa: BLE001 - botocore's errors have no common one that a refused call shares
            app_logger.warning("CloudWatch is not available", kind="operations", error_type=type(error).__name__)
            return Alarms(available=False, alarms=[])
        _kept["until"], _kept["found"] = time.monotonic() + _KEEP_SECONDS, found
    return Alarms(available=True, alarms=_kept["found"])


def stack_prefix() -> str | None:
    """Return the prefix of the names of the stack's alarms; ``None`` if it is not deployed."""
    stack = os.environ.get("STACK_NAME")
    return f"{stack}-" if stack and "AWS_SAM_LOCAL" not in os.environ else None


def _describe(prefix: str) -> list[Alarm]:
    pages = aws_client("cloudwatch").get_paginator("describe_alarms")
    kinds = ["MetricAlarm", "CompositeAlarm"]
    found = [
        Alarm(
            name=alarm["AlarmName"].removeprefix(prefix),
            state=alarm["StateValue"],
            since=alarm["StateUpdatedTimestamp"],
            description=alarm.get("AlarmDescription", ""),
        )
        for page in pages.paginate(AlarmNamePrefix=prefix, AlarmTypes=kinds)
        for kind in kinds
        for alarm in page.get(f"{kind}s", [])
    ]
    return sorted(found, key=lambda alarm: (_ORDER.index(alarm.state), alarm.name))


snapstart.on_snapshot(lambda: aws_client("cloudwatch").get_paginator("describe_alarms"))
