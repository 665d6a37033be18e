"""Read the clients' writes directly from the database, bypassing the API."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

_QUERIES: dict[str, LiteralString] = {
    "accounts": "select username, user_id::text from profiles",
    "spaces": "select name, count(*) from spaces group by 1",
    "starts": "select session_id::text, count(*) from session_events where event_type = 'start' group by 1",
    "completions": "select session_id::text, count(*) from session_events where event_type = 'complete' group by 1",
    "heartbeats": "select session_id::text, count(*) from session_events where event_type = 'heartbeat' group by 1",
    "marks": "select payload ->> 'mark', count(*) from session_events where event_type = 'note' group by 1",
    "events": "select session_id::text, count(*) from session_events group by 1",
    "paid": "select session_id::text, sum(amount)::integer from xp_ledger group by 1",
    "synced": "select event_id::text, 'applied' from session_events"
    " union all select event_id::text, 'rejected' from rejected_events",
    "members": "select space_id::text, user_id::text from space_members",
    "activity": "select space_id::text, user_id::text, activity_type, count(*) from space_activity group by 1, 2, 3",
}


@dataclass
class Facts:
    """What the database contains, keyed as in the clients' record.

    Attributes:
        accounts: user ids by user name.
        spaces: number of spaces by name.
        starts, completions, heartbeats, events: number of events by session id; `events` counts all kinds.
        marks: number of notes by mark.
        paid: XP awarded by session id.
        synced: `applied` or `rejected`, by event id.
        members: (space id, user id) pairs.
        activity: number of feed lines by (space id, user id, kind).
    """

    accounts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    spaces: Counter[str] = field(default_factory=Counter)
    starts: Counter[str] = field(default_factory=Counter)
    completions: Counter[str] = field(default_factory=Counter)
    heartbeats: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    synced: dict[str, str] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    activity: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def read_facts(dsn: str) -> tuple[Facts, list[str]]:
    """Return the contents of the database, and the invariant violations, one line each."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # one snapshot for all queries
        rows = {name: connection.execute(query).fetchall() for name, query in _QUERIES.items()}
        found = connection.execute("select invariant, subject, expected, found from check_invariants()").fetchall()
    return _facts(rows), [" | ".join(map(str, row)) for row in found]


def _facts(rows: dict[str, list[tuple[Any, ...]]]) -> Facts:
    facts = Facts(synced=dict(rows["synced"]), members={(space, user) for space, user in rows["members"]})
    for name, user in rows["accounts"]:
        facts.accounts[name].append(user)
    for counted in ("spaces", "starts", "completions", "heartbeats", "marks", "events", "paid"):
        getattr(facts, counted).update(dict(rows[counted]))
    for space, user, kind, count in rows["activity"]:
        facts.activity[space, user, kind] = count
    return facts
