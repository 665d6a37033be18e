"""Export and deletion against the catalogue: every table with a user is covered, including future ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student

TABLES = """
    select c.oid::regclass::text, c.relname from pg_class c
    where c.relnamespace in ('public'::regnamespace, 'internal'::regnamespace) and c.relkind in ('r', 'p')
      and not c.relispartition and exists (
        select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped)
"""


@pytest.fixture
def lived(api: Api) -> Student:
    """A student with rows in many tables."""
    student, other = api.student(), api.student()
    student.complete(student.start(), efficiency=80)
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}, headers={"Idempotency-Key": "k"})
    other.post(f"/api/spaces/{space.json()['data']['space_id']}/join")
    student.patch("/api/users/me", {"display_name": "Ada"})
    return student


@pytest.fixture
def new_table(sql: psycopg.Connection[Any]) -> Iterator[str]:
    """An unknown table with a key of three columns."""
    name = f"notes_{uuid.uuid4().hex[:8]}"
    sql.execute(
        f"create table internal.{name} (user_id uuid not null references public.profiles on delete cascade, "
        "made_at timestamptz default clock_timestamp(), n integer, text text, primary key (user_id, made_at, n))"
    )
    yield name
    sql.execute(f"drop table internal.{name}")


def exported(student: Student, limit: int = 100) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        answer = student.get(f"/api/users/me/export?limit={limit}&cursor={cursor}")
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["data"]) <= limit
        rows += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
    return rows


def test_every_table_with_a_user_is_exported_row_by_row(
    lived: Student, sql: psycopg.Connection[Any], new_table: str
) -> None:
    """The export has every row of every table, for any page size, and Supabase Auth's account before them."""
    for number in range(7):
        sql.execute(
            f"insert into internal.{new_table} (user_id, n, text) values (%s, %s, 'x')", [lived.user_id, number]
        )
    rows = exported(lived, 3)
    assert rows[0]["table"] == "account"
    assert rows[0]["row"]["email"] == lived.email
    assert len({str(row) for row in rows}) == len(rows), "nothing twice"
    for relation, name in sql.execute(TABLES).fetchall():
        kept = sql.execute(f"select count(*) from {relation} where user_id = %s", [lived.user_id]).fetchone()
        assert kept == (len([row for row in rows if row["table"] == name and row["row"]["user_id"] == lived.user_id]),)
    assert {"profiles", "study_sessions", "space_members", "idempotency_keys", new_table} <= {
        row["table"] for row in rows
    }
    assert "password" not in str(rows)


def test_nothing_of_others_is_exported(api: Api, lived: Student, sql: psycopg.Connection[Any]) -> None:
    """The export shows nothing to another user or with another user's cursor."""
    cursor = lived.get("/api/users/me/export?limit=1").json()["next_cursor"]
    stranger = api.student()
    assert stranger.get(f"/api/users/me/export?cursor={cursor}").status_code == 400
    assert lived.user_id not in str(exported(stranger))
    assert api.get("/api/users/me/export").status_code == 401


def test_deletion_leaves_no_table_with_the_user(lived: Student, sql: psycopg.Connection[Any], new_table: str) -> None:
    """After a deletion no table of the catalogue or Supabase Auth has the user, and the export is a 401."""
    sql.execute(f"insert into internal.{new_table} (user_id, n) values (%s, 1)", [lived.user_id])
    assert lived.delete("/api/users/me", json={"password": lived.password}).status_code == 200
    auth = [(f"auth.{name}", name) for name in ("sessions", "refresh_tokens", "identities", "mfa_factors")]
    for relation, _ in [*sql.execute(TABLES).fetchall(), *auth]:
        left = sql.execute(f"select count(*) from {relation} where user_id = %s", [lived.user_id]).fetchone()
        assert left == (0,), relation
    assert lived.get("/api/users/me/export").status_code == 401
