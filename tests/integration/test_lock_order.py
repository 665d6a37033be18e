"""Writes that touch the same rows in different ways wait for each other, and never deadlock."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from local.backends import Backends
from testing.timeline import violations
from tests.integration.test_space_rules import BROKEN_SPACES, make_accounts, make_spaces

Work = Callable[[psycopg.Connection[Any]], object]
ROUNDS = 25


def at_once(dsn: str, *works: Work) -> list[str]:
    """Run each on a connection of its own, all simultaneously; returns the raised errors as SQLSTATE."""
    start, raised = threading.Barrier(len(works)), []

    def run(work: Work) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("select 1")
            start.wait()
            try:
                work(connection)
            except psycopg.Error as error:
                raised.append(f"{error.sqlstate} {error}")

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def write(function: str, actor: str, **arguments: Any) -> Work:
    return lambda connection: connection.execute(f"select {function}(%s, %s)", [actor, Jsonb(arguments)])


@pytest.fixture
def dsn(backends: Backends) -> str:
    """The database's connection string."""
    assert backends.dsn is not None
    return backends.dsn


def test_spaces_handed_over_crosswise(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """Two owners transfer their spaces to each other simultaneously and repeatedly, without a deadlock."""
    ann, ben = make_accounts(sql, 2)
    spaces = make_spaces(sql, [ann, ben])
    for space, guest in zip(spaces, (ben, ann), strict=True):
        sql.execute("select join_space(%s, %s)", [guest, Jsonb({"space_id": space})])
    owners = [ann, ben]
    for _ in range(ROUNDS):
        heirs = owners[::-1]
        hand_overs = [
            write("change_member_role", owner, space_id=space, member_id=heir, role="owner")
            for owner, space, heir in zip(owners, spaces, heirs, strict=True)
        ]
        assert at_once(dsn, *hand_overs) == []
        owners = heirs
    assert sql.execute(BROKEN_SPACES).fetchall() == []


DELETE_ACCOUNT = "delete from auth.users where id = %s"  # like public.delete_account, and Supabase's own pages


def test_a_member_is_removed_while_their_account_goes(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """The removal finds the member or not, and no membership remains."""
    for _ in range(ROUNDS):
        owner, member = make_accounts(sql, 2)
        spaces = make_spaces(sql, [owner, owner, member])
        for space in spaces[:2]:
            sql.execute("select join_space(%s, %s)", [member, Jsonb({"space_id": space})])
        sql.execute("select join_space(%s, %s)", [owner, Jsonb({"space_id": spaces[2]})])
        raised = at_once(
            dsn,
            lambda connection, member=member: connection.execute(DELETE_ACCOUNT, [member]),
            write("remove_member", owner, space_id=spaces[0], member_id=member, ban=True),
            write("remove_member", owner, space_id=spaces[1], member_id=member),
        )
        assert [error for error in raised if not error.startswith("SS001")] == []
        left = "select count(*) from profiles where user_id = %s"
        assert sql.execute(left, [member]).fetchone() == (0,)
    assert sql.execute(BROKEN_SPACES).fetchall() == []
    assert violations(sql) == []


def test_silent_sessions_are_closed_while_spaces_change_hands(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """The schedule closes sessions of many users in one transaction, in whatever order they fell silent."""
    ann, ben = make_accounts(sql, 2)
    (space,) = make_spaces(sql, [ann])
    sql.execute("select join_space(%s, %s)", [ben, Jsonb({"space_id": space})])
    owners = [ann, ben]
    for number in range(ROUNDS):
        for user, minutes in zip((ann, ben) if number % 2 else (ben, ann), (200, 190), strict=True):
            sql.execute(
                """insert into study_sessions
                     (session_id, user_id, duration_minutes, started_at, last_activity_at, progress)
                   select %s, %s, 25, at, at, internal.initial_progress(at)
                   from (select internal.clock() - %s * interval '1 minute' as at) began""",
                [uuid.uuid4(), user, minutes],
            )
        hand_over = write("change_member_role", owners[0], space_id=space, member_id=owners[1], role="owner")
        assert at_once(dsn, hand_over, lambda c: c.execute("select close_silent_sessions('soft', 200)")) == []
        owners.reverse()
        sql.execute("select close_silent_sessions('soft', 200)")
    assert sql.execute(BROKEN_SPACES).fetchall() == []


def test_a_ban_waits_for_an_account_that_goes(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """After the account is deleted there is nobody to ban, and the answer says so."""
    owner, guest = make_accounts(sql, 2)
    (space,) = make_spaces(sql, [owner])
    ban = write("remove_member", owner, space_id=space, member_id=guest, ban=True)
    raised = during(dsn, sql, "delete from auth.users where id = %s", [guest], ban, "select remove_member(%")
    assert [error[:5] for error in raised] == ["SS001"]


def test_a_ban_waits_for_who_is_paid_there(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """A payment locks its space before the member, and a ban that waits for it holds neither lock."""
    owner, guest = make_accounts(sql, 2)
    (space,) = make_spaces(sql, [owner])
    sql.execute("select join_space(%s, %s)", [guest, Jsonb({"space_id": space})])
    ban = write("remove_member", owner, space_id=space, member_id=guest, ban=True, invite_code=uuid.uuid4().hex)

    def pay(connection: psycopg.Connection[Any]) -> object:
        member = "select from space_members where space_id = %s and user_id = %s for key share"
        return connection.execute(member, [space, guest])

    lock = "select internal.lock_space_against_deletion(%s)"
    assert during(dsn, sql, lock, [space], ban, "select remove_member(%", pay) == []
    assert sql.execute("select from space_members where user_id = %s", [guest]).fetchall() == []


def test_a_ban_sees_an_address_that_is_changing(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """The ban waits for the new address, so that neither address opens the space."""
    owner, guest = make_accounts(sql, 2)
    (space,) = make_spaces(sql, [owner])
    ban = write("remove_member", owner, space_id=space, member_id=guest, ban=True)
    change = "update auth.users set email = 'new' || email where id = %s"
    assert during(dsn, sql, change, [guest], ban, "select remove_member(%") == []
    banned = "select count(*) from internal.banned_mailboxes where space_id = %s"
    assert sql.execute(banned, [space]).fetchone() == (2,)


def during(
    dsn: str,
    sql: psycopg.Connection[Any],
    statement: str,
    arguments: list[Any],
    work: Work,
    waits_in: str | None,
    at_last: Work | None = None,
) -> list[str]:
    """Run `work` while a transaction with `statement` is open; with `waits_in` it ends once the work waits for it.

    Without, the work must get done before. The transaction does `at_last` before it ends.
    """
    raised: list[str] = []
    thread = threading.Thread(target=lambda: raised.extend(at_once(dsn, work)))
    with psycopg.connect(dsn) as going:
        going.execute(statement, arguments)
        thread.start()
        waiting = "select true from pg_locks l join pg_stat_activity a using (pid) where not granted and query like %s"
        until = time.monotonic() + 10
        while waits_in and not sql.execute(waiting, [waits_in]).fetchall() and time.monotonic() < until:
            assert thread.is_alive(), raised
        if waits_in is None:
            thread.join(10)
            assert not thread.is_alive()
        if at_last is not None:
            at_last(going)
    thread.join()
    return raised


def delete_space(owner: str, space: str) -> tuple[str, list[Any]]:
    return "select delete_space(%s, %s)", [owner, Jsonb({"space_id": space})]


def test_a_badge_is_earned_while_another_space_goes(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """A session is completed without waiting for the deletion of a space that the student is in."""
    owner, student = make_accounts(sql, 2)
    (space,) = make_spaces(sql, [owner])
    sql.execute("select join_space(%s, %s)", [student, Jsonb({"space_id": space})])
    session = str(uuid.uuid4())
    sql.execute("select start_session(%s, %s)", [student, Jsonb({"session_id": session, "duration_minutes": 25})])
    complete = write("complete_session", student, session_id=session, mode="soft")
    assert during(dsn, sql, *delete_space(owner, space), complete, None) == []
    ended = "select status from study_sessions where session_id = %s"
    assert sql.execute(ended, [session]).fetchone() == ("completed",)


def test_badges_are_given_while_an_account_goes(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """The user whose account is being deleted gets no badge, all others do, and the schedule succeeds."""
    going, staying = make_accounts(sql, 2)
    for user in (going, staying):
        sql.execute("update user_stats set completed_sessions = 1 where user_id = %s", [user])
    sql.execute(
        "insert into badges (badge_key, name, description, metric, threshold) values ('new', 'N', 'N', %s, 1)",
        ["completed_sessions"],
    )
    backfill: Work = lambda connection: connection.execute("select backfill_badges()")  # noqa: E731
    try:
        assert during(dsn, sql, DELETE_ACCOUNT, [going], backfill, None) == []
        given = "select user_id::text from user_badges where badge_key = 'new' and user_id = any (%s::uuid[])"
        assert sql.execute(given, [[going, staying]]).fetchall() == [(staying,)]
    finally:
        sql.execute("delete from badges where badge_key = 'new'")
        sql.execute("update user_stats set completed_sessions = 0 where user_id = %s", [staying])


def test_an_offline_session_ends_while_its_space_goes(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """Both lock the space before the session, so one waits for the other."""
    for _ in range(ROUNDS):
        owner, student = make_accounts(sql, 2)
        (space,) = make_spaces(sql, [owner])
        sql.execute("select join_space(%s, %s)", [student, Jsonb({"space_id": space})])
        session = str(uuid.uuid4())
        begin = {"session_id": session, "duration_minutes": 25, "space_id": space}
        sql.execute("select start_session(%s, %s)", [student, Jsonb(begin)])
        now = sql.execute("select internal.clock()").fetchone()
        assert now is not None
        events = [
            {"event_id": str(uuid.uuid4()), "session_id": session, "event_type": kind, "created_at": now[0].isoformat(),
             "fingerprint": kind} for kind in ("heartbeat", "complete")
        ]  # fmt: skip
        sync = write("sync_offline", student, events=events, mode="soft", client_id="phone")
        raised = at_once(dsn, sync, write("delete_space", owner, space_id=space))
        assert raised == []


def test_spaces_with_the_same_members_go_at_once(dsn: str, sql: psycopg.Connection[Any]) -> None:
    """Deletions lock the members' counters in a common order, so they cannot deadlock."""
    for _ in range(ROUNDS):
        users = make_accounts(sql, 4)
        spaces = make_spaces(sql, users[:2])
        for space, guests in zip(spaces, (users[1:], [users[0], *users[:1:-1]]), strict=True):
            for guest in guests:
                sql.execute("select join_space(%s, %s)", [guest, Jsonb({"space_id": space})])
        deletions = [write("delete_space", user, space_id=space) for user, space in zip(users, spaces, strict=False)]
        assert at_once(dsn, *deletions) == []
