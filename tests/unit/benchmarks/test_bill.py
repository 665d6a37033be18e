"""What a million requests cost, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.cost.bill import Usage, bill, billed_ms, monthly, prices

PRICE = {
    "api_gateway": {"million_requests": 1.0},
    "lambda": {"million_requests": 0.2, "gb_second": 0.00001, "month_snapshot_gb": 4.0},
    "logs": {"gb_ingested": 0.5},
    "xray": {"million_traces": 5.0},
    "dynamodb": {"million_writes": 0.6, "million_reads": 0.1},
    "transfer": {"gb_internet": 0.1, "gb_region": 0.01},
    "cloudwatch": {"month_metric": 0.3, "month_alarm": 0.1, "month_composite_alarm": 0.5, "month_dashboard": 3.0},
    "other": {"month_secret": 0.4, "month_key": 1.0},
}
USAGE = Usage(
    wall_ms=[10.0, 20.5],
    cpu_ms=2.0,
    function_log=500,
    access_log=200,
    audit_copy=100,
    table_writes=0.5,
    table_reads=0.1,
    response=1000,
    database=500,
)


def test_every_item_is_its_usage_at_its_price() -> None:
    """Bytes, calls and time of a million requests, at prices per gigabyte, million and second."""
    found = bill(replace(USAGE, cpu_ms=0.0), PRICE, memory_mb=1024, traced=True)
    assert found == {
        "API Gateway, requests": 1.0,
        "Lambda, requests": 0.2,
        "Lambda, GB-seconds": pytest.approx(0.0155 * 0.00001 * 1e6),
        "logs of the functions": pytest.approx(0.25),
        "access log": pytest.approx(0.1),
        "copies of audit lines": pytest.approx(0.05),
        "X-Ray": pytest.approx(0.25),
        "DynamoDB, writes": pytest.approx(0.3),
        "DynamoDB, reads": pytest.approx(0.01),
        "responses to clients": pytest.approx(0.1),
        "requests to the database": pytest.approx(0.005),
    }
    assert bill(USAGE, PRICE)["X-Ray"] == 0


@pytest.mark.parametrize(("memory", "billed"), [(1769, (10 + 21) / 2), (4000, (10 + 21) / 2), (884.5, (12 + 23) / 2)])
def test_a_share_of_a_cpu_prolongs_what_is_computed(memory: int, billed: float) -> None:
    """At half a CPU two milliseconds take four; each invocation is rounded up; more than a CPU helps nobody."""
    assert billed_ms(USAGE, memory) == billed


def test_a_month_is_what_the_template_declares() -> None:
    """Functions, alarms, dashboards and keys are counted; what costs nothing by itself is not."""
    kinds = ["Serverless::Function"] * 2 + ["CloudWatch::Alarm", "CloudWatch::Dashboard", "KMS::Key", "SQS::Queue"]
    template = {"Resources": {str(number): {"Type": f"AWS::{kind}"} for number, kind in enumerate(kinds)}}
    found = monthly(template, PRICE, metrics=10, memory_mb=512)
    assert sum(found.values()) == pytest.approx(2 * 0.5 * 4.0 + 0.1 + 3.0 + 1.0 + 10 * 0.3 + 0.4)


def test_the_price_list_has_every_price() -> None:
    """The file has what the sums need, and no price that none uses."""
    assert {name: set(table) for name, table in prices().items()} == {name: set(each) for name, each in PRICE.items()}
