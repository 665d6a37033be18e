"""Live updates: what the database broadcasts, to whom, and that a failure affects nothing else.

Realtime itself is a hosted service; here the database has stand-ins with the same names as in a project.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from local.backends import Backends

# As in supabase/realtime: the table that its policies apply to, and the function that writes to it.
REALTIME = """
create schema realtime;
create table realtime.messages (
  id uuid primary key default gen_random_uuid(), topic text not null, extension text not null, payload jsonb,
  event text, private boolean default false, inserted_at timestamp not null default now());
alter table realtime.messages enable row level security;
create function realtime.topic() returns text language sql stable as
  $$ select nullif(current_setting('realtime.topic', true), '')::text $$;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language sql as $$
  insert into realtime.messages (payload, event, topic, private, extension) values ($1, $2, $3, $4, 'broadcast') $$;
grant usage on schema realtime to authenticated;
grant select, insert on realtime.messages to authenticated;
"""


@pytest.fixture(scope="module")
def project(backends: Backends) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to a database with Realtime, in which the stack enables broadcasts."""
    with backends.new_project() as project, psycopg.connect(project.dsn, autocommit=True) as connection:
        connection.execute(REALTIME)
        assert connection.execute("select live.install()").fetchone() == (True,)
        wanted(connection, True)
        yield connection


def wanted(connection: psycopg.Connection[Any], wanted: bool) -> None:
    headers = {"x-live-updates": "true"} if wanted else {}
    connection.execute("select set_config('request.headers', %s, false)", [json.dumps(headers)])


def call(connection: psycopg.Connection[Any], function: str, user_id: str, **arguments: Any) -> Any:
    row = connection.execute(f"select {function}(%s, %s)", [user_id, Jsonb(arguments)]).fetchone()
    assert row is not None
    return row[0]


def account(connection: psycopg.Connection[Any]) -> str:
    name = f"l_{uuid.uuid4().hex[:16]}"
    row = connection.execute(
        """insert into auth.users (id, email, raw_user_meta_data)
           values (gen_random_uuid(), %s, jsonb_build_object('username', %s::text)) returning id::text""",
        [f"{name}@example.test", name],
    ).fetchone()
    assert row is not None
    return str(row[0])


def space(connection: psycopg.Connection[Any], owner: str) -> str:
    space_id = str(uuid.uuid4())
    code = uuid.uuid4().hex[:14].upper()
    call(connection, "create_space", owner, space_id=space_id, name="S", visibility="private", invite_code=code)
    return space_id


def heard(connection: psycopg.Connection[Any], space_id: str, event: str) -> list[Any]:
    """Return the payloads that were broadcast privately to a space."""
    rows = connection.execute(
        "select payload from realtime.messages where topic = %s and event = %s and private order by inserted_at",
        [f"space:{space_id}", event],
    )
    return [payload for (payload,) in rows]


def study(connection: psycopg.Connection[Any], user_id: str, **more: Any) -> str:
    session_id = str(uuid.uuid4())
    call(connection, "start_session", user_id, session_id=session_id, duration_minutes=25, **more)
    return session_id


def test_members_hear_who_studies_and_the_feed(project: psycopg.Connection[Any]) -> None:
    """Session and feed events are broadcast immediately, with entries in the API's format."""
    owner = account(project)
    space_id = space(project, owner)
    session_id = study(project, owner, space_id=space_id)
    call(project, "abandon_session", owner, session_id=session_id)
    assert [each["is_studying"] for each in heard(project, space_id, "presence")] == [True, False]
    row = project.execute("select get_space_activity(%s, %s, 10)", [owner, space_id]).fetchone()
    assert row is not None
    feed = {entry["activity_id"]: entry for entry in row[0]}
    told = heard(project, space_id, "activity")
    assert {entry["activity_type"] for entry in told} == {"joined", "session_started"}
    for entry in told:
        assert entry.pop("occurred_at").endswith("Z")
        assert entry.items() <= feed[entry["activity_id"]].items()


def test_who_does_not_share_it_is_not_heard(project: psycopg.Connection[Any]) -> None:
    """No broadcast reveals that a user who hides their activity is studying."""
    owner = account(project)
    space_id = space(project, owner)
    project.execute("update profiles set share_activity = false where user_id = %s", [owner])
    study(project, owner)
    assert heard(project, space_id, "presence") == []


@pytest.mark.parametrize("topic", ["space:{}", "space:{}x", "{}", "space:", "room:{}", "space:not-a-uuid"])
def test_only_members_may_listen(project: psycopg.Connection[Any], topic: str) -> None:
    """A member reads their space's channel, others and former members read nothing, and nobody can send."""
    owner, stranger = account(project), account(project)
    space_id = space(project, owner)
    topic = topic.replace("{}", space_id)
    assert listens(project, owner, topic) is (topic == f"space:{space_id}")
    assert not listens(project, stranger, topic)
    project.execute("delete from space_members where user_id = %s", [owner])
    assert not listens(project, owner, topic)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        send(project, owner, topic)


def send(connection: psycopg.Connection[Any], user_id: str, topic: str) -> None:
    with connection.transaction():
        become(connection, user_id, topic)
        connection.execute("insert into realtime.messages (topic, extension) values (%s, 'broadcast')", [topic])


def become(connection: psycopg.Connection[Any], user_id: str, topic: str) -> None:
    """Set the role and claims, for the rest of the transaction, as Realtime does for a listener."""
    claims = json.dumps({"sub": user_id, "role": "authenticated"})
    connection.execute("set local role authenticated")
    connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
    connection.execute("select set_config('request.jwt.claim.sub', %s, true)", [user_id])
    connection.execute("select set_config('realtime.topic', %s, true)", [topic])


def listens(connection: psycopg.Connection[Any], user_id: str, topic: str) -> bool:
    """Whether Realtime lets a user listen: it looks for a message that the policy shows."""
    with connection.transaction(force_rollback=True):
        connection.execute("insert into realtime.messages (topic, extension) values (%s, 'broadcast')", [topic])
        become(connection, user_id, topic)
        return connection.execute("select 1 from realtime.messages limit 1").fetchone() is not None


def test_nothing_is_broadcast_unasked(project: psycopg.Connection[Any]) -> None:
    """Without the stack's parameter nothing is broadcast."""
    owner = account(project)
    space_id = space(project, owner)
    before = heard(project, space_id, "activity")
    wanted(project, False)
    try:
        study(project, owner, space_id=space_id)
    finally:
        wanted(project, True)
    assert heard(project, space_id, "activity") == before
    assert heard(project, space_id, "presence") == []


def test_a_broadcast_that_fails_takes_nothing_with_it(project: psycopg.Connection[Any]) -> None:
    """When Realtime fails or is missing, the session still starts."""
    owner = account(project)
    space(project, owner)
    for trouble in ("alter table realtime.messages rename to elsewhere", "alter schema realtime rename to elsewhere"):
        with project.transaction(force_rollback=True):
            project.execute(trouble)
            assert study(project, owner)


def test_a_database_without_realtime_is_left_alone(backends: Backends) -> None:
    """Without Realtime nothing is authorised, and enabling broadcasts has no effect."""
    with backends.new_project() as plain, psycopg.connect(plain.dsn, autocommit=True) as connection:
        assert connection.execute("select live.install()").fetchone() == (False,)
        wanted(connection, True)
        assert study(connection, account(connection))
