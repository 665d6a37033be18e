"""The cost of an API request: CPU of a warm invocation, database round trips and DynamoDB requests."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import httpx
import jwt
import psycopg

from benchmarks.harness import Figure, Row, Stage
from benchmarks.rows._api import Caller, in_process
from benchmarks.rows._database import random_users
from local.demo import Term, load_term

BATCH, ROUNDS, REQUESTS = 100, 30, 400
_SECRET = "a secret of at least thirty-two bytes, for HS256"
_USER = str(UUID(int=7))
_PROFILE = {
    "user_id": _USER, "username": "ada", "display_name": "Ada", "xp": 120, "level": 2, "current_streak": 3,
    "created_at": "2026-01-01T00:00:00+00:00", "timezone": "UTC", "daily_goal_minutes": 60, "email": "ada@example.test",
    "email_confirmed": True, "discoverable": True, "share_activity": True,
}  # fmt: skip


def run(stage: Stage) -> list[Row]:
    """Measure CPU first, with nothing else running in this process; then count calls to real backends."""
    return [*_cpu(stage), *_counts(stage)]


def _cpu(stage: Stage) -> list[Row]:
    with _answered_from_memory():
        from benchmarks.rows._middleware import peer_handler
        from users.app import handler
        from users.routes import router

        ours, peer = _invoke(handler), _invoke(peer_handler(router))
        works = {
            "ours": (ours, nullcontext),
            "as BaseHTTPMiddleware classes": (peer, nullcontext),
            "ours, without observability": (ours, _unobserved),
        }
        samples: dict[str, list[float]] = {label: [] for label in works}
        with stage.bar("Warm invocations", ROUNDS) as advance:
            for number in range(-3, ROUNDS):
                for label, (work, around) in works.items():
                    gc.collect()
                    with around():
                        began = time.process_time()
                        for _ in range(BATCH):
                            work()
                        spent = time.process_time() - began
                    if number >= 0:
                        samples[label].append(spent / BATCH * 1e3)
                advance()
    observed, plain = samples["ours"], samples.pop("ours, without observability")
    figures = [Figure.of(label, found) for label, found in samples.items()]
    cost = [with_it - without for with_it, without in zip(observed, plain, strict=True)]
    note = (
        "GET /api/users/me through the Lambda handler with all layers, including the metrics line; "
        "CPU time of the process. "
        "The peer has the same routes, database layer, rate limiter, monitor and logger."
    )
    return [
        Row("warm invocation, CPU", "at most 0.4 ms", figures[0].median, 0.4, "ms", figures, note=note),
        Row(
            "warm invocation compared with BaseHTTPMiddleware",
            "at most 0.6 of it",
            figures[0].median / figures[1].median,
            0.6,
            "ms",
            figures,
            value_label="ratio of the medians",
            value_unit="",
        ),
        Row(
            "observability per request, CPU",
            "at most 0.15 ms",
            statistics.median(cost),
            0.15,
            "ms",
            [Figure.of("overhead", cost), Figure.of("ours", observed), Figure.of("ours, without observability", plain)],
            note="The log line, measurements of request and database call, and the metrics line for CloudWatch.",
        ),
    ]


@contextmanager
def _unobserved() -> Iterator[None]:
    with (
        mock.patch("studysync.web.middleware.request_context._report"),
        mock.patch("studysync.db.client._record"),
        mock.patch("studysync.aws.handler.publish"),
    ):
        yield


@contextmanager
def _answered_from_memory() -> Iterator[None]:
    answer = json.dumps(_PROFILE).encode()
    transport = httpx.MockTransport(
        lambda _request: httpx.Response(200, content=answer, headers={"content-type": "application/json"})
    )
    environment = {
        "SUPABASE_URL": "http://project.test",
        "SUPABASE_SECRET_KEY": "sb_secret_key",
        "SUPABASE_JWT_SECRET": _SECRET,
        "RATE_LIMIT_PER_MINUTE": "10000000",
        "RATE_LIMIT_PER_HOUR": "100000000",
        "POWERTOOLS_METRICS_NAMESPACE": "Benchmark",
        "POWERTOOLS_SERVICE_NAME": "users",
    }
    import resilience

    with mock.patch.dict(os.environ, environment):
        from benchmarks.rows._api import forget_environment

        forget_environment()
        resilience.configure(store=resilience.MemoryStore())
        try:
            with mock.patch("studysync.db.client.http_transport", return_value=transport):
                yield
        finally:
            resilience.configure()
            forget_environment()


class _Context:
    function_name = memory_limit_in_mb = aws_request_id = invoked_function_arn = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def _invoke(handler: Callable[[dict[str, Any], Any], Any]) -> Callable[[], None]:
    now = int(time.time())
    claims = {"sub": _USER, "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + 3600}
    token = jwt.encode(claims | {"iss": "http://project.test/auth/v1"}, _SECRET, algorithm="HS256")
    headers = {"authorization": f"Bearer {token}", "host": "api.test", "accept": "application/json"}
    http = {"method": "GET", "path": "/api/users/me", "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"}
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/api/users/me",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": http, "requestId": str(uuid4()), "stage": "$default"},
        "isBase64Encoded": False,
    }
    context = _Context()

    def work() -> None:
        answer = handler(event, context)
        if answer["statusCode"] != 200:
            raise RuntimeError(answer["body"])

    asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum runs the app on the current event loop
    work()
    return work


def _counts(stage: Stage) -> list[Row]:
    backends = stage.backends
    with psycopg.connect(str(backends.dsn), autocommit=True) as connection:
        load_term(connection, Term(users=100, weeks=3), stage.say("Loading students"))
        users = random_users(connection, 20)
    from resilience.store._connection import Connection
    from studysync.db.transport import ReconnectingTransport

    trips: dict[str, list[int]] = {}
    tables: dict[str, list[int]] = {}
    with (
        in_process(backends) as api,
        _counted(ReconnectingTransport, "handle_async_request") as database,
        _counted(Connection, "send") as dynamo,
        stage.bar("Requests", REQUESTS) as advance,
    ):
        callers = [Caller(api, user) for user in users]
        for number in range(-2 * len(users), REQUESTS // 5):
            for path, ask in _study(callers[number % len(callers)]):
                before = len(database), len(dynamo)
                ask()
                if number >= 0:
                    trips.setdefault(path, []).append(len(database) - before[0])
                    tables.setdefault(path, []).append(len(dynamo) - before[1])
                    advance()
    return [
        _count_row(
            "database round trips per API request",
            "1, and never more than 2",
            1.0,
            trips,
            "Mean number of round trips, by path. A cached leaderboard page that shows the caller's previous place "
            "is read again: 2 after an award.",
        ),
        _count_row(
            "DynamoDB requests per API request",
            "at most 0.2 in the steady state",
            0.2,
            tables,
            "Mean number of requests of rate limiter, cache, circuits and monitor per API request, by path.",
        ),
    ]


def _count_row(name: str, promise: str, limit: float, counts: dict[str, list[int]], note: str) -> Row:
    figures = [
        Figure(path, sum(found) / len(found), min(found), max(found), len(found)) for path, found in counts.items()
    ]
    everything = [number for found in counts.values() for number in found]
    mean = sum(everything) / len(everything)
    value = statistics.median(everything) if limit == 1 else mean
    return Row(name, promise, value, limit, "", figures, note=note, value_label=f"mean {mean:.2f}")


def _study(caller: Caller) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield a student's requests, each as its name and a function that sends it."""
    sessions: list[str] = []

    def start() -> None:
        sessions.append(caller.post("/api/sessions/start", {"duration_minutes": 25})["data"]["session_id"])

    yield "POST /sessions/start", start
    yield "POST /sessions/{id}/heartbeat", lambda: caller.post(f"/api/sessions/{sessions[0]}/heartbeat")
    yield "POST /sessions/{id}/complete", lambda: caller.post(f"/api/sessions/{sessions[0]}/complete")
    for path in ("/gamification/xp/me", "/gamification/leaderboard/weekly"):
        yield f"GET {path}", functools.partial(caller.get, f"/api{path}")


@contextmanager
def _counted(owner: type, name: str) -> Iterator[list[None]]:
    calls: list[None] = []
    original = getattr(owner, name)

    def counting(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        return original(*arguments, **named)

    with mock.patch.object(owner, name, counting):
        yield calls
