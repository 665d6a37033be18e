"""The attacks, run one after another, each bounded; the HTTP statuses of the answers are counted."""

from __future__ import annotations

import base64
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg

from benchmarks.attacks.account import Account

Statuses = Counter[int]
LONG, AT_ONCE = 30_000, 8
# The deployed limits; those of a local stack are too high to be reached.
LIMITS = {"RATE_LIMIT_PER_MINUTE": "100", "RATE_LIMIT_PER_HOUR": "1000", "REGISTRATIONS_PER_HOUR": "150"}
# Two open sessions with many heartbeats each, as weeks of batches would leave them.
_LONG_SESSIONS = """
with began as (
  insert into study_sessions (session_id, user_id, duration_minutes, started_at, last_activity_at, replayed, background,
                              progress)
  select gen_random_uuid(), %(user)s, 720, at, at, true, true, internal.initial_progress(at)
  from (select now() - interval '11 hours' as at from generate_series(1, 2)) twice returning session_id, started_at
)
select (internal.record_client_events(session_id, (
  select array_agg(row(session_id, gen_random_uuid(), 'heartbeat', started_at + n * interval '1 second', null, '{}')
                   ::internal.client_event order by n)
  from generate_series(1, %(events)s) n))).session_id::text from began"""


@dataclass(frozen=True)
class Target:
    """A stack on this machine, and the accounts that attack it.

    Attributes:
        url: base URL of the API.
        dsn: connection string of the database, to create data that would take weeks of calls.
        environment: the functions' environment variables, which hold the address of PostgREST.
        accounts: three accounts of one attacker.
    """

    url: str
    dsn: str
    environment: Mapping[str, str]
    accounts: list[Account]


@contextmanager
def attackers(url: str, dsn: str, environment: Mapping[str, str]) -> Iterator[Target]:
    """Register three new accounts and yield the target."""
    limits = httpx.Limits(max_connections=64)
    with httpx.Client(base_url=url, timeout=60, limits=limits) as client:
        accounts = [Account.register(client) for _ in range(3)]
        yield Target(url, dsn, environment, accounts)


def attack(target: Target) -> dict[str, Statuses]:
    """Run every attack; return the status counts by attack."""
    return {name: play(target) for name, play in ATTACKS.items()}


def _at_once(calls: Iterable[Callable[[], httpx.Response]], workers: int = AT_ONCE) -> Statuses:
    with ThreadPoolExecutor(workers) as pool:
        return Counter(answer.status_code for answer in pool.map(lambda call: call(), calls))


def _event(kind: str, session: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()), "session_id": session, "event_type": kind, "created_at": at.isoformat(), **more,
    }  # fmt: skip


def _long_sessions(target: Target) -> Statuses:
    """Send 10 batches of 500 events that alternate between two sessions of 30,000 events."""
    attacker = target.accounts[0]
    with psycopg.connect(target.dsn, autocommit=True) as connection:
        arguments = {"user": attacker.user_id, "events": LONG}
        connection.execute(
            "update profiles set created_at = now() - interval '40 days' where user_id = %(user)s", arguments
        )
        sessions = [row[0] for row in connection.execute(_LONG_SESSIONS, arguments)]
    start = datetime.now(UTC) - timedelta(hours=2)
    batches = [
        {"events": [_event("heartbeat", sessions[n % 2], start + timedelta(seconds=500 * b + n)) for n in range(500)]}
        for b in range(10)
    ]
    return _at_once([lambda batch=batch: attacker.post("/api/sync/offline", batch) for batch in batches])


def _changes(target: Target) -> Statuses:
    return _at_once([lambda: target.accounts[0].get("/api/sync/changes", limit="100")] * 40)


def _straight_to_the_database(target: Target) -> Statuses:
    url = f"{target.environment['SUPABASE_URL']}/rest/v1/study_sessions?subject=match.(a*)*(a*)*(a*)*(a*)*$"
    key = target.environment["SUPABASE_PUBLISHABLE_KEY"]
    headers = {"apikey": key, "Authorization": f"Bearer {target.accounts[0].token}"}
    return _at_once([lambda: httpx.get(url, headers=headers, timeout=30)] * 40, workers=40)


