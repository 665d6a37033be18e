"""The running stack, fuzzed from its own OpenAPI document: no 5xx, and no status or shape that it does not list.

Runs are bounded and repeatable. `make fuzz MINUTES=10` tries more, with new examples each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Stack, start_stack

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent / "fuzz"
OPERATOR_TOKEN = "the fuzzer's operator token, a long one"
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
# They remove what the other operations need: the caller's account, and the database behind its circuit.
LAST = ("DELETE /api/users/me", "POST /health/circuits/{name}/open")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, with an operator token and the limits of a local stack."""
    home = tmp_path_factory.mktemp("fuzzed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPERATOR_TOKENS", json.dumps({"fuzzer": OPERATOR_TOKEN}))
        running = start_stack(home / "home", home / "serve.log")
    yield running
    assert running.stop() == 0


def _register(stack: Stack) -> str:
    name = f"f_{uuid.uuid4().hex[:16]}"
    with stack.client() as http:
        body = {"username": name, "email": f"{name}@example.com", "password": "analytical1"}
        response = http.post("/api/auth/register", json=body)
        assert response.status_code == 201, response.text
        token = str(response.json()["data"]["token"])
        # Some data for the lists to return.
        me = {"Authorization": f"Bearer {token}"}
        assert http.post("/api/sessions/start", json={"duration_minutes": 25}, headers=me).status_code == 201
        space = http.post("/api/spaces/create", json={"name": "Fuzzed", "visibility": "public"}, headers=me)
        assert space.status_code == 201
        http.post("/api/sync/offline", json={"events": [{"event_type": "none"}]}, headers=me)
    return token


def _identities(stack: Stack, path: Path) -> None:
    tokens = {"ada": _register(stack), "operator": OPERATOR_TOKEN, "ben": _register(stack)}
    entries: list[dict[str, Any]] = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
        for name, token in tokens.items()
    ]
    path.write_text(json.dumps({"auth": entries}), encoding="utf-8")


def _fuzz(stack: Stack, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    _identities(stack, folder / "identities.json")
    environment = {
        **os.environ,
        "FUZZ_HOOKS": str(HERE / "checks.py"),
        "FUZZ_IDENTITIES": str(folder / "identities.json"),
    }
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{stack.facts['url']}/api/openapi.json", "--no-color", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_api_is_as_its_document_says(fuzzed: Stack, tmp_path: Path) -> None:
    """Every operation conforms with examples, boundary values, random values and in sequences."""
    bound = ["--max-time", str(int(MINUTES * 60))] if MINUTES else ["--max-examples", "4", "--seed", "1"]
    rest = [option for name in LAST for option in ("--exclude-name", name)]
    done = _fuzz(fuzzed, tmp_path, *bound, *rest)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", LAST)
def test_what_takes_the_ground_away_is_as_its_document_says(fuzzed: Stack, tmp_path: Path, name: str) -> None:
    """The operations that delete the account or open the database's circuit conform too, each alone."""
    done = _fuzz(
        fuzzed, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--include-name", name
    )
    assert done.returncode == 0, done.stdout + done.stderr
