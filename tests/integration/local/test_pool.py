"""Function processes: replaced when code changes, more under load, fewer when idle, restarted when killed."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from local.control import create_control
from local.gateway.events import new_trace_id
from local.runtime import environment
from local.runtime.pool import Limits
from local.runtime.schedules import event_of
from local.template import Schedule, Template
from testing.waiting import wait_until
from tests.integration.local.sample import EDITED, Running


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The sample project with at most two processes per function and a short idle time."""
    with Running(tmp_path_factory.mktemp("small"), limits=Limits(most=2, idle=0)) as running:
        yield running


def edit(path: Path, text: str) -> None:
    """Replace a file as editors do."""
    aside = path.with_suffix(".tmp")
    aside.write_text(text)
    aside.rename(path)


def test_edited_code_is_what_answers_next(running: Running) -> None:
    """A change of a function or its layer is live without a restart."""
    assert running.client.get("/edited").text == "first"
    edit(running.root / "layer" / "shared.py", "TEXT = 'second'\n")
    wait_until(lambda: running.client.get("/edited").text == "second")
    edit(running.root / "code" / "edited" / "app.py", EDITED.replace("return TEXT", "return TEXT.upper()"))
    wait_until(lambda: running.client.get("/edited").text == "SECOND")


def test_a_syntax_error_is_shown_and_survived(running: Running) -> None:
    """Broken code is a 500 with the reason on the terminal; the next edit works, and other functions are unaffected."""
    path = running.root / "code" / "edited" / "app.py"
    good = path.read_text()
    edit(path, "def handler(:\n")
    wait_until(lambda: running.client.get("/edited").status_code == 500)
    assert any("SyntaxError" in line and "edited/app.py" in line for line in running.shown)
    assert running.client.get("/odd/fine").status_code == 200
    edit(path, good)
    wait_until(lambda: running.client.get("/edited").status_code == 200)


def test_a_missing_import_answers_every_waiting_request(small: Running) -> None:
    """No request waits for a function that cannot start."""
    path = small.root / "code" / "edited" / "app.py"
    good = path.read_text()
    edit(path, "import nowhere_to_be_found\n")
    wait_until(lambda: small.client.get("/edited").status_code == 500)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: small.client.get("/edited").status_code, range(8)))
    assert statuses == [500] * 8
    edit(path, good)
    wait_until(lambda: small.client.get("/edited").status_code == 200)


def test_requests_beyond_the_limit_wait_their_turn(small: Running) -> None:
    """Twenty concurrent requests are all answered by at most the allowed number of processes."""
    with ThreadPoolExecutor(20) as pool:
        pids = list(pool.map(lambda _: small.client.get("/odd/pid").json()["pid"], range(20)))
    assert 1 <= len(set(pids)) <= 2
    assert len(small.fleet.pids["Odd"]) <= 2


def test_processes_rest_when_it_is_quiet(small: Running) -> None:
    """Idle processes end, except for one that stays warm."""
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: small.client.get("/odd/fine"), range(40)))

    async def rest() -> None:
        small.fleet._pools["Odd"].rest()

    small.call(rest())
    wait_until(lambda: len(small.fleet.pids["Odd"]) == 1)
    assert small.client.get("/odd/fine").json() == {"fine": True}


def test_a_killed_idle_process_is_replaced(small: Running) -> None:
    """A process that was killed while idle is replaced."""
    small.client.get("/odd/fine")
    for pid in small.fleet.pids["Odd"]:
        process = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda process=process: not process.is_running())  # type: ignore[misc]
    wait_until(lambda: not small.fleet.pids["Odd"])
    assert small.client.get("/odd/fine").json() == {"fine": True}


def test_a_schedules_event_reaches_the_function(running: Running) -> None:
    """The handler gets the event that the schedule sends."""
    from datetime import UTC, datetime

    payload = event_of(Schedule("S", "Echo", "rate(1 minute)", '{"job": "close"}'), datetime.now(UTC))
    outcome = running.call(running.fleet.invoke("Echo", payload, trace_id=new_trace_id()))
    assert outcome.failure is None
    assert b'\\"job\\": \\"close\\"' in outcome.payload


def test_functions_run_without_the_native_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without awslambdaric's C extension our Python client handles results, failures, bytes and large answers."""
    monkeypatch.setattr(environment, "NATIVE_CLIENT", False)
    with Running(tmp_path) as running:
        event = running.client.get("/echo/x", headers={"x-amzn-trace-id": "Root=1-5-6"}).json()
        assert event["environment"]["PYTHONPATH"].endswith("portable")
        assert 0 < event["remaining"] <= 10000
        assert event["environment"]["_X_AMZN_TRACE_ID"].startswith("Root=1-5-6;Parent=")
        assert running.client.get("/odd/binary").content == bytes(range(256))
        for what in ("raise", "large", "exit"):
            assert running.client.get(f"/odd/{what}").status_code == 500
            assert running.client.get("/odd/fine").json() == {"fine": True}
        assert "on purpose" in running.log("Odd")


def test_functions_can_be_invoked_by_name(running: Running) -> None:
    """The control endpoint speaks Lambda's Invoke API: results, function errors, unknown names, and no browsers."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_control(running.fleet))
        url = "/2015-03-31/functions/{}/invocations"
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers={"user-agent": "test"}
        ) as client:
            return [
                await client.post(url.format("Odd"), json={}),
                await client.post(url.format("Odd"), json={"pathParameters": {"what": "raise"}}),
                await client.post(url.format("Nobody"), json={}),
                await client.post(url.format("Odd"), json={}, headers={"origin": "https://a.example"}),
                await client.get("/functions"),
            ]

    fine, raised, unknown, browser, pids = running.call(ask())
    assert fine.json() == {"fine": True}
    assert raised.headers["x-amz-function-error"] == "Unhandled"
    assert raised.json()["errorType"] == "RuntimeError"
    assert (unknown.status_code, browser.status_code) == (404, 403)
    assert pids.json()["Odd"]


def test_a_changed_template_is_taken_over(small: Running) -> None:
    """New routes are served, and functions with changed settings run with the new ones."""
    path = small.root / "template.yaml"
    path.write_text(path.read_text().replace("GREETING: hello", "GREETING: welcome").replace("/edited", "/renamed"))
    template = Template.load(path)
    small.call(small.fleet.reload(template))
    small.gateway.reload(template)
    assert small.client.get("/edited").status_code == 404
    assert small.client.get("/renamed").status_code == 200
    assert small.client.get("/echo/x").json()["environment"]["GREETING"] == "welcome"
