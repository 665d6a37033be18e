"""`python -m local serve` from outside: one process to start, and none left however it ends."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from local.stack_directory import REPOSITORY, free_port
from local.unprivileged import can_reach
from testing.waiting import wait_until
from tests.integration.local.sample import write_project
from tests.integration.local.serving import FOREIGN, Served, gone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A stack for tests that do not change it."""
    root = tmp_path_factory.mktemp("shared")
    (root / "project").mkdir()
    served = Served(root / "home", write_project(root / "project"), free_port())
    served.ready()
    yield served
    served.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts stacks, and stops those that a test leaves running."""
    (tmp_path / "project").mkdir()
    template = write_project(tmp_path / "project")
    begun: list[Served] = []

    def start(name: str = "home", port: int | None = None, **more: Any) -> Served:
        begun.append(Served(tmp_path / name, template, port or free_port(), **more))
        return begun[-1]

    yield start
    for served in begun:
        served.end()


def test_a_day_in_the_life(start: Callable[..., Served]) -> None:
    """The stack prints its address, serves, keeps its data over a restart, and leaves no process or file."""
    served = start()
    stack = served.ready()
    assert httpx.get(f"{stack['url']}/odd/fine").json() == {"fine": True}
    for part in (
        "PostgreSQL",
        "Supabase",
        "/mailbox",
        "DynamoDB",
        f"http://localhost:{served.port}",
        "curl -s",
        "Logs: ",
    ):
        assert part in served.said()
    with psycopg.connect(stack["dsn"]) as connection:
        connection.execute("create table public.kept as select 7 as number")
    family = served.family()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(10) == 0
    assert gone(family)
    assert not list((served.home / "run").iterdir())
    again = start().ready()
    assert again["environment"] == stack["environment"]  # including the operator's token
    with psycopg.connect(again["dsn"]) as connection:
        assert connection.execute("select number from public.kept").fetchall() == [(7,)]


def test_the_operators_token_is_made_and_printed(shared: Served) -> None:
    """The operator's token is readable by its owner only, given to the functions, and in the printed link."""
    stack, path = shared.ready(), shared.home / "data" / "operator-token"
    assert path.stat().st_mode & 0o777 == 0o600
    token = path.read_text()
    assert json.loads(stack["environment"]["OPERATOR_TOKENS"]) == {"local": token}
    for link in (f"{stack['url']}/health/dashboard#token={token}", f"{stack['url']}/api/docs"):
        wait_until(lambda link=link: link in shared.said())


