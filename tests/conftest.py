"""Fixtures over the real database: one stack a test process, a fresh student a test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from local.backends import Backends
from local.dynamodb import DynamoDB
from local.home import Home, Ports
from tests.support.client import Api, Operator, Student
from tests.support.clock import DatabaseClock

# What is asked here is on this machine, whatever proxy the shell has for the rest of the world.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"

# The same examples at every run of CI; new ones wherever people run the tests.
# Without deadlines: how long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """PostgreSQL, PostgREST, auth and DynamoDB, for as long as this test process lives.

    POSTGRES_PROGRAMS, the folder of another version's programs, has all tests run on that one.
    """
    programs = os.environ.get("POSTGRES_PROGRAMS")
    home = tmp_path_factory.mktemp("stack")
    with Backends(home, durable=False, programs=Path(programs) if programs else None, limited=False) as running:
        before = dict(os.environ)
        # Many students, one address. Nobody waits for mails but who tests how long they take.
        limits = {"RATE_LIMIT_PER_MINUTE": "1000000", "RATE_LIMIT_PER_HOUR": "10000000"}
        os.environ.update(running.environment, **limits, MAIL_ANSWER_SECONDS="0.05")
        _age_accounts(running)
        yield running
        os.environ.clear()
        os.environ.update(before)


def _age_accounts(backends: Backends) -> None:
    """Let every account be years old, so that tests may tell of days gone by; who tests its age sets it."""
    assert backends.dsn is not None
    with psycopg.connect(backends.dsn, autocommit=True) as connection:
        connection.execute("alter table profiles alter created_at set default '2020-01-01'")


@pytest.fixture(scope="session")
def dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDB]:
    """DynamoDB alone, empty, for tests that make tables of their own; `backends` has another."""
    home = Home(tmp_path_factory.mktemp("dynamodb"))
    home.make()
    running = DynamoDB(home, Ports(home))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def connections() -> Iterator[list[psycopg.Connection[Any]]]:
    """The connections that `sql` has made, the one in use last."""
    made: list[psycopg.Connection[Any]] = []
    yield made
    for connection in made:
        connection.close()


@pytest.fixture
def sql(backends: Backends, connections: list[psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """A superuser's connection to the database, committing at once; a new one where a test killed the server."""
    try:
        connections[-1].execute("select 1")
    except (IndexError, psycopg.OperationalError):
        assert backends.dsn is not None
        connections.append(psycopg.connect(backends.dsn, autocommit=True))
    return connections[-1]


@pytest.fixture(scope="session")
def api(backends: Backends) -> Iterator[Api]:
    """The API in this process."""
    from resilience import configure
    from studysync.aws.snapstart import restore

    # A runner, because a loop that is merely closed drops connections that are just being closed, and whatever test
    # came last is then blamed for them.
    with asyncio.Runner() as runner:
        yield Api(runner.get_loop())
        # As after a restore: this process may run tests again, over another stack.
        asyncio.set_event_loop(runner.get_loop())
        restore()
        configure()
        asyncio.set_event_loop(None)


@pytest.fixture
def clock(sql: psycopg.Connection[Any]) -> Iterator[DatabaseClock]:
    """The database's clock, set back to the real time after the test."""
    clock = DatabaseClock(sql)
    yield clock
    clock.reset()


@pytest.fixture
def student(api: Api) -> Student:
    """A student who has just registered."""
    return api.student()


@pytest.fixture
def operator(api: Api, backends: Backends) -> Operator:
    """Who may operate the stack."""
    return api.operator(backends.operator_token)
