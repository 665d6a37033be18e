"""Circuit breakers compared with peers: the cost of the closed path, when they trip, and an outage."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any
from unittest import mock

from benchmarks.harness import Figure, Row, Stage
from benchmarks.resilience import closed_path
from benchmarks.rows._outage import RECOVERY_SECONDS, outage
from local.stack_directory import free_port
from resilience.testing import ManualClock

BUILDERS = (
    closed_path.ours,
    closed_path.pybreaker,
    closed_path.circuitbreaker,
    closed_path.aiobreaker,
    closed_path.purgatory,
    closed_path.powertools,
)
CALLS, ROUNDS, MOST_CALLS = 5_000, 30, 200
Fails = Callable[[int], bool]
# Which calls fail: every other one, four of five, all.
FAILING: dict[str, Fails] = {
    "50 % failing": lambda n: n % 2 == 0,
    "80 % failing": lambda n: n % 5 != 4,
    "all failing": lambda _n: True,
}
_names = count()


def run(stage: Stage) -> list[Row]:
    """Measure the closed path, tripping at 50 %, 80 % and 100 % failures (DynamoDB up and down), and an outage."""
    return [*_closed(stage), _tripping(stage), _outage(stage)]


def _closed(stage: Stage) -> list[Row]:
    plain: dict[str, list[float]] = {"the function alone": []}
    asynchronous: dict[str, list[float]] = {"the function alone": []}
    calls: list[tuple[str, Any, Any]] = [("the function alone", closed_path.plain, closed_path.asynchronous)]
    calls += [(build.__name__, *build()) for build in BUILDERS]
    with stage.bar("Closed breakers", ROUNDS) as advance, asyncio.Runner() as runner:
        for _ in range(ROUNDS):
            for name, call, call_async in calls:
                plain.setdefault(name, []).append(_time_plain(call))
                if call_async is not None:
                    asynchronous.setdefault(name, []).append(runner.run(_time_async(call_async)))
            advance()
    return [_closed_row("plain", plain), _closed_row("async", asynchronous)]


def _closed_row(kind: str, samples: dict[str, list[float]]) -> Row:
    figures = {name: Figure.of(name, found) for name, found in samples.items()}
    bare = figures["the function alone"].median
    ours, *peers = [figure.median - bare for name, figure in figures.items() if name != "the function alone"]
    return Row(
        f"closed breaker, {kind} function",
        "faster than every peer",
        ours / min(peers),
        1.0,
        "us",
        list(figures.values()),
        value_label="relative to the fastest peer, without the function itself",
        value_unit="",
    )


def _time_plain(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


async def _time_async(call: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        await call()
    return (time.perf_counter() - began) / CALLS * 1e6


def _tripping(stage: Stage) -> Row:
    figures: list[Figure] = []
    tripped = 0
    cases = [(way, kind, down) for way in FAILING for kind in ("plain", "async") for down in (False, True)]
    credentials = mock.patch.dict(os.environ, stage.backends.environment)
    with credentials, stage.bar("Tripping", len(cases)) as advance:
        for way, kind, down in cases:
            table = "DynamoDB down" if down else "DynamoDB up"
            for name, wrap in (("ours", _ours), ("Powertools", _powertools)):
                calls = _calls_until_open(wrap(stage, down), FAILING[way], kind)
                tripped += name == "ours" and calls is not None
                told = f"{name}: {kind}, {way}, {table}" + ("" if calls else " (never trips)")
                figures.append(Figure.exact(told, calls or MOST_CALLS))
            advance()
    return Row(
        "cases in which the breaker trips",
        f"all {len(cases)}: 50 %, 80 % and 100 % failing, plain and async, DynamoDB up and down",
        tripped,
        len(cases),
        "calls",
        figures,
        at_least=True,
        value_label="cases; the table shows calls until it opened",
        value_unit="",
        note=f"Both with their defaults. At most {MOST_CALLS} calls.",
    )


def _outage(stage: Stage) -> Row:
    from resilience import CircuitOpenError, DynamoStore, circuit_breaker

    def ours(function: Callable[[], None], clock: ManualClock) -> Any:
        store = DynamoStore(_table(stage), endpoint_url=_endpoint(stage, down=False))
        settings = {"name": f"circuit-{next(_names)}", "recovery_timeout": RECOVERY_SECONDS}
        return circuit_breaker(**settings, store=store, clock=clock)(function), CircuitOpenError

    def powertools(function: Callable[[], None], _: ManualClock) -> Any:
        return _powertools(stage, down=False, recovery_timeout=RECOVERY_SECONDS)(function)

    with mock.patch.dict(os.environ, stage.backends.environment):
        return outage(stage, ours, powertools)


Wrap = Callable[[Callable[..., Any]], tuple[Callable[..., Any], type[Exception]]]


def _ours(stage: Stage, down: bool) -> Wrap:
    from resilience import CircuitOpenError, DynamoStore, circuit_breaker

    store = DynamoStore(_table(stage), endpoint_url=_endpoint(stage, down))
    name = f"circuit-{next(_names)}"
    return lambda function: (circuit_breaker(name=name, store=store)(function), CircuitOpenError)


def _powertools(stage: Stage, down: bool, **settings: int) -> Wrap:
    import boto3
    from aws_lambda_powertools.utilities.circuit_breaker import (
        CircuitBreakerConfig,
        CircuitBreakerOpenError,
        circuit_breaker,
    )
    from aws_lambda_powertools.utilities.circuit_breaker.persistence import CircuitBreakerDynamoDBPersistence
    from botocore.config import Config

    config = Config(connect_timeout=0.3, read_timeout=1, retries={"total_max_attempts": 1})
    client = boto3.client("dynamodb", endpoint_url=_endpoint(stage, down), config=config)
    layer = CircuitBreakerDynamoDBPersistence(_table(stage), key_attr="pk", sort_key_attr="sk", boto3_client=client)
    name = f"circuit-{next(_names)}"
    chosen = CircuitBreakerConfig(**settings)
    return lambda function: (circuit_breaker(name, layer, config=chosen)(function), CircuitBreakerOpenError)


def _table(stage: Stage) -> str:
    return stage.backends.environment["RESILIENCE_TABLE"]


def _endpoint(stage: Stage, down: bool) -> str:
    return f"http://127.0.0.1:{free_port()}" if down else stage.backends.dynamodb.origin


def _calls_until_open(wrap: Wrap, fails: Fails, kind: str) -> int | None:
    numbers = count()

    def plain() -> None:
        if fails(next(numbers)):
            raise ConnectionError

    async def asynchronous() -> None:
        plain()

    call, opened = wrap(plain if kind == "plain" else asynchronous)
    with asyncio.Runner() as runner:
        for done in range(1, MOST_CALLS + 1):
            try:
                runner.run(call()) if kind == "async" else call()
            except opened:
                return done - 1
            except ConnectionError:
                continue
    return None