def _rejected(target: Target) -> Statuses:
    """Send 8 batches of 500 events, 2 MB each, in which every event is rejected."""
    payload = {"efficiency": 101, "text": "x" * 3_900}
    batches = [
        {
            "events": [
                _event("complete", str(uuid.uuid4()), datetime.now(UTC), event_payload=payload) for _ in range(500)
            ]
        }
        for _ in range(8)
    ]
    return _at_once([lambda batch=batch: target.accounts[1].post("/api/sync/offline", batch) for batch in batches])


def _unknown_fields(target: Target) -> Statuses:
    body = {f"field_{number}": number for number in range(85_000)}
    return _at_once([lambda: target.accounts[0].client.post("/api/auth/login", json=body)] * 4)


def _forged_month(target: Target) -> Statuses:
    """Sync four weeks of one-minute sessions, in seven calls from a new account."""
    sessions = [(str(uuid.uuid4()), datetime.now(UTC) - timedelta(days=28, minutes=-23 * n)) for n in range(1_750)]
    events = [
        each for session, at in sessions
        for each in (_event("start", session, at), _event("complete", session, at + timedelta(minutes=1)))
    ]  # fmt: skip
    batches = [{"events": events[n : n + 500]} for n in range(0, len(events), 500)]
    return _at_once([lambda batch=batch: target.accounts[2].post("/api/sync/offline", batch) for batch in batches])


def _many_calls(target: Target) -> Statuses:
    calls = [lambda account=account: account.get("/api/users/me") for account in target.accounts for _ in range(110)]
    return _at_once(calls)


def _searches(target: Target) -> Statuses:
    queries = ["___", "%%%", "a_", "user", "e" * 100]
    return _at_once([lambda query=query: target.accounts[1].get("/api/users", query=query) for query in queries * 4])


def _forged_cursors(target: Target) -> Statuses:
    cursors = [base64.urlsafe_b64encode(json.dumps([n, "2026-01-01T00:00:00Z", str(uuid.uuid4())]).encode()).decode()
               for n in range(30)]  # fmt: skip
    path = "/api/gamification/leaderboard/weekly"
    return _at_once([lambda cursor=cursor: target.accounts[1].get(path, cursor=cursor) for cursor in cursors])


def _guessed_passwords(target: Target) -> Statuses:
    bodies = [{"email": target.accounts[0].email, "password": f"Guess{n}word"} for n in range(70)]
    return _at_once([lambda body=body: target.accounts[0].client.post("/api/auth/login", json=body) for body in bodies])


def _registrations(target: Target) -> Statuses:
    def register() -> httpx.Response:
        name = f"r{uuid.uuid4().hex[:16]}"
        body = {"username": name, "email": f"{name}@example.test", "password": "Passw0rd1234"}
        return target.accounts[0].client.post("/api/auth/register", json=body)

    return _at_once([register] * 50)


def _orders_of_a_page(target: Target) -> Statuses:
    """Send the requests that a page of another site could send to a developer's machine."""
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    paths = ["/health/circuits/database/reset", "/health/clear-cache", "/health/reset-metrics"]
    return _at_once([lambda path=path: httpx.post(target.url + path, headers=headers) for path in paths])


ATTACKS: dict[str, Callable[[Target], Statuses]] = {
    "batches that alternate between two long sessions": _long_sessions,
    "changes, eight at once": _changes,
    "a backtracking filter, straight at PostgREST": _straight_to_the_database,
    "batches of 2 MB that are all rejected": _rejected,
    "85,000 unknown fields": _unknown_fields,
    "a month of sessions of a minute": _forged_month,
    "three accounts from one address": _many_calls,
    "searches that no index serves": _searches,
    "forged cursors": _forged_cursors,
    "guessed passwords": _guessed_passwords,
    "registrations from one address": _registrations,
    "orders of a foreign page": _orders_of_a_page,
}
