"""The migrations with the privileges of hosted Supabase, where no superuser runs them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo
from psycopg.types.json import Jsonb

from local.backends import Backends
from local.stack_directory import REPOSITORY

PASSWORD = "hosted"
# What `postgres` has there: ownership of the database's schemas, use of Supabase Auth's data, and no more.
ROLE = f"""
create role hosted login nosuperuser createrole bypassrls password '{PASSWORD}';
grant create on database studysync to hosted;
grant all on schema public, extensions to hosted;
alter schema public owner to hosted;
grant usage on schema auth to hosted;
grant all on all tables in schema auth to hosted;
grant execute on all functions in schema auth to hosted;
"""


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to a database that was migrated by a role without superuser rights."""
    folder = tmp_path_factory.mktemp("hosted")
    nothing = folder / "migrations"
    nothing.mkdir()
    with Backends(folder / "home", durable=False, migrations=nothing) as backends:
        assert backends.dsn is not None
        with psycopg.connect(backends.dsn, autocommit=True) as connection:
            connection.execute(ROLE)
            _migrate(conninfo.make_conninfo(backends.dsn, user="hosted", password=PASSWORD))
            yield connection


def _migrate(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for migration in sorted(Path(REPOSITORY, "supabase", "migrations").glob("*.sql")):
            with connection.transaction():
                connection.execute(migration.read_text(encoding="utf-8").encode())


def _account(connection: psycopg.Connection[Any]) -> str:
    connection.execute("set role supabase_auth_admin")
    name = f"h_{uuid.uuid4().hex[:16]}"
    row = connection.execute(
        """insert into auth.users (id, email, raw_user_meta_data)
           values (gen_random_uuid(), %s, jsonb_build_object('username', %s::text)) returning id::text""",
        [f"{name}@example.test", name],
    ).fetchone()
    connection.execute("reset role")
    assert row is not None
    user_id: str = row[0]
    return user_id


def _call(connection: psycopg.Connection[Any], function: str, user_id: str, **arguments: Any) -> Any:
    connection.execute("set role service_role")
    row = connection.execute(f"select {function}(%s, %s)", [user_id, Jsonb(arguments)]).fetchone()
    connection.execute("reset role")
    assert row is not None
    return row[0]


def test_the_whole_life_of_an_account(hosted: psycopg.Connection[Any]) -> None:
    """Supabase Auth creates the account, the service role does everything else, and no further rights are needed."""
    user_id, space_id = _account(hosted), str(uuid.uuid4())
    code = uuid.uuid4().hex[:14].upper()
    _call(hosted, "create_space", user_id, space_id=space_id, name="S", visibility="public", invite_code=code)
    session_id = str(uuid.uuid4())
    _call(hosted, "start_session", user_id, session_id=session_id, duration_minutes=25, space_id=space_id)
    outcome = _call(hosted, "complete_session", user_id, session_id=session_id, mode="soft")
    assert (outcome["xp_awarded"], outcome["new_badges"]) == (1, ["first_session"])
    assert hosted.execute("select * from check_invariants()").fetchall() == []
    hosted.execute("set role supabase_auth_admin")
    row = hosted.execute(
        "insert into auth.sessions (id, user_id, created_at) values (%s, %s, now()) returning id::text",
        [str(uuid.uuid4()), user_id],
    ).fetchone()
    hosted.execute("reset role")
    assert row is not None
    hosted.execute("set role service_role")
    described = (
        "select describe_auth_session(%s, %s, 'Phone'), jsonb_array_length(export_account(%s, null, null, 100)) > 5"
    )
    assert hosted.execute(described, [user_id, row[0], user_id]).fetchone() == (None, True)
    hosted.execute("reset role")
    assert _call(hosted, "delete_account", user_id, auth_session=row[0], verified=False)["deleted"] is True
    assert hosted.execute("select count(*) from auth.users where id = %s", [user_id]).fetchone() == (0,)
    assert hosted.execute("select count(*) from spaces where space_id = %s", [space_id]).fetchone() == (0,)


def test_supabase_auth_may_forget_a_registration(hosted: psycopg.Connection[Any]) -> None:
    """Supabase Auth creates the account and on confirmation writes the metadata again; they are stored once."""
    name = f"h_{uuid.uuid4().hex[:16]}"
    registration = {"key": "k", "scope": name, "fingerprint": "f"}
    metadata = Jsonb({"username": name, "registration": registration})
    hosted.execute("set role supabase_auth_admin")
    hosted.execute(
        "insert into auth.users (id, email, raw_user_meta_data) values (gen_random_uuid(), %s, %s)",
        [f"{name}@example.test", metadata],
    )
    hosted.execute(
        """update auth.users set raw_user_meta_data = %s || '{"email_verified": true}', email_confirmed_at = now()
           where email = %s""",
        [metadata, f"{name}@example.test"],
    )
    hosted.execute("reset role")
    found = hosted.execute(
        """select raw_user_meta_data, (select count(*) from registration_keys where scope = %s) from auth.users
           where email = %s""",
        [name, f"{name}@example.test"],
    ).fetchone()
    assert found == ({"username": name, "email_verified": True}, 1)


def test_an_account_that_is_deleted_by_supabase_auth(hosted: psycopg.Connection[Any]) -> None:
    """When Supabase's administration deletes an account, all our data of it is deleted."""
    user_id = _account(hosted)
    hosted.execute("set role supabase_auth_admin")
    hosted.execute("delete from auth.users where id = %s", [user_id])
    hosted.execute("reset role")
    assert hosted.execute("select count(*) from profiles where user_id = %s", [user_id]).fetchone() == (0,)


def test_bans_searches_and_the_trail(hosted: psycopg.Connection[Any]) -> None:
    """Functions that need accounts, statistics and index names run with the owner's rights."""
    owner, guest, space_id = _account(hosted), _account(hosted), str(uuid.uuid4())
    code = uuid.uuid4().hex[:14].upper()
    _call(hosted, "create_space", owner, space_id=space_id, name="Study", visibility="public", invite_code=code)
    hosted.execute("set role supabase_auth_admin")
    hosted.execute("update auth.users set email = 'new' || email where id = %s", [guest])
    hosted.execute("reset role")
    assert _call(hosted, "remove_member", owner, space_id=space_id, member_id=guest, ban=True)["banned"] is True
    assert hosted.execute("select count(*) from internal.banned_mailboxes").fetchone() == (2,)
    hosted.execute("set role service_role")
    found = hosted.execute(
        """select jsonb_array_length(search_users('zzz h_', 5) -> 'users'),
                  jsonb_array_length(search_spaces(%(id)s, 'tud', 5) -> 'spaces'),
                  jsonb_array_length(get_audit(%(id)s, 50) -> 'entries') > 3, purge_audit_log()""",
        {"id": owner},
    ).fetchone()
    hosted.execute("reset role")
    assert found == (0, 1, True, 0)
