"""The table behind a network that breaks, hangs, drips or sends garbage: always a StoreError, and in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import resilience
from resilience import CircuitBreaker, DynamoStore, RateLimiter, StoreError, cached, events
from resilience.cache.manager import CacheManager
from resilience.store.protocol import StoreThrottledError
from resilience.testing import ManualClock
from tests.integration.resilience.fake_dynamodb import (
    FINE,
    Play,
    answer,
    cut,
    drip,
    read_request,
    refuse,
    serving,
    silence,
)

JSON = "Content-Type: application/x-amz-json-1.0\r\n"
SLACK = 0.6
"""Seconds that a busy machine may take besides."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def errors() -> Iterator[list[events.Event]]:
    seen: list[events.Event] = []
    stop = events.subscribe(seen.append, events.STORE_ERROR)
    yield seen
    stop()


def store_at(url: str, **settings: Any) -> DynamoStore:
    store = DynamoStore("t", endpoint_url=url, **settings)
    assert store.prepare()
    return store


def test_what_breaks_once_is_tried_again() -> None:
    """A broken answer, one that is not DynamoDB's, and an internal error cost one more attempt."""
    for first in (
        [cut],
        [answer(b"<html>", kind="text/html")],
        [refuse("InternalServerError", "500 Oops")],
        [answer(b"", "503 Busy")],
    ):
        with serving(first, then=answer()) as url:
            assert store_at(url).get("p", "s") is not None


@pytest.mark.parametrize("play", [silence, drip, cut], ids=lambda play: play.__name__)
def test_every_failure_ends_within_the_deadline(play: Play) -> None:
    """Every network failure is a StoreError within a second, and then the table is not waited for."""
    with serving(then=play) as url:
        store = store_at(url)
        started = time.monotonic()
        with pytest.raises(StoreError):
            store.get("p", "s")
        assert time.monotonic() - started < 1.0 + SLACK
        started = time.monotonic()
        with pytest.raises(StoreError, match="a moment ago"):
            store.get("p", "s")
        assert time.monotonic() - started < 0.1


@pytest.mark.parametrize("body", [b'{"Items": ', b"[1]", b"null", b'{"Items": 7, "Attributes": 7}', b""])
def test_an_answer_that_cannot_be_read_is_a_failure(body: bytes) -> None:
    """An unreadable answer to any operation is a StoreError, and no other error."""
    with serving(then=answer(body)) as url:
        for work in (lambda store: store.query("p"), lambda store: store.add("p", "s", {"n": 1})):
            with pytest.raises(StoreError):
                work(store_at(url))


@pytest.mark.parametrize("code", ["TransactionConflictException", "ReplicatedWriteConflictException"])
def test_a_conflict_over_one_item_is_no_outage(code: str) -> None:
    """After a conflict over one item the table is used for the next request."""
    with serving([refuse(code)], then=answer()) as url:
        store = store_at(url)
        with pytest.raises(StoreError, match=code):
            store.put("p", "s", {})
        assert store.get("p", "s") is not None


def test_a_gateway_that_asks_for_fewer_requests_throttles() -> None:
    """Any 429 counts as throttling, whatever error code it has."""
    with serving(then=refuse("WhoKnows", "429 Too Many Requests")) as url, pytest.raises(StoreThrottledError):
        store_at(url).get("p", "s")


def test_addresses_where_nobody_answers_end_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight addresses of one name are tried one after another, for a second in total."""
    import socket

    def look_up(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.255.255.{n}", 1)) for n in range(8)]

    def connect(*_: Any) -> None:
        time.sleep(0.3)
        raise TimeoutError

    store = store_at("http://dead.example", connect_timeout=0.3)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    started = time.monotonic()
    with pytest.raises(StoreError):
        store.get("p", "s")
    assert time.monotonic() - started < 1.0 + SLACK


def test_dead_kept_connections_are_no_outage() -> None:
    """With two silently dead pooled connections, the second attempt opens a new one."""
    with serving([answer()], [answer()], then=answer()) as url:
        store = store_at(url)
        _at_once(store, 2)
        assert store.get("p", "s") is not None


def _at_once(store: DynamoStore, number: int) -> None:
    import threading

    barrier = threading.Barrier(number)

    def get() -> None:
        barrier.wait()
        store.get("p", "s")

    threads = [threading.Thread(target=get) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_throttling_is_an_answer() -> None:
    """Only the throttled key is left alone for a moment; other keys are used."""
    clock = ManualClock()

    def throttle_hot(connection: Any) -> None:
        body = FINE
        head = "200 OK"
        if b"hot" in read_request(connection):
            body, head = b'{"__type": "x#ProvisionedThroughputExceededException"}', "400 Bad Request"
        connection.sendall(f"HTTP/1.1 {head}\r\n{JSON}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    with serving(then=throttle_hot) as url:
        store = store_at(url, clock=clock)
        for _ in range(2):
            with pytest.raises(StoreThrottledError):
                store.get("hot", "s")
            assert store.get("p", "s") is not None
        clock.advance(1)
        with pytest.raises(StoreThrottledError, match="Exceeded"):
            store.get("hot", "s")


def test_an_answer_that_was_lost_counts_once(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request reaches the table but every first answer is lost, and the counter is still exact."""
    store = DynamoStore(table, read_timeout=5, deadline=10)
    connection = store._connection
    real, lost = type(connection)._try, []

    def lossy(self: Any, method: str, request: dict[str, Any]) -> dict[str, Any]:
        done = real(self, method, request)
        if len(lost) % 2 == 0:
            lost.append(1)
            from resilience.store._connection import UnreachableError

            raise UnreachableError("lost")
        lost.append(0)
        return done

    monkeypatch.setattr(type(connection), "_try", lossy)
    assert store.add("p", "s", {"n": 3}) == {"n": 3}
    assert store.add("p", "s", {"n": 4}) == {"n": 7}