@pytest.mark.parametrize("tokens", ["a token", '{"ana": "short"}', "{}", '{"ana": 1}'])
def test_operators_that_make_no_sense_are_said_in_one_line(tmp_path: Path, tokens: str) -> None:
    """Invalid operators are reported in one line, and no traceback shows their tokens."""
    argv = [sys.executable, "-m", "local", "serve", "--port", "0", "--home", str(tmp_path / "home")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    done = subprocess.run(
        argv,
        cwd=REPOSITORY,
        env={**environment, "OPERATOR_TOKENS": tokens},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (1, 1, "")
    assert "OPERATOR_TOKENS" in done.stdout


def test_nothing_survives_a_kill_and_the_next_start_recovers(start: Callable[..., Served]) -> None:
    """After SIGKILL the kernel ends the children, and the next start recovers."""
    served = start()
    dsn = served.ready()["dsn"]
    with psycopg.connect(dsn) as connection:
        connection.execute("create table public.kept as select 7 as number")
    family = served.family()
    served.process.kill()
    served.process.wait()
    if sys.platform == "linux":
        wait_until(lambda: gone(family))
    again = start()
    with psycopg.connect(again.ready()["dsn"]) as connection:
        assert connection.execute("select number from public.kept").fetchall() == [(7,)]
    assert gone(family)
    assert httpx.get(f"http://localhost:{again.port}/odd/fine").status_code == 200


def test_a_port_in_use_is_said_before_anything_starts(start: Callable[..., Served]) -> None:
    """A port in use is one line with exit code 1, and nothing is created."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        served = start(port=taken.getsockname()[1])
        assert served.process.wait(20) == 1
        assert served.said().splitlines() == [
            f"Port {served.port} is in use. Stop what listens there, or choose another: PORT=8001"
        ]
    assert not served.home.exists()


def test_a_proxy_is_for_the_rest_of_the_world(start: Callable[..., Served]) -> None:
    """In a path with spaces, behind a proxy that does not answer, services and command line find each other."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), nowhere)
    served = start("a home", **proxies)
    stack = served.ready()
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{stack['url']}/odd/fine").json() == {"fine": True}
    wait_until(lambda: "curl -s --noproxy localhost" in served.said())
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    argv = [sys.executable, "-m", "local", "invoke", "--home", str(served.home), "Odd"]
    done = subprocess.run(argv, cwd=REPOSITORY, env={**own, **proxies}, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == {"fine": True}


def test_a_phone_may_reach_it_when_asked(start: Callable[..., Served]) -> None:
    """On request it listens on every address, with a warning; host names are still refused."""
    served = start(HOST="0.0.0.0")
    stack = served.ready()
    wait_until(lambda: "Others on your network can reach this stack" in served.said())
    for address in ("127.0.0.1", "127.0.0.2"):  # only 0.0.0.0 covers the second
        assert httpx.get(f"http://{address}:{served.port}/odd/fine").json() == {"fine": True}
    assert httpx.get(f"{stack['url']}/odd/fine", headers={"host": "evil.example"}).status_code == 403


def test_it_starts_under_a_strict_umask(start: Callable[..., Served]) -> None:
    """Under root PostgreSQL runs as another user, who needs access to these files despite the umask."""
    served = start(umask=0o077)
    assert httpx.get(f"{served.ready()['url']}/odd/fine").json() == {"fine": True}


@pytest.fixture
def user_place() -> Iterator[tuple[Path, pwd.struct_passwd, str]]:
    """What a test as a non-root user needs: a folder, the user, and a Python of their own."""
    if os.geteuid() != 0:
        pytest.skip("every test of this file is run as such a user")
    user = pwd.getpwnam("nobody")
    packages = sysconfig.get_path("purelib")
    system = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin") or sys.executable
    python = next((each for each in (sys.executable, system) if can_reach(Path(each).resolve(), user.pw_name)), None)
    if python is None or not all(can_reach(each, user.pw_name) for each in (REPOSITORY / "local", Path(packages))):
        pytest.skip("another user cannot reach Python, its packages or this repository")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    os.chown(folder, user.pw_uid, user.pw_gid)
    subprocess.run([python, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    own = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (own / "packages.pth").write_text(packages)
    yield folder, user, str(folder / "venv" / "bin" / "python")
    shutil.rmtree(folder)


def test_it_runs_as_a_user(user_place: tuple[Path, pwd.struct_passwd, str]) -> None:
    """A non-root user needs no other user, and has the data in the chosen folder."""
    folder, user, python = user_place
    (folder / "project").mkdir()
    template = write_project(folder / "project")
    served = Served(folder / "home", template, free_port(), python=python, user=user.pw_uid, HOME=str(folder))
    try:
        stack = served.ready()
        assert httpx.get(f"{stack['url']}/odd/fine").json() == {"fine": True}
        assert not (served.home / "data" / "postgres").is_symlink()
        family = [psutil.Process(served.process.pid), *served.family()]
        assert {process.uids().real for process in family} == {user.pw_uid}
    finally:
        served.end()


OFFLINE = """
import ctypes, fcntl, socket, struct, sys
from local.__main__ import main
CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1
if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
    sys.exit(77)
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
sys.exit(main(["serve", *sys.argv[1:]]))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux" or not shutil.which("nsenter"), reason="only root leaves the network"
)
def test_it_starts_offline_once_it_has_what_it_needs(shared: Served, start: Callable[..., Served]) -> None:
    """With no network but loopback, nothing outside is requested."""
    shared.ready()  # which has downloaded everything it needs
    template = shared.home.parent / "project" / "template.yaml"
    served = start(command=("-c", OFFLINE, "--template", str(template)))
    try:
        url = served.ready()["url"]
    except AssertionError:
        if served.process.poll() == 77:
            pytest.skip("this machine lets nobody leave the network")
        raise
    inside = ["nsenter", f"--net=/proc/{served.process.pid}/ns/net", sys.executable, "-c"]
    asked = f"import urllib.request; print(urllib.request.urlopen('{url}/odd/fine').read().decode())"
    done = subprocess.run([*inside, asked], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == '{"fine": true}', done.stderr


MIGRATED = """
import sys
from functools import partial
from pathlib import Path
from local.backends import Backends
from local.serve import serve
home, port, template, migrations = sys.argv[1:]
serve(Path(home), int(port), Path(template), concurrency=1, backends=partial(Backends, migrations=Path(migrations)))
"""


def test_a_migration_is_applied_while_it_serves(start: Callable[..., Served], tmp_path: Path) -> None:
    """A new migration is applied immediately, a failing one is reported and retried, and a changed one is reported."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1_first.sql").write_text("create function public.one() returns int return 1;")
    port = free_port()
    arguments = (
        str(tmp_path / "home"),
        str(port),
        str(tmp_path / "project" / "template.yaml"),
        str(tmp_path / "migrations"),
    )
    served = start(port=port, command=("-c", MIGRATED, *arguments))
    environment = served.ready()["environment"]

    def call(name: str) -> int:
        headers = {"apikey": environment["SUPABASE_SECRET_KEY"]}
        return httpx.post(f"{environment['SUPABASE_URL']}/rest/v1/rpc/{name}", headers=headers).status_code

    assert (call("one"), call("two")) == (200, 404)
    second = tmp_path / "migrations" / "2_second.sql"
    second.write_text("create function public.two() returns int return oops;")
    wait_until(lambda: "2_second.sql failed" in served.said())
    second.write_text("create function public.two() returns int return 2;")
    wait_until(lambda: "Applied 2_second.sql" in served.said())
    wait_until(lambda: call("two") == 200)
    second.write_text("create function public.two() returns int return 3;")
    wait_until(lambda: "2_second.sql was changed after it had been applied here" in served.said())


def test_two_stacks_run_side_by_side(shared: Served, start: Callable[..., Served]) -> None:
    """Another home and port is another stack."""
    urls = [shared.ready()["url"], start().ready()["url"]]
    assert [httpx.get(f"{url}/odd/fine").status_code for url in urls] == [200, 200]


def test_a_second_stack_on_one_home_is_refused(shared: Served, tmp_path: Path) -> None:
    """A second stack on one home is refused in one line, and the first continues."""
    second = Served(shared.home, tmp_path / "template.yaml", free_port())
    assert second.process.wait(20) == 1
    assert f"Another stack (process {shared.process.pid}) runs on" in second.said()
    assert len(second.said().splitlines()) == 1
    second.output.close()
    assert httpx.get(f"{shared.ready()['url']}/odd/fine").status_code == 200


def test_a_part_that_dies_comes_back(shared: Served) -> None:
    """PostgREST and DynamoDB restart on their ports, and the terminal and `stack.json` report it."""
    served = shared
    stack = served.ready()
    root = stack["environment"]["SUPABASE_URL"] + "/rest/v1/"
    bearer = {"apikey": stack["environment"]["SUPABASE_SECRET_KEY"]}
    for name in ("postgrest", "dynamodb"):
        psutil.Process(stack["pids"][name]).kill()
    wait_until(lambda: "postgrest ended" in served.said() and "dynamodb ended" in served.said())

    def answers() -> bool:
        try:
            return httpx.get(root, headers=bearer).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers)
    now = served.ready()["pids"]
    assert now["postgres"] == stack["pids"]["postgres"]
    for name in ("postgrest", "dynamodb"):
        assert now[name] != stack["pids"][name]
        assert psutil.Process(now[name]).is_running()


def test_a_function_can_be_invoked_from_the_command_line(shared: Served) -> None:
    """`python -m local invoke` prints the result; a failed function or a missing stack is exit code 1."""

    def invoke(*arguments: str, home: Path = shared.home) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "local", "invoke", "--home", str(home), *arguments]
        return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert json.loads(invoke("Odd").stdout) == {"fine": True}
    failed = invoke("Odd", '{"pathParameters": {"what": "raise"}}')
    assert (failed.returncode, json.loads(failed.stdout)["errorMessage"]) == (1, "on purpose")
    nowhere = invoke("Odd", home=shared.home / "nowhere")
    assert (nowhere.returncode, "No stack is running" in nowhere.stdout) == (1, True)
