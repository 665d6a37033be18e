"""Space discovery over 100,000 spaces, and the member list of a full space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from benchmarks.harness import Row, Stage
from benchmarks.rows._api import Caller, in_process
from benchmarks.rows._database import Connection, one, random_users
from local.demo import Term, load_term

SPACES, MEMBERS, ROUNDS = 100_000, 500, 150
_WORDS = """algebra chemistry thesis anatomy latin statistics law japanese physics compilers history economics"""
_FILL = """
insert into spaces (space_id, name, visibility, capacity, invite_code, created_at)
select md5('space ' || n)::uuid, initcap((%(words)s::text[])[1 + n %% 12]) || ' '
         || (array['night', 'early', 'quiet', 'winter', 'exam'])[1 + n / 12 %% 5] || ' group ' || n
         || case when n = 77777 then ' zymurgy' else '' end,
       case when n %% 19 = 0 then 'private' else 'public' end, 50, md5('code ' || n), now() - n * interval '1 minute'
from generate_series(1, %(spaces)s) n;
"""
_FULL = """
insert into spaces (space_id, name, visibility, capacity, invite_code)
values (md5('full')::uuid, 'Full', 'private', %(members)s, md5('full code'));
"""
_JOIN = """
insert into space_members (space_id, user_id, role, joined_at)
select md5('full')::uuid, user_id, case n when 1 then 'owner' else 'member' end, now() - n * interval '1 second'
from (select user_id, row_number() over (order by user_id) as n from profiles) p where n <= %s
"""


def run(stage: Stage) -> list[Row]:
    """Measure discovery by kind of query, and the member list in the database and through the API."""
    backends = stage.backends
    with psycopg.connect(str(backends.dsn), autocommit=True) as connection:
        load_term(connection, Term(users=MEMBERS, weeks=2), stage.say("Loading students"))
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")
            connection.execute(_FILL, {"words": _WORDS.split(), "spaces": SPACES})
            connection.execute(_FULL, {"members": MEMBERS})
            connection.execute(_JOIN, [MEMBERS])
            connection.execute("update spaces set member_count = %s where name = 'Full'", [MEMBERS])
        connection.execute("vacuum (analyze) spaces")
        connection.execute("vacuum (analyze) space_members")
        return [_discovery(stage, connection), _members(stage, connection)]


def _discovery(stage: Stage, connection: Connection) -> Row:
    user = random_users(connection, 1)[0]
    deep = (
        "select created_at, space_id from spaces where visibility = 'public' order by created_at desc offset %s limit 1"
    )
    at, after = connection.execute(deep, [SPACES // 2]).fetchone() or (None, None)
    queries: dict[str, tuple[Any, ...]] = {
        "no query": (None, None, None),
        "no query, middle page": (None, at, after),
        "one letter": ("a", None, None),
        "two letters, no match": ("qz", None, None),
        "common: 1 of 12": ("algebra", None, None),
        "common, middle page": ("algebra", at, after),
        "in every name": ("group", None, None),
        "in every name, middle page": ("group", at, after),
        "two words: 1 of 60": ("algebra night", None, None),
        "rare: one": ("zymurgy", None, None),
        "absent": ("quidditch", None, None),
        "absent, made of common parts": ("group algebra", None, None),
    }

    def search(parameters: tuple[Any, ...]) -> Callable[[], object]:
        return lambda: connection.execute(
            "select search_spaces(%s, %s, 50, %s, %s)", [user, parameters[0], *parameters[1:]]
        )

    figures = stage.interleave("Discovery", {label: search(found) for label, found in queries.items()}, ROUNDS)
    plain = "select * from spaces where lower(name) like '%zymurgy%' order by created_at desc limit 51"
    with connection.transaction():
        connection.execute("set local enable_bitmapscan = off")
        figures += stage.interleave(
            "A scan", {"plain: a scan for the rare word": lambda: connection.execute(plain)}, 10
        )
    worst = max(figures[:-1], key=lambda figure: figure.median)
    return Row(
        f"discovery over {SPACES:,} spaces",
        "within 20 ms in the database, for any query",
        worst.median,
        20.0,
        "ms",
        figures,
        value_label=f"median of the slowest query: {worst.label}",
    )


def _members(stage: Stage, connection: Connection) -> Row:
    space = one(connection, "select space_id::text from spaces where name = 'Full'")
    owner = one(connection, "select user_id::text from space_members where space_id = %s and role = 'owner'", [space])
    names: dict[str, Callable[[], object]] = {
        "in the database": lambda: connection.execute("select get_space_members(%s, %s)", [owner, space]),
    }
    figures = stage.interleave("Members in the database", names, ROUNDS)
    with in_process(stage.backends) as api:
        caller = Caller(api, owner)
        figures += stage.interleave(
            "Members through the API", {"through the API": lambda: caller.get(f"/api/spaces/{space}/members")}, ROUNDS
        )
    return Row(
        f"members of a space of {MEMBERS}",
        "within 30 ms through the API",
        figures[1].median,
        30.0,
        "ms",
        figures,
        value_label="median through the API, in process",
    )