@pytest.mark.parametrize(
    "item",
    [
        {"attributes": {"M": {}}},
        {"version": {"S": "one"}},
        {"ttl": {"L": []}},
        {"state": {"NS": ["1"]}},
    ],
)
def test_an_item_that_cannot_be_read_hides_no_other(table: str, item: Any, errors: list[events.Event]) -> None:
    """The unreadable item is skipped and reported; a forced-open circuit beside it stays open."""
    store = DynamoStore(table, read_timeout=5, deadline=10)
    CircuitBreaker("forced", store=store).force_open()
    boto3.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "control"}, "sk": {"S": "circuit#a"}} | item)
    other = DynamoStore(table, read_timeout=5, deadline=10)
    assert [found.sk for found in other.query("control")] == ["circuit#forced"]
    assert other.get("control", "circuit#a") is None
    assert [event.details["key"] for event in errors] == ["control circuit#a"] * 2


def test_a_circuit_of_another_shape_hides_no_other(table: str) -> None:
    """A circuit with text in place of numbers does not affect the circuits beside it."""
    store = DynamoStore(table, read_timeout=5, deadline=10)
    store.put_if("control", "circuit#a", {"state": "open", "opens": "many", "retry_at": "soon"}, expected_version=None)
    CircuitBreaker("forced", store=store).force_open()
    other = DynamoStore(table, read_timeout=5, deadline=10)
    poisoned, forced = CircuitBreaker("a", store=other), CircuitBreaker("forced", store=other)
    poisoned.snapshot()
    from resilience._shared_state import shared_state_of

    assert shared_state_of(other).refresh(other._clock)
    assert forced.get_state() == "open"
    assert poisoned.call(lambda: "probed at once") == "probed at once"


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_PROFILE": "nowhere"},
        {"AWS_DEFAULT_REGION": ""},
        {"AWS_ENDPOINT_URL_DYNAMODB": "no url at all"},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/dev/null"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_what_is_missing_to_ask_with_reaches_no_caller(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without profile, region, address or credentials every part works without the store and raises no boto3 error."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    store = DynamoStore("t")
    with pytest.raises(StoreError):
        store.get("p", "s")
    assert RateLimiter(per_minute=1, store=store).check("user").allowed
    breaker = CircuitBreaker("b", store=store, failure_threshold=1)

    @breaker
    def fail() -> None:
        raise KeyError("the real error")

    with pytest.raises(KeyError, match="the real error"):
        fail()

    @cached(60, manager=CacheManager(store=store), key_prefix=next(iter(environment)))
    def compute() -> int:
        return 42

    assert compute() == 42


def test_changed_keys_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials replaced while the process runs sign the next request."""
    signed: list[bytes] = []

    def note(connection: Any) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        signed.append(received)
        length = f"HTTP/1.1 200 OK\r\n{JSON}Content-Length: {len(FINE)}\r\n\r\n".encode()
        connection.sendall(length + FINE)

    with serving(then=note) as url:
        store = store_at(url)
        store.get("p", "s")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")
        store.get("p", "s")
    assert b"Credential=local/" in signed[0]
    assert b"Credential=renewed/" in signed[-1]


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "https://dynamodb.eu-west-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true", "AWS_DEFAULT_REGION": "us-east-1"}, "dynamodb-fips.us-east-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "dynamodb.eu-west-1.api.aws"),
        ({"AWS_DEFAULT_REGION": "", "AWS_REGION": "sa-east-1"}, "https://dynamodb.sa-east-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "cn-north-1"}, "dynamodb.cn-north-1.amazonaws.com.cn"),
        ({"AWS_ENDPOINT_URL": "http://x:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "dynamodb.eu-west-1.amaz"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://x:2"}, "http://x:2"),
    ],
)
def test_the_endpoint_is_the_one_that_boto3_finds(
    environment: dict[str, str], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint follows regions, FIPS, dual stack, and the endpoint variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = DynamoStore("t")
    assert store.prepare()
    assert endpoint in store._connection._client.meta.endpoint_url


STOPPED = """
import sys
from resilience import DynamoStore
store = DynamoStore("t", endpoint_url=sys.argv[1])
assert store.prepare()
print("ready", flush=True)
print(store.get("p", "s") is not None, flush=True)
"""


def test_a_process_that_was_stopped_finds_its_answer() -> None:
    """SIGSTOP for longer than the deadline, while an answer is under way, is not an outage of the table."""
    asked, goes_on = threading.Event(), threading.Event()

    def late(connection: Any) -> None:
        asked.set()
        goes_on.wait(10)
        answer()(connection)

    with serving(then=late) as url:
        path = str(Path(resilience.__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": path}
        command = [sys.executable, "-c", STOPPED, url]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            assert asked.wait(10)
            child.send_signal(signal.SIGSTOP)
            goes_on.set()
            time.sleep(1.5)  # longer than the deadline, which must not matter
            child.send_signal(signal.SIGCONT)
            assert child.stdout.readline() == "True\n"
