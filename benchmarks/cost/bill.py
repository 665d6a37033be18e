"""What an average request uses, and what a million of them cost."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Prices = dict[str, dict[str, float]]
_PRICES = Path(__file__).with_name("prices.toml")
_FULL_CPU_MB = 1769
"""Memory in MB at which a function has one vCPU; it has proportionally less below (AWS's developer guide)."""
EVENT_BYTES = 26
"""What CloudWatch Logs adds to each line when it measures size."""
_SAMPLED = 0.05
"""The share of requests that X-Ray records for Lambda, which no setting changes; one per second more is not counted."""


@dataclass(frozen=True)
class Usage:
    """What an average request uses.

    Attributes:
        wall_ms: durations of single invocations on an idle vCPU, in milliseconds.
        cpu_ms: the mean CPU time of an invocation, in milliseconds.
        function_log, access_log, audit_copy: bytes of log, `EVENT_BYTES` per line included.
        table_writes, table_reads: DynamoDB's request units.
        response, database: bytes sent to the client, and to the database.
    """

    wall_ms: Sequence[float]
    cpu_ms: float
    function_log: float
    access_log: float
    audit_copy: float
    table_writes: float
    table_reads: float
    response: float
    database: float


def prices() -> Prices:
    """Return the list prices in US dollars, by service."""
    found = tomllib.loads(_PRICES.read_text(encoding="utf-8"))
    return {name: table for name, table in found.items() if isinstance(table, dict)}


def billed_ms(usage: Usage, memory_mb: int) -> float:
    """Return the mean billed duration: at a share of a CPU, what is computed takes longer, and what is waited does not.

    Lambda rounds each invocation up to a millisecond.
    """
    slowed = usage.cpu_ms * (max(1.0, _FULL_CPU_MB / memory_mb) - 1)
    return sum(math.ceil(wall + slowed) for wall in usage.wall_ms) / len(usage.wall_ms)


def bill(usage: Usage, price: Prices, *, memory_mb: int = 512, traced: bool = False) -> dict[str, float]:
    """Return the cost of a million such requests in US dollars, by item."""
    gb_seconds = billed_ms(usage, memory_mb) / 1e3 * memory_mb / 1024
    per_byte = price["logs"]["gb_ingested"] / 1e9
    return {
        "API Gateway, requests": price["api_gateway"]["million_requests"],
        "Lambda, requests": price["lambda"]["million_requests"],
        "Lambda, GB-seconds": gb_seconds * price["lambda"]["gb_second"] * 1e6,
        "logs of the functions": usage.function_log * per_byte * 1e6,
        "access log": usage.access_log * per_byte * 1e6,
        "copies of audit lines": usage.audit_copy * per_byte * 1e6,
        "X-Ray": price["xray"]["million_traces"] * (_SAMPLED if traced else 0),
        "DynamoDB, writes": usage.table_writes * price["dynamodb"]["million_writes"],
        "DynamoDB, reads": usage.table_reads * price["dynamodb"]["million_reads"],
        "responses to clients": usage.response / 1e9 * price["transfer"]["gb_internet"] * 1e6,
        "requests to the database": usage.database / 1e9 * price["transfer"]["gb_region"] * 1e6,
    }


def monthly(template: dict[str, Any], price: Prices, *, metrics: int, memory_mb: int = 512) -> dict[str, float]:
    """Return what a stack costs in a month without a request, in US dollars, by item.

    Args:
        template: the deployment's template.
        price: from `prices`.
        metrics: series of our own metrics.
        memory_mb: of the functions with a snapshot.
    """
    kinds = Counter(resource["Type"] for resource in template["Resources"].values())
    watch, other = price["cloudwatch"], price["other"]
    return {
        "metrics": metrics * watch["month_metric"],
        "snapshots": kinds["AWS::Serverless::Function"] * memory_mb / 1024 * price["lambda"]["month_snapshot_gb"],
        "alarms": kinds["AWS::CloudWatch::Alarm"] * watch["month_alarm"],
        "composite alarms": kinds["AWS::CloudWatch::CompositeAlarm"] * watch["month_composite_alarm"],
        "dashboard": kinds["AWS::CloudWatch::Dashboard"] * watch["month_dashboard"],
        "encryption key": kinds["AWS::KMS::Key"] * other["month_key"],
        "secret": other["month_secret"],
    }
