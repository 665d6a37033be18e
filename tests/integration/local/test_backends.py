"""The backends as a whole: migrations, grants, separate projects, and services that fail one at a time."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import httpx
import psutil
import psycopg
import pytest

from local.backends import Backends
from local.errors import PartFailedError, StackError
from local.processes import Child, end_orphans, record
from local.stack_directory import StackDirectory
from local.unprivileged import place_data, remove_data, server_user

DEBIANS_15 = Path("/usr/lib/postgresql/15/bin")
NOTES = """
create table public.notes (id int primary key, text text not null);
create extension if not exists pg_trgm with schema extensions;
create function public.shout(word text) returns text language sql as $$ select upper(word) $$;
create table public.hidden (id int primary key);
revoke all on public.hidden from anon, authenticated;
alter table public.hidden enable row level security;
"""


@pytest.fixture(scope="module")
def migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrations")
    (folder / "1_notes.sql").write_text(NOTES)
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, migrations: Path) -> Iterator[Backends]:
    """Temporary backends."""
    with Backends(tmp_path_factory.mktemp("home"), durable=False, migrations=migrations) as stack:
        yield stack


def read(environment: dict[str, str], path: str, key: str = "SUPABASE_SECRET_KEY") -> httpx.Response:
    return httpx.get(f"{environment['SUPABASE_URL']}/rest/v1/{path}", headers={"apikey": environment[key]})


def test_the_service_role_reads_what_others_may_not(stack: Backends) -> None:
    """Default grants are as permissive as on hosted projects, and a revoke in a migration takes effect."""
    for key in ("SUPABASE_SECRET_KEY", "SUPABASE_PUBLISHABLE_KEY"):
        assert read(stack.environment, "notes", key).json() == []
        assert read(stack.environment, "rpc/shout?word=abc", key).json() == "ABC"
    assert read(stack.environment, "hidden").json() == []
    assert read(stack.environment, "hidden", "SUPABASE_PUBLISHABLE_KEY").status_code == 401


def test_a_new_table_is_served_after_a_notification(stack: Backends) -> None:
    """PostgREST reloads when the schema changes."""
    assert stack.dsn
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute("create table public.later (id int)")
        connection.execute("notify pgrst, 'reload schema'")
    stack.project.postgrest.child.wait_until(lambda: read(stack.environment, "later").status_code == 200, 10)


def test_a_project_of_its_own_is_empty_and_apart(stack: Backends) -> None:
    """A separate project has the schema without rows and its own token issuer, and is deleted afterwards."""
    assert stack.dsn
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute("insert into public.notes values (1, 'here')")
    with stack.new_project() as project:
        assert read(project.environment, "notes").json() == []
        assert project.url != stack.project.url
    assert len(read(stack.environment, "notes").json()) == 1
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(project.dsn)


@pytest.mark.parametrize("name", ["postgres", "postgrest", "auth", "supabase", "dynamodb"])
def test_a_part_can_be_killed_and_started_again(stack: Backends, name: str) -> None:
    """A killed service restarts on the same port with its durable data, and the others keep running."""
    part, others = stack.parts[name], [other.pid for key, other in stack.parts.items() if key != name]
    part.kill()
    assert not part.child.running
    part.start()
    assert [other.pid for key, other in stack.parts.items() if key != name] == others
    stack.recover(part)
    stack.project.postgrest.child.wait_until(lambda: read(stack.environment, "notes").status_code == 200)


def test_a_frozen_part_is_stopped_all_the_same(stack: Backends) -> None:
    """`stop` does not wait for a frozen process."""
    part = stack.project.auth
    part.freeze()
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{part.origin}/auth/v1/health", timeout=0.2)
    part.stop()
    part.start()
    assert httpx.get(f"{part.origin}/auth/v1/health").status_code == 200


def test_the_template_s_table_is_there_with_its_expiry(stack: Backends) -> None:
    """boto3 finds the table through the environment alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment.items():
            patch.setenv(name, value)
        client = boto3.client("dynamodb")
        table = client.describe_table(TableName=stack.environment["RESILIENCE_TABLE"])["Table"]
        expiry = client.describe_time_to_live(TableName="ResilienceTable")["TimeToLiveDescription"]
        client.close()
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    assert expiry["AttributeName"] == "ttl"


@pytest.mark.parametrize(
    "page", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"user-agent": "Mozilla/5.0 (X11)"}]
)
def test_no_page_drives_the_table(stack: Backends, page: dict[str, str]) -> None:
    """A web page can call neither DynamoDB nor moto's control API, which can delete everything."""
    url = stack.dynamodb.origin
    call = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    assert httpx.post(url, headers={**call, **page}, content="{}").status_code == 403
    assert httpx.post(f"{url}/moto-api/reset", headers=page).status_code == 403
    asking = {**page, "access-control-request-method": "POST"}
    assert httpx.options(url, headers=asking).status_code == 403
    assert httpx.post(url, headers=call, content="{}").json()["TableNames"] == ["ResilienceTable"]


def test_no_other_name_reaches_auth(stack: Backends) -> None:
    """A page with the project's keys can call Auth, but not under another host name."""
    key = {"apikey": stack.environment["SUPABASE_PUBLISHABLE_KEY"]}
    for url in (f"{stack.project.url}/auth/v1/health", f"{stack.project.auth.origin}/auth/v1/health"):
        assert httpx.get(url, headers={**key, "host": "evil.example"}).status_code == 403
        assert httpx.get(url, headers={**key, "origin": "https://app.example"}).status_code == 200


