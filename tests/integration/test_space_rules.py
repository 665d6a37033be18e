"""One owner, correct member counts and scores of members only, after any actions, sequential or concurrent."""

from __future__ import annotations

import random
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.backends import Backends
from testing.client import Api
from testing.timeline import completed_session, violations

BROKEN_SPACES = """
select s.space_id, s.member_count, count(m.*), count(m.*) filter (where m.role = 'owner') from spaces s
left join space_members m using (space_id) group by s.space_id
having count(m.*) <> s.member_count or count(m.*) filter (where m.role = 'owner') <> 1 or count(m.*) > s.capacity
"""
ACTIONS = ["join", "leave", "kick", "ban", "promote", "demote", "hand_over", "study", "delete_account", "update"]
steps = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5), st.integers(0, 5), st.integers(0, 1)), max_size=40
)
REFUSALS = {"SS001", "SS002", "SS003", "SS006", "SS030", "SS031"}


def act(connection: psycopg.Connection[Any], action: str, actor: str, target: str, space: str) -> None:
    """Run one action as the API would; refusals by the rules are accepted, any other error is not."""
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "join": ("join_space", {}),
        "leave": ("leave_space", {}),
        "kick": ("remove_member", {"member_id": target}),
        "ban": ("remove_member", {"member_id": target, "ban": True}),
        "promote": ("change_member_role", {"member_id": target, "role": "moderator"}),
        "demote": ("change_member_role", {"member_id": target, "role": "member"}),
        "hand_over": ("change_member_role", {"member_id": target, "role": "owner"}),
        "update": ("update_space", {"capacity": 4}),
    }
    try:
        with connection.transaction():
            if action == "study":
                connection.execute("select internal.lock_user(%s)", [actor])
                completed_session(connection, actor, datetime.now(UTC), 5, space)
            elif action == "delete_account":
                connection.execute("delete from auth.users where id = %s", [actor])
            else:
                function, arguments = calls[action]
                arguments = {"space_id": space, **arguments}
                connection.execute(f"select {function}(%s, %s)", [actor, psycopg.types.json.Jsonb(arguments)])
    except psycopg.errors.ForeignKeyViolation:
        # A session in a deleted space cannot even be inserted; the API refuses it earlier.
        if action != "study":
            raise
    except psycopg.Error as error:
        if error.sqlstate not in REFUSALS:
            raise


def make_accounts(connection: psycopg.Connection[Any], count: int) -> list[str]:
    rows = [
        connection.execute(
            """insert into auth.users (id, email, raw_user_meta_data)
               values (gen_random_uuid(), %(name)s || '@example.test', jsonb_build_object('username', %(name)s::text))
               returning id::text""",
            {"name": f"m_{uuid.uuid4().hex[:20]}"},
        ).fetchone()
        for _ in range(count)
    ]
    return [row[0] for row in rows if row]


def make_spaces(connection: psycopg.Connection[Any], owners: list[str]) -> list[str]:
    spaces = [str(uuid.uuid4()) for _ in owners]
    for owner, space in zip(owners, spaces, strict=True):
        arguments = {
            "space_id": space,
            "name": "S",
            "visibility": "public",
            "capacity": 5,
            "invite_code": uuid.uuid4().hex,
        }
        connection.execute("select create_space(%s, %s)", [owner, psycopg.types.json.Jsonb(arguments)])
    return spaces


@pytest.mark.properties
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_sequence_leaves_one_owner(sql: psycopg.Connection[Any], steps: list[tuple[str, int, int, int]]) -> None:
    """After every action each remaining space has exactly one owner and a correct member count."""
    with sql.transaction(force_rollback=True):
        users = make_accounts(sql, 6)
        spaces = make_spaces(sql, users[:2])
        for action, actor, target, space in steps:
            act(sql, action, users[actor], users[target], spaces[space])
            assert sql.execute(BROKEN_SPACES).fetchall() == [], (action, actor, target, space)
        assert violations(sql) == []


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_leave_one_owner(backends: Backends, api: Api, sql: psycopg.Connection[Any], seed: int) -> None:
    """Eight workers act at random for a limited time: no broken space, no drift, no error but the rules' own."""
    users = make_accounts(sql, 12)
    spaces = make_spaces(sql, users[:3])
    deadline, errors = time.monotonic() + 1.5, []

    def work(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        assert backends.dsn is not None
        with psycopg.connect(backends.dsn, autocommit=True) as connection:
            while time.monotonic() < deadline:
                action = dice.choices(ACTIONS, weights=[20, 5, 5, 1, 5, 5, 5, 10, 0.2, 2])[0]
                try:
                    act(connection, action, dice.choice(users), dice.choice(users), dice.choice(spaces))
                except psycopg.Error as error:
                    errors.append((action, error))

    workers = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert sql.execute(BROKEN_SPACES).fetchall() == []
    assert violations(sql) == []
