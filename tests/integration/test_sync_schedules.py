"""Offline sync against the contract's model, over random histories with every kind of delivery failure.

`SCHEDULES=10000 make test ARGS="tests/integration/test_sync_schedules.py -n 2"` runs the long version.
"""

from __future__ import annotations

import os
import random
import threading
from typing import Any

import psycopg
import pytest

from local.backends import Backends
from testing.account import Account
from testing.clock import DatabaseClock
from testing.histories import History, differences, make_account, play, state_by_model, state_of
from testing.timeline import violations

SCHEDULES = int(os.environ.get("SCHEDULES", "80"))
FIRST = int(os.environ.get("FIRST_SCHEDULE", "0"))
WORKERS = 8


@pytest.mark.parametrize("part", range(4))
def test_random_histories_end_as_the_model(sql: psycopg.Connection[Any], clock: DatabaseClock, part: int) -> None:
    """The result equals the model's, with schedule runs at random times, zone changes and strict mode."""
    size = SCHEDULES // 4
    for seed in range(FIRST + part * size, FIRST + (part + 1) * size):
        dice = random.Random(seed)
        history = History(dice, strict=seed % 5 == 0)
        account = make_account(sql, clock, history)
        student = play(history, random.Random(seed + 1), account, dice.choice([0, 0, 3, 10]))
        found, expected = state_of(sql, account, history.end), state_by_model(student, history.end)
        if history.moves:  # a day that a new zone lengthens may end in another period than when its bonus was paid
            for state in (found, expected):
                state["boards"] = state["boards"].get("all-time")
        assert differences(found, expected) == [], seed
    assert violations(sql) == []


@pytest.mark.parametrize("seed", range(2_000_000, 2_000_004))
def test_several_deliveries_of_one_history_end_in_one_state(
    sql: psycopg.Connection[Any], clock: DatabaseClock, seed: int
) -> None:
    """Any split, order, delay and calls killed before the commit give the same state."""
    history = History(random.Random(seed))
    history.moves = []  # whose effect depends on existing data
    states = []
    for number in range(3):
        with sql.transaction(force_rollback=True):
            account = make_account(sql, clock, history)
            deliver = random.Random(seed + number)
            with sql.transaction(force_rollback=True):
                for at, device, batch in history.batches(deliver)[:3]:
                    account.send([told.event for told in batch], at, client_id=f"device {device}")
            play(history, deliver, account, 0)
            states.append(state_of(sql, account, history.end))
    assert [differences(state, states[0]) for state in states] == [[], [], []]


def test_batches_at_once_end_as_one_after_the_other(
    backends: Backends, sql: psycopg.Connection[Any], clock: DatabaseClock
) -> None:
    """When eight workers send the same overlapping batches concurrently, every event is applied once."""
    assert backends.dsn is not None
    errors: list[BaseException] = []
    for seed in range(1_000_000, 1_000_005):
        history = History(random.Random(seed), exact=True)
        history.moves = []
        first = make_account(sql, clock, history)
        expected = play(history, random.Random(seed), first, 0)
        sql.execute("delete from auth.users where id = %s", [first.user_id])  # which frees the ids of its sessions
        account = make_account(sql, clock, history)
        clock.freeze(history.end)
        batches = history.batches(random.Random(seed))
        start = threading.Barrier(WORKERS)

        def work(batches: list[Any] = batches, account: Account = account, start: threading.Barrier = start) -> None:
            try:
                with psycopg.connect(backends.dsn, autocommit=True) as connection:
                    mine = Account.__new__(Account)
                    mine.__dict__.update(account.__dict__, connection=connection)
                    start.wait()
                    for _, device, batch in batches:
                        mine.send([told.event for told in batch], client_id=f"device {device}")
            except BaseException as error:  # noqa: BLE001  # shown by the assertion below
                errors.append(error)

        workers = [threading.Thread(target=work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert errors == []
        account.run_schedule(history.end.replace(year=history.end.year + 1))
        clock.freeze(history.end)
        found, model = state_of(sql, account, history.end), state_by_model(expected, history.end)
        assert differences(found | {"boards": 0}, model | {"boards": 0}) == [], seed
    assert violations(sql) == []
