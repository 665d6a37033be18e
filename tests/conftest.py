"""Fixtures over the real database: one stack per test process, a new context per module, a new student per test."""

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
from local.stack_directory import Ports, StackDirectory
from studysync.settings import get_settings
from testing.client import Api, Operator, Student
from testing.clock import DatabaseClock
from testing.process import Process, environment, set_environment

# Requests go to this machine, even when the shell has a proxy configured.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"

# CI repeats the same examples at every run; local runs use new ones.
# No deadlines: how long an example takes depends more on the machine than on the code.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests first, so that all workers finish together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    """This process, reset for every module of tests."""
    process = Process()
    yield process
    process.close()


@pytest.fixture(scope="module", autouse=True)
def _new_process(process: Process) -> None:
    """No module depends on environment variables, caches or circuits of an earlier one."""
    process.wake()


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No test depends on variables and settings of an earlier one."""
    before = environment()
    yield
    set_environment(before)
    get_settings.cache_clear()


@contextmanager
def start_backends(home: Path) -> Iterator[Backends]:
    """PostgreSQL, PostgREST, auth and DynamoDB.

    With POSTGRES_PROGRAMS set to the folder of another version's programs, all tests run on that version.
    """
    programs = os.environ.get("POSTGRES_PROGRAMS")
    with Backends(home, durable=False, programs=Path(programs) if programs else None, limited=False) as running:
        _age_accounts(running)
        yield running


@pytest.fixture(scope="session")
def shared_backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """The backends that are shared by all modules of this process that leave them running."""
    with start_backends(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def backends(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, process: Process, _new_process: None
) -> Iterator[Backends]:
    """The servers that the environment points to: a module's own where it is marked `own_servers`."""
    with ExitStack() as stack:
        if request.node.get_closest_marker("own_servers"):
            running = stack.enter_context(start_backends(tmp_path_factory.mktemp("own")))
        else:
            running = request.getfixturevalue("shared_backends")
        # Many students share one address. Only tests of the mail interval wait for mails.
        many = {"RATE_LIMIT_PER_MINUTE": "1000000", "RATE_LIMIT_PER_HOUR": "10000000", "MAIL_ANSWER_SECONDS": "0.05"}
        process.wake({**running.environment, **many})
        yield running
        process.wake()


def _age_accounts(backends: Backends) -> None:
    """Make every account years old, so that tests can use past days; a test of the age sets its own."""
    assert backends.dsn is not None
    with psycopg.connect(backends.dsn, autocommit=True) as connection:
        connection.execute("alter table profiles alter created_at set default '2020-01-01'")


@pytest.fixture(scope="session")
def dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDB]:
    """An empty DynamoDB alone, for tests that create their own tables; `backends` has another one."""
    home = StackDirectory(tmp_path_factory.mktemp("dynamodb"))
    home.make()
    running = DynamoDB(home, Ports(home))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def connections() -> Iterator[dict[str, psycopg.Connection[Any]]]:
    """The connections made by `sql`, by data source."""
    made: dict[str, psycopg.Connection[Any]] = {}
    yield made
    for connection in made.values():
        connection.close()


@pytest.fixture
def sql(backends: Backends, connections: dict[str, psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """A superuser's autocommit connection to the database; a new one after a test killed the server."""
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
    """The database's clock, reset to the real time after the test."""
    clock = DatabaseClock(sql)
    yield clock
    clock.reset()


@pytest.fixture
def student(api: Api) -> Student:
    """A student who has just registered."""
    return api.student()


@pytest.fixture
def operator(api: Api, backends: Backends) -> Operator:
    """The operator of the stack."""
    return api.operator(backends.operator_token)
