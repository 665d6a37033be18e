"""A batch of offline events in one request, compared with one request per event."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.harness import Figure, Row, Stage, timed
from benchmarks.rows._api import Caller, in_process
from local.demo import Term, load_term

SIZES, ROUNDS, SINGLE_ROUNDS = (10, 50, 100, 250, 500), 15, 3
_EVENTS_A_SESSION = 10


def run(stage: Stage) -> list[Row]:
    """Measure 500 events in one request and in one request each, and how duration grows with the batch size."""
    backends = stage.backends
    with psycopg.connect(str(backends.dsn), autocommit=True) as connection:
        load_term(connection, Term(users=1_000, weeks=4), stage.say("Loading students"))
        connection.execute("select set_config('search_path', 'public', false)")
        users = [row[0] for row in connection.execute("select user_id::text from profiles order by user_id")]
        # The events are up to 29.5 days old, and the accounts must be older than that.
        connection.execute("update profiles set timezone = 'UTC', created_at = now() - interval '60 days'")
    turns = iter(users)
    with in_process(backends) as api:
        batches: dict[int, list[float]] = {size: [] for size in SIZES}
        singles: list[float] = []
        with stage.bar("Sync", ROUNDS) as advance:
            for number in range(-2, ROUNDS):
                for size in SIZES:
                    spent = _send(Caller(api, next(turns)), _events(size))
                    if number >= 0:
                        batches[size].append(spent)
                if number >= 0 and number % (ROUNDS // SINGLE_ROUNDS) == 0:
                    caller = Caller(api, next(turns))
                    singles.append(sum(_send(caller, [event]) for event in _events(500)))
                advance()
    figures = {size: Figure.of(f"{size} events in one request", found) for size, found in batches.items()}
    one_by_one = Figure.of("500 events, one request each", singles)
    return _rows(figures, one_by_one)


def _rows(figures: dict[int, Figure], one_by_one: Figure) -> list[Row]:
    batch = figures[500]
    growth = math.log(batch.median / figures[50].median) / math.log(10)
    return [
        Row(
            "sync of 500 events",
            "at most 0.1 of the time of sending them one by one",
            batch.median / one_by_one.median,
            0.1,
            "ms",
            [batch, one_by_one],
            value_label="ratio of the medians",
            value_unit="",
            note="Through the API in process, with the real database and PostgREST: 50 sessions of 10 events each.",
        ),
        Row("sync of 500 events, latency", "median within 500 ms", batch.median, 500.0, "ms", [batch]),
        Row(
            "growth of a batch's duration from 10 to 500 events",
            "no worse than linear",
            growth,
            1.0,
            "ms",
            list(figures.values()),
            value_label="exponent from 50 to 500",
            value_unit="",
        ),
    ]


def _send(caller: Caller, events: list[dict[str, Any]]) -> float:
    answers: list[Any] = []
    sent_at = datetime.now(UTC).isoformat()
    spent = timed(lambda: answers.append(caller.post("/api/sync/offline", {"events": events, "sent_at": sent_at})))
    found = answers[0]["data"]
    if found["synced_count"] != len(events):
        raise RuntimeError(f"{found['rejected_count']} events rejected, such as {found['results'][:3]}")
    return spent


def _events(count: int) -> list[dict[str, Any]]:
    """Return events of 30-minute sessions of 10 events, one session per hour, starting 29.5 days ago."""
    events: list[dict[str, Any]] = []
    start = datetime.now(UTC) - timedelta(days=29, hours=12)
    for number in range(math.ceil(count / _EVENTS_A_SESSION)):
        session, began = str(uuid4()), start + timedelta(hours=number)
        kinds = ["start", *["heartbeat"] * (_EVENTS_A_SESSION - 2), "complete"]
        events += [
            {
                "event_id": str(uuid4()),
                "session_id": session,
                "event_type": kind,
                "created_at": (began + timedelta(seconds=place * 200)).isoformat(),
            }
            for place, kind in enumerate(kinds)
        ]
    return events[:count]