def test_data_ports_and_keys_outlive_a_restart(tmp_path: Path, migrations: Path) -> None:
    """The second start applies no migration, and finds the rows and keys of the first."""
    events: dict[str, str] = {}
    with Backends(tmp_path, migrations=migrations) as first:
        assert first.dsn
        with psycopg.connect(first.dsn) as connection:
            connection.execute("insert into public.notes values (1, 'kept')")
        before = first.environment
    with Backends(
        tmp_path, migrations=migrations, on_event=lambda name, _, detail: events.update({name: detail})
    ) as again:
        assert again.environment == before
        assert read(again.environment, "notes").json() == [{"id": 1, "text": "kept"}]
    assert events["Migrations"] == "0 applied"
    again.postgres.remove()


def test_a_changed_migration_is_a_clear_error(tmp_path: Path) -> None:
    """A changed or deleted migration is named with what to do, a new one is applied, and no process stays behind."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "1_a.sql").write_text("create table public.a (id int)")
    backends = Backends(tmp_path / "home", migrations=folder)
    with backends:
        pass
    (folder / "2_b.sql").write_text("create table public.b (id int); this is no sql")
    with pytest.raises(StackError, match=r"2_b\.sql failed .*syntax error"):
        backends.start()
    (folder / "2_b.sql").write_text("create table public.b (id int)")
    with backends:
        assert read(backends.environment, "b").json() == []
    (folder / "1_a.sql").write_text("create table public.a (id bigint)")
    with pytest.raises(StackError, match=r"1_a\.sql was changed .*make clean"):
        backends.start()
    (folder / "1_a.sql").rename(folder / "1_base.sql")
    with pytest.raises(StackError, match=r"created by other migrations: 1_a\.sql does not exist here.*make clean"):
        backends.start()
    assert not backends.postgres.child.running
    backends.postgres.remove()


@pytest.mark.skipif(not DEBIANS_15.exists(), reason="PostgreSQL 15 is not installed")
def test_another_postgresql(tmp_path: Path, migrations: Path) -> None:
    """The oldest PostgreSQL version of hosted projects works too."""
    with Backends(tmp_path, durable=False, migrations=migrations, programs=DEBIANS_15) as backends:
        assert backends.postgres.execute("show server_version_num")[0][0] < "160000"  # type: ignore[operator]
        assert read(backends.environment, "rpc/shout?word=abc").json() == "ABC"


def test_two_on_one_home_is_a_clear_error(stack: Backends) -> None:
    """A second stack on one home does not start and does not disturb the first."""
    with pytest.raises(StackError, match=f"process {os.getpid()}"):
        Backends(stack.home.root).start()
    assert read(stack.environment, "notes").status_code == 200


def test_a_real_project_needs_no_database_here(tmp_path: Path) -> None:
    """With a real project in the environment only DynamoDB is started."""
    remote = {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_SECRET_KEY": "sb_secret_key"}
    with Backends(tmp_path, remote=remote) as backends:
        assert set(backends.parts) == {"dynamodb"}
        assert remote.items() <= backends.environment.items()
        assert "SUPABASE_REST_URL" not in backends.environment
        assert backends.dsn is None


@pytest.mark.parametrize(
    ("script", "why"), [("echo broken; exit 1", "ended at once"), ("echo broken; sleep 60", "in time")]
)
def test_a_part_that_cannot_start_shows_its_log(tmp_path: Path, script: str, why: str) -> None:
    """When a service cannot start, the error contains its last log lines, and its process is gone."""
    child = Child("part", tmp_path / "part.log", tmp_path)
    child.start(["/bin/sh", "-c", script], env=os.environ)
    with pytest.raises(PartFailedError, match=f"(?s){why}.*broken"):
        child.wait_until(lambda: False, timeout=0.5)
    assert not child.running


def test_orphans_are_ended_only_when_they_are_ours(tmp_path: Path) -> None:
    """A recorded process is stopped, but not an unrelated one with the recorded pid."""
    home = StackDirectory(tmp_path)
    home.make()
    ours, another = (subprocess.Popen(["sleep", "600"]) for _ in range(2))
    record(home.run, "ours.pid", ours.pid)
    entry = {"pid": another.pid, "started": "1"}
    (home.run / "another.pid.json").write_text(json.dumps(entry))
    (home.run / "broken.pid.json").write_text("{")
    try:
        assert end_orphans(home.run) == ["ours"]
        assert ours.wait(5) is not None
        assert psutil.Process(another.pid).is_running()
        assert not list(home.run.glob("*.pid.json"))
    finally:
        another.kill()
        another.wait()


@pytest.mark.skipif(server_user() is None, reason="only root's servers run as somebody else")
def test_stacks_that_start_at_once_find_their_folders(tmp_path: Path) -> None:
    """Concurrent starts clean up after deleted homes, and none takes a folder that another is about to use."""
    homes = [StackDirectory(tmp_path / str(number)) for number in range(60)]
    for home in homes:
        home.make()
    with ThreadPoolExecutor(12) as pool:
        placed = list(pool.map(lambda home: place_data(home, server_user()), homes))
    try:
        assert {place.owner() for place in placed} == {server_user()}
    finally:
        for home in homes:
            remove_data(home)
    assert not [place for place in placed if place.exists()]
