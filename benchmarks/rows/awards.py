"""Awards with 20 concurrent workers: throughput, errors, and violations of the invariants afterwards."""

from __future__ import annotations

import random
import threading
import time

import psycopg

from benchmarks.harness import Figure, Row, Stage
from benchmarks.rows._database import begin_session, complete_session, random_users, students

WORKERS, SECONDS, BATCHES = 20, 3.0, 3
# The award for a completed session, with the user locked: ledger, totals, study day, boards, badges, change log.
_AWARD = """
select internal.award_session(u.user_id, gen_random_uuid(), null, null, time, now())
from internal.lock_user(%s) u, tstzmultirange(tstzrange(now() - interval '25 minutes', now())) time"""

# A bare award has no session, so the invariants that compare sessions with awards are left out.
_WRONG = """
select count(*) from check_invariants() where invariant not like 'paid once%' and invariant not like 'completed%'"""


def run(stage: Stage) -> list[Row]:
    """Measure awards to 5,000 users, awards to 12 users, and whole sessions."""
    with students(stage, 10_000) as (project, connection):
        many = random_users(connection, 5_000)
        awards, errors = _rates(stage, "awards to 5,000 users", project.dsn, many, whole=False)
        few, more = _rates(stage, "awards to 12 users", project.dsn, many[:12], whole=False)
        sessions, yet_more = _rates(stage, "whole sessions", project.dsn, many, whole=True)
        row = connection.execute(_WRONG).fetchone()
    assert row is not None
    wrong = errors + more + yet_more
    return [
        Row(
            f"awards per second with {WORKERS} workers",
            "at least 500, without errors",
            0.0 if wrong or row[0] else awards.median,
            500,
            "per second",
            [awards, few, sessions],
            at_least=True,
            note=f"{len(wrong)} errors {sorted(set(wrong)) or ''}; {row[0]} violations of the invariants afterwards. "
            f"{BATCHES} batches of {SECONDS:.0f} s each, with the {WORKERS} clients on the same two cores. "
            "An award writes ledger, totals, study "
            "day, boards, badges and change log; a whole session is started, sends 7 heartbeats and is completed.",
        )
    ]


def _rates(stage: Stage, title: str, dsn: str, users: list[str], *, whole: bool) -> tuple[Figure, list[str]]:
    rates: list[float] = []
    errors: list[str] = []
    with stage.bar(title, BATCHES) as advance:
        for batch in range(BATCHES):
            done = [0] * WORKERS
            ready = threading.Barrier(WORKERS)
            workers = [
                threading.Thread(target=_work, args=[dsn, users, whole, batch * WORKERS + n, n, done, ready, errors])
                for n in range(WORKERS)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            rates.append(sum(done) / SECONDS)
            advance()
    return Figure.of(title, rates), errors


def _work(
    dsn: str,
    users: list[str],
    whole: bool,
    seed: int,
    number: int,
    done: list[int],
    ready: threading.Barrier,
    errors: list[str],
) -> None:
    dice = random.Random(seed)
    with psycopg.connect(dsn, autocommit=True) as connection:
        ready.wait()
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            # A student can have only one active session, so with whole sessions each worker has its own students.
            user = dice.choice(users[number::WORKERS] if whole else users)
            try:
                if whole:
                    complete_session(connection, user, begin_session(connection, user))
                else:
                    connection.execute(_AWARD, [user])
            except psycopg.Error as error:
                errors.append(type(error).__name__)
            else:
                done[number] += 1
