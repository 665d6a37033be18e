"""Leaderboards and completions at a million users, with plain SQL as the baseline for leaderboards."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Figure, Row, Stage, timed
from benchmarks.rows._database import (
    MILLION,
    WARM,
    Connection,
    begin_session,
    complete_session,
    one,
    random_users,
    students,
)

READS, PLAIN_READS, COMPLETIONS = 500, 5, 300
_BOARD = "select board_id from leaderboards where period = 'all-time' and space_id is null"
_MINE = "select xp from leaderboard_scores where board_id = %s and user_id = %s"


def run(stage: Stage) -> list[Row]:
    """Measure pages, own ranks and completions at 1,000,000 users, with completions at 1,000 users as the baseline."""
    with students(stage, MILLION) as (_, million), students(stage, 1_000) as (_, thousand):
        return [_pages(stage, million), _ranks(stage, million), _completions(stage, million, thousand)]


def _pages(stage: Stage, connection: Connection) -> Row:
    board, users = one(connection, _BOARD), random_users(connection, READS, seed=2)
    positions = [
        connection.execute(
            "select xp, reached_at, user_id from leaderboard_scores where board_id = %s and user_id = %s", [board, user]
        ).fetchone()
        for user in users
    ]
    turns = itertools.cycle(positions)
    ours = "select internal.leaderboard_page(%s, 50, %s, %s, %s)"
    plain = """select * from (
                 select user_id, xp, rank() over (order by xp desc) from leaderboard_scores where board_id = %s) r
               join profiles using (user_id) order by rank, user_id offset %s limit 50"""
    first = "select internal.leaderboard_page(%s, 50, null, null, null)"
    dice = random.Random(3)
    figures = _measure(
        stage,
        "Leaderboard pages",
        {
            "a page from any position": (lambda: connection.execute(ours, [board, *(next(turns) or ())]), READS),
            "the first page": (lambda: connection.execute(first, [board]), READS),
            "plain: rank() over, offset": (
                lambda: connection.execute(plain, [board, dice.randrange(MILLION)]),
                PLAIN_READS,
            ),
        },
    )
    return Row(
        "leaderboard page of 50 at 1,000,000 users",
        "p95 within 2 ms in the database",
        figures[0].high,
        2.0,
        "ms",
        figures,
        value_label="p95",
        note=WARM,
    )


def _ranks(stage: Stage, connection: Connection) -> Row:
    board, users = one(connection, _BOARD), random_users(connection, READS, seed=4)
    turns = itertools.cycle(users)
    whole = "select get_leaderboard(%s, 'all-time', null, null, 50, false)"
    ours = f"select internal.rank_of(%s, ({_MINE}))"
    count = f"select 1 + count(*) from leaderboard_scores where board_id = %s and xp > ({_MINE})"
    plain = """select rank from (
                 select user_id, rank() over (order by xp desc) from leaderboard_scores where board_id = %s) r
               where user_id = %s"""

    def ask(query: str) -> Callable[[], object]:
        def work() -> object:
            user = next(turns)
            parameters = [user] if query == whole else [board, user] if query == plain else [board, board, user]
            return connection.execute(query, parameters)

        return work

    for user in users[:20]:
        assert one(connection, ours, [board, board, user]) == one(connection, count, [board, board, user])
    figures = _measure(
        stage,
        "Own ranks",
        {
            "own place with exact rank and total": (ask(whole), READS),
            "only the rank": (ask(ours), READS),
            "plain: count(*) of the users above": (ask(count), 10 * PLAIN_READS),
            "plain: rank() over": (ask(plain), PLAIN_READS),
        },
    )
    return Row(
        "exact rank at 1,000,000 users",
        "p95 within 5 ms in the database",
        figures[0].high,
        5.0,
        "ms",
        figures,
        value_label="p95",
        note=WARM + " Before that, 20 ranks were verified by counting.",
    )


def _completions(stage: Stage, million: Connection, thousand: Connection) -> Row:
    samples: dict[str, list[float]] = {"at 1,000,000 users": [], "at 1,000 users": []}
    both = [
        (label, connection, random_users(connection, COMPLETIONS, seed=5))
        for label, connection in zip(samples, (million, thousand), strict=True)
    ]
    warm = 20
    with stage.bar("Completions", COMPLETIONS) as advance:
        for number in range(COMPLETIONS):
            for label, connection, users in both:
                user = users[number % len(users)]
                session = begin_session(connection, user)

                def complete(connection: Connection = connection, user: str = user, session: str = session) -> None:
                    complete_session(connection, user, session)

                spent = timed(complete)
                if number >= warm:
                    samples[label].append(spent)
            advance()
    figures = [Figure.of(label, found) for label, found in samples.items()]
    return Row(
        "completing a session at 1,000,000 users",
        "at most 1.3 x its time at 1,000 users",
        figures[0].median / figures[1].median,
        1.3,
        "ms",
        figures,
        value_label="ratio of the medians",
        value_unit="",
        note="One transaction each: credit, suspicion, XP, streak, badges, three boards, change log.",
    )


def _measure(stage: Stage, title: str, works: dict[str, tuple[Callable[[], Any], int]]) -> list[Figure]:
    """Interleave works with different numbers of rounds, spread evenly; drop the first 5 % of each as warm-up."""
    most = max(rounds for _, rounds in works.values())
    samples: dict[str, list[float]] = {label: [] for label in works}
    with stage.bar(title, most) as advance:
        for number in range(most):
            for label, (work, rounds) in works.items():
                if number % (most // rounds) == 0:
                    samples[label].append(timed(work))
            advance()
    return [Figure.of(label, [*found][len(found) // 20 :]) for label, found in samples.items()]
