"""Servers and pools that fork after every part was used: gunicorn with --preload, and multiprocessing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import resilience
from local.stack_directory import free_port

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

SHARED = """
import asyncio, json, os, resilience

store = resilience.DynamoStore(os.environ["TABLE"], read_timeout=5.0, deadline=10.0)
resilience.configure(store=store)
breaker = resilience.CircuitBreaker("down", failure_threshold=1)
pool = resilience.ConnectionPool(2)

@resilience.cached(60, key_prefix="forked")
async def value_of(key):
    return "value of " + key

@breaker
async def down():
    raise ConnectionError

async def use(key):
    async with pool:
        store.put("test", key, {"key": key})
        item = await asyncio.to_thread(store.get, "test", key)
        try:
            await down()
        except (ConnectionError, resilience.CircuitOpenError):
            pass
        resilience.performance_monitor.record("use", 0.01)
        decision = await resilience.rate_limiter.check_async(key)
        return {
            "key": item.attributes["key"], "value": await value_of(key), "state": breaker.get_state(),
            "allowed": decision.allowed, "process": os.getpid(), "instance": resilience.performance_monitor._id,
            "writer": resilience.rate_limiter._writer, "threads": pool.get_stats().active,
        }

parent = asyncio.run(use("parent"))  # threads, sockets, leases and ids of the parent exist now
"""
APPLICATION = (
    SHARED
    + """
def application(environ, start_response):
    said = json.dumps({**asyncio.run(use(environ["PATH_INFO"])), "parent": parent}).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [said]
"""
)
POOL = (
    SHARED
    + """
import multiprocessing

def work(n):
    return asyncio.run(use(str(n)))

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as processes:
        print(json.dumps([{**each, "parent": parent} for each in processes.map(work, range(30), chunksize=1)]))
"""
)


@pytest.fixture
def environment(table: str) -> dict[str, str]:
    return {**os.environ, "TABLE": table, "PYTHONPATH": str(Path(resilience.__file__).parents[1])}


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Gunicorn with three workers of four threads, forked from a parent that has used every part."""
    (tmp_path / "forked.py").write_text(APPLICATION)
    port = free_port()
    options = ["--preload", "--workers=3", "--threads=4", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", *options, "forked"]
    log = tmp_path / "log"
    with log.open("w") as told:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=told)
        try:
            while "Booting worker" not in log.read_text():
                assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def check(answers: list[dict[str, Any]]) -> None:
    """Every process answered with its own item, value and ids, and the open circuit."""
    assert {each["state"] for each in answers} == {"open"}
    assert all(each["allowed"] for each in answers)
    processes = {each["process"] for each in answers}
    assert len(processes) > 1
    for name in ("instance", "writer"):
        ids = {(each["process"], each[name]) for each in answers}
        assert len(ids) == len(processes) == len({own for _, own in ids})
        assert answers[0]["parent"][name] not in {own for _, own in ids}


def test_gunicorn_with_preload(server: str) -> None:
    """Of a hundred concurrent requests over three workers none hangs or gets another request's answer."""

    def ask(n: int) -> dict[str, Any]:
        with urllib.request.urlopen(f"{server}/{n}", timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        assert (answer["key"], answer["value"]) == (f"/{n}", f"value of /{n}")
        return answer

    with ThreadPoolExecutor(8) as clients:
        check(list(clients.map(ask, range(100))))


def test_multiprocessing(environment: dict[str, str], tmp_path: Path) -> None:
    """A pool of forked processes does its work, and each process has its own ids."""
    program = tmp_path / "program.py"
    program.write_text(POOL)
    command = [sys.executable, "-W", "ignore", str(program)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    answers = json.loads(done.stdout)
    assert [(each["key"], each["value"]) for each in answers] == [(str(n), f"value of {n}") for n in range(30)]
    check(answers)
