"""Fixtures over the real database: one stack a test process, a new process a module, a fresh student a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

from local.backends import Backends
from local.dynamodb import DynamoDB
from local.home import Home, Ports
from studysync.settings import get_settings
from testing.client import Api, Operator, Student
from testing.clock import DatabaseClock
from testing.process import Process, environment, set_environment

# What is asked here is on this machine, whatever proxy the shell has for the rest of the world.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"

# The same examples at every run of CI; new ones wherever people run the tests.
# Without deadlines: how long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what takes long come first, so that all workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    """This process, which every module of tests has as a new one."""
    process = Process()
    yield process
    process.close()


@pytest.fixture(scope="module", autouse=True)
def _new_process(process: Process) -> None:
    """No module goes by what another one left in the environment, in caches or in circuits."""
    process.wake()


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Nor does a test go by the variables and settings of another."""
    before = environment()
    yield
    set_environment(before)
    get_settings.cache_clear()


@contextmanager
def start_backends(home: Path) -> Iterator[Backends]:
    """PostgreSQL, PostgREST, auth and DynamoDB.

    POSTGRES_PROGRAMS, the folder of another version's programs, has all tests run on that one.
    """
    programs = os.environ.get("POSTGRES_PROGRAMS")
    with Backends(home, durable=False, programs=Path(programs) if programs else None, limited=False) as running:
        _age_accounts(running)
        yield running


@pytest.fixture(scope="session")
def shared_backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Those of all modules of this process that leave them running."""
    with start_backends(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def backends(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, process: Process, _new_process: None
) -> Iterator[Backends]:
    """The servers, to which the environment leads: a module's own where it is marked `own_servers`."""
    with ExitStack() as stack:
        if request.node.get_closest_marker("own_servers"):
            running = stack.enter_context(start_backends(tmp_path_factory.mktemp("own")))
        else:
            running = request.getfixturevalue("shared_backends")
        # Many students, one address. Nobody waits for mails but who tests how long they take.
        many = {"RATE_LIMIT_PER_MINUTE": "1000000", "RATE_LIMIT_PER_HOUR": "10000000", "MAIL_ANSWER_SECONDS": "0.05"}
        process.wake({**running.environment, **many})
        yield running
        process.wake()


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
def connections() -> Iterator[dict[str, psycopg.Connection[Any]]]:
    """The connections that `sql` has made, by where they lead."""
    made: dict[str, psycopg.Connection[Any]] = {}
    yield made
    for connection in made.values():
        connection.close()


@pytest.fixture
def sql(backends: Backends, connections: dict[str, psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """A superuser's connection to the database, committing at once; a new one where a test killed the server."""
    assert backends.dsn is not None
    try:
        connections[backends.dsn].execute("select 1")
    except (KeyError, psycopg.OperationalError):
        connections[backends.dsn] = psycopg.connect(backends.dsn, autocommit=True)
    return connections[backends.dsn]


@pytest.fixture(scope="module")
def api(backends: Backends, process: Process) -> Api:
    """The API in this process."""
    return Api(process.loop)


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
