"""What remains of a deleted account: nothing but what SECURITY.md lists, and only for the time it gives."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql as statement

from local.backends import Backends
from resilience import cache_manager
from testing.client import Api, Student
from testing.clock import DatabaseClock
from testing.offline import life, send
from testing.spaces import create, join
from tests.security.test_bans import change_address

SECURITY = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
COLUMNS = """select n.nspname, c.relname, a.attname from pg_class c
             join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
             where n.nspname in ('public', 'internal', 'auth') and c.relkind in ('r', 'p', 'm')
               and a.attnum > 0 and not a.attisdropped order by 1, 2, 3"""
# Where the id of a deleted account may remain, each named in SECURITY.md with its time limit.
IDS_MAY_STAY = {"public.idempotency_keys.response": 7, "public.audit_log.changes": 30}


def whereabouts(sql: psycopg.Connection[Any], *needles: str) -> set[str]:
    """Every column that contains one of the texts, in plain or hexadecimal form."""
    wanted = [each for needle in needles for each in (needle, needle.replace("-", ""), needle.encode().hex())]
    found = set()
    for schema, table, column in sql.execute(COLUMNS).fetchall():
        query = statement.SQL("select exists (select from {}.{} t where {}::text ilike any (%s))").format(
            *map(statement.Identifier, (schema, table, column))
        )
        row = sql.execute(query, [[f"%{each.replace('_', chr(92) + '_')}%" for each in wanted]]).fetchone()
        if row and row[0]:
            found.add(f"{schema}.{table}.{column}")
    return found


class Life:
    """A student with data everywhere, and other students who share some of it."""

    def __init__(self, api: Api, sql: psycopg.Connection[Any]) -> None:
        self.student, self.others = (
            api.student(display_name=f"Shown {uuid.uuid4().hex}"),
            [api.student() for _ in range(3)],
        )
        self.names = [self.student.username, self.student.email]
        self._api, self._sql, self._keys = api, sql, 0
        self._own_spaces()
        self._spaces_of_others()
        self._studies()
        self._leaves_its_name()

    def _keyed(self, who: Student, method: str, path: str, **options: Any) -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        response = self._api.request(method, path, token=who.token, headers=headers, **options)
        assert response.status_code < 300, response.text
        return response.json()["data"]

    def _own_spaces(self) -> None:
        """One space that gets a new owner, with a moderator who changed it, and one without other members."""
        space = create(self.student)
        for other in self.others:
            join(other, space)
        path = f"/api/spaces/{space['space_id']}"
        member = f"{path}/members/{self.others[0].user_id}"
        self._keyed(self.student, "PATCH", member, json={"role": "moderator"})
        self._keyed(self.others[0], "PATCH", path, json={"description": "Changed"})
        self._keyed(self.student, "DELETE", f"{path}/members/{self.others[2].user_id}", params={"ban": True})
        create(self.student)

    def _spaces_of_others(self) -> None:
        """Spaces that the student joined, studied in, was removed from or was banned from, with idempotency keys."""
        owner = self.others[1]
        removed, banned, kept = create(owner), create(owner), create(owner)
        for space in (removed, banned, kept):
            self._keyed(self.student, "POST", f"/api/spaces/{space['space_id']}/join")
            member = f"/api/spaces/{space['space_id']}/members/{self.student.user_id}"
            self._keyed(owner, "PATCH", member, json={"role": "moderator"})
        for space, ban in ((removed, False), (banned, True)):
            member = f"/api/spaces/{space['space_id']}/members/{self.student.user_id}"
            self._keyed(owner, "DELETE", member, params={"ban": ban})
        self.student.complete(self.student.start(space_id=kept["space_id"]))

    def _studies(self) -> None:
        """Sessions online and offline, with notes that name the student, refused and rejected events."""
        session = self.student.start(subject=f"Essay of {self.student.username}")
        note = {"event_type": "note", "payload": {"by": self.student.user_id}}
        self.student.post(f"/api/sessions/{session}/audit", note)
        self.student.complete(session)
        send(self.student, life(datetime.now(UTC) - timedelta(minutes=40), 5), client_id=self.student.username)
        send(self.student, [{"session_id": str(uuid.uuid4()), "event_type": "nonsense", "event_payload": note}])
        self.student.post("/api/sessions/start", {"duration_minutes": 25, "user_id": self.others[0].user_id})
        self.student.start()

    def _leaves_its_name(self) -> None:
        """A rename, a changed address, wrong passwords, and views of leaderboards."""
        wrong = {"email": self.student.email, "password": "wrong password 1"}
        self._api.post("/api/auth/login", wrong)
        new = f"new_{uuid.uuid4().hex[:16]}"
        self._keyed(self.student, "PATCH", "/api/users/me", json={"username": new})
        change_address(self._sql, self.student, f"{new}@example.test")
        self.names += [new, self.student.email]
        for other in self.others:
            other.get("/api/gamification/leaderboard/weekly")
            other.get(f"/api/users/{self.student.user_id}")
            other.get("/api/users", params={"query": new})


@pytest.fixture
def gone(api: Api, sql: psycopg.Connection[Any]) -> Iterator[Life]:
    """A student who had data everywhere and has deleted the account."""
    lived = Life(api, sql)
    everywhere = whereabouts(sql, lived.student.user_id, *lived.names)
    assert len(everywhere) > 20
    assert IDS_MAY_STAY.keys() <= everywhere
    assert lived.student.delete("/api/users/me").status_code == 200
    yield lived
    cache_manager.clear()


def test_no_column_names_who_is_gone(sql: psycopg.Connection[Any], gone: Life) -> None:
    """No column of any table contains an address or name; the id remains only where SECURITY.md says so."""
    assert whereabouts(sql, *gone.names) == set()
    assert whereabouts(sql, gone.student.user_id) == IDS_MAY_STAY.keys()
    left = SECURITY.partition("## What is left of a deleted account")[2].partition("\n## ")[0].split("\n- ")
    for column, days in IDS_MAY_STAY.items():
        (told,) = (line for line in left if f"`{column.split('.')[1]}`" in line)
        assert f"{days} days" in told


def test_what_stays_goes_in_time(api: Api, sql: psycopg.Connection[Any], gone: Life, clock: DatabaseClock) -> None:
    """After a month of scheduled purges nothing contains the id."""
    from health.operations.schedules import purge_trails

    clock.advance(days=30, hours=2)
    sql.execute("select purge_idempotency_keys()")
    api.run(purge_trails())
    assert whereabouts(sql, gone.student.user_id, *gone.names) == set()


def test_shared_records_end_by_themselves(backends: Backends, gone: Life) -> None:
    """The call counts and cached boards that DynamoDB still has of a deleted user expire within hours."""
    pages = dynamodb(backends).get_paginator("scan").paginate(TableName=backends.environment["RESILIENCE_TABLE"])
    items = [item for page in pages for item in page["Items"]]
    named = [item for item in items if any(each in str(item) for each in (gone.student.user_id, *gone.names))]
    now = datetime.now(UTC).timestamp()
    assert named
    for item in named:
        hours = 11 / 60 if item["pk"]["S"].startswith("cache#") else 2
        assert float(item["ttl"]["N"]) <= now + hours * 3600 + 2, item["pk"]


def dynamodb(backends: Backends) -> Any:
    import boto3

    environment = backends.environment
    return boto3.client(
        "dynamodb",
        endpoint_url=environment["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
