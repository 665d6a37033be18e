"""Real requests over the real database: warm ones, and the first one after a snapshot is restored.

Ours and the peer are the builds of the cold start benchmark. The floor is the same PostgREST call over one bare socket,
without any framework: the lower bound for both.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from benchmarks.harness import Figure, Row, Stage
from benchmarks.rows.cold_start import (
    FIRST_REQUESTS,
    HOST,
    OURS,
    PEER,
    PEERS,
    build_peer,
    event,
    lambda_variables,
    sides,
    sign_in,
    this_machine,
)
from testing.restored import restored
from tools.package import build
from tools.package_trim import interpreter

ROUNDS, RESTORES = 6, 5
CHILD = Path(__file__).with_name("_invocations_child.py")
FLOOR = "floor"
SHARE_OF_512_MB = 0.29
"""Share of one CPU at 512 MB: Lambda allocates a full CPU at 1,769 MB."""
_PERIOD_MICROSECONDS = 20_000  # the same as Lambda's
_PROFILE, _HEARTBEAT, _COMPLETE = "GET profile", "POST heartbeat", "POST complete"
Samples = dict[str, dict[str, list[tuple[float, float]]]]


def run(stage: Stage) -> list[Row]:
    """Build ours and the peer, then measure warm requests and first requests after a restore."""
    target = this_machine()
    with stage.bar("Building ours and the peer", 2) as advance:
        build(target, HOST)
        advance()
        build_peer(PEER, target)
    python = interpreter(target.python)
    return [*_warm(stage, python), *_after_restore(stage, python)]


def _warm(stage: Stage, python: str) -> list[Row]:
    environment = stage.backends.environment
    events = _events(environment)
    samples: Samples = {}
    with stage.bar("Real requests", ROUNDS) as advance:
        for _ in range(ROUNDS):
            for function, asked in events.items():
                for side, (module, paths) in {**sides(function), FLOOR: (FLOOR, [])}.items():
                    for name, found in _answers(python, module, paths, environment, asked[side == FLOOR]).items():
                        samples.setdefault(name, {}).setdefault(side, []).extend(found)
            advance()
    note = (
        "The function's handler over the real PostgREST and PostgreSQL, not traced. The floor is the same call over "
        "one bare socket. Heartbeats are of one session, which is running; the completion is repeated."
    )
    return [
        _compared("a real warm request, CPU", samples, 0, note, limit=0.35),
        _compared("a real warm request, time", samples, 1, ""),
    ]


def _compared(row: str, samples: Samples, which: int, note: str, *, limit: float | None = None) -> Row:
    figures, ratios = [], {}
    for name, found in samples.items():
        by_side = {side: Figure.of(f"{name}: {side}", [each[which] for each in pairs]) for side, pairs in found.items()}
        figures += by_side.values()
        ratios[name] = by_side[OURS].median / by_side[PEERS].median
    return Row(
        row,
        f"at most {limit} of the plain peer's" if limit else "",
        max(ratios.values()),
        limit,
        "ms",
        figures,
        note=note,
        value_label=f"relative to the peer, worst; all: {', '.join(f'{each:.2f}' for each in ratios.values())}",
        value_unit="",
    )


def _after_restore(stage: Stage, python: str) -> list[Row]:
    environment = stage.backends.environment
    token = sign_in(environment)
    cpu: dict[str, list[float]] = {}
    warm: dict[str, list[float]] = {}
    hooks: dict[str, list[float]] = {}
    slow: dict[str, list[float]] = {}
    with stage.bar("Restores", RESTORES * len(FIRST_REQUESTS)) as advance, _share(SHARE_OF_512_MB) as limited:
        for _ in range(RESTORES):
            for name, path in FIRST_REQUESTS.items():
                module, paths = sides(name)[OURS]
                variables = lambda_variables(module, paths) | environment
                variables["_X_AMZN_TRACE_ID"] = variables["_X_AMZN_TRACE_ID"].replace("Sampled=1", "Sampled=0")
                requests = [("GET", "", json.loads(event(path, token)))] * 60
                hook, first, *others = restored(name, requests, variables, python=python)
                cpu.setdefault(name, []).append(first.cpu * 1000)
                hooks.setdefault(name, []).append(hook.cpu * 1000)
                warm.setdefault(name, []).append(statistics.mean(each.cpu for each in others[20:]) * 1000)
                if limited is not None:
                    hook, first, *_ = restored(name, requests[:1], variables, python=python, before=limited)
                    slow.setdefault(name, []).append((hook.wall + first.wall) * 1000)
                advance()
    ratios = {
        name: statistics.median(first / later for first, later in zip(cpu[name], warm[name], strict=True))
        for name in FIRST_REQUESTS
    }
    figures = [
        Figure.of(f"{name}: {label}", found[name])
        for name in FIRST_REQUESTS
        for label, found in (("first request", cpu), ("a warm one", warm), ("the restore's hook", hooks))
    ]
    rows = [
        Row(
            "first request after a restore, CPU",
            "at most 2 x a warm one's, for each function",
            max(ratios.values()),
            2.0,
            "ms",
            figures,
            note="The snapshot is simulated: both hooks run in one process. The hook reads the secret, the keys of "
            "tokens and the shared state of circuits anew; Lambda runs it before the request.",
            value_label=f"ratio of the worst function; all: {', '.join(f'{each:.1f}' for each in ratios.values())}",
            value_unit="",
        )
    ]
    if slow:
        worst = [Figure.of(name, found) for name, found in slow.items()]
        rows.append(
            Row(
                "hook and first request after a restore at 512 MB's share of a CPU, time",
                "at most 60 ms for each function",
                max(each.median for each in worst),
                60.0,
                "ms",
                worst,
                note=f"In a control group with {SHARE_OF_512_MB} of a CPU.",
                value_label="the worst function's median",
            )
        )
    return rows


@contextmanager
def _share(share: float) -> Iterator[Any]:
    """Yield a function that limits the calling process to a share of one CPU; None if no cgroup can be created."""
    name = f"studysync-{uuid.uuid4().hex[:8]}"
    first, second = Path("/sys/fs/cgroup/cpu", name), Path("/sys/fs/cgroup", name)
    group = first if first.parent.is_dir() else second
    quota = str(int(_PERIOD_MICROSECONDS * share))
    try:
        group.mkdir()
        if group == first:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(quota)
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
    except OSError:
        yield None
        return
    try:
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


def _answers(
    python: str, module: str, paths: list[Path], environment: dict[str, str], asked: dict[str, Any]
) -> dict[str, list[tuple[float, float]]]:
    variables = lambda_variables(module, paths or [CHILD.parent]) | environment
    variables["_X_AMZN_TRACE_ID"] = variables["_X_AMZN_TRACE_ID"].replace("Sampled=1", "Sampled=0")
    command = [python, "-S", "-P", str(CHILD), module]
    done = subprocess.run(
        command, env=variables, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"{module}: {done.stderr[-2000:]}")
    found: dict[str, list[tuple[float, float]]] = json.loads(done.stderr.strip().splitlines()[-1])
    return found


def _events(environment: dict[str, str]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return, by function, its request events and the equivalent PostgREST calls for the floor."""
    token = sign_in(environment)
    user = jwt.decode(token, options={"verify_signature": False})["sub"]
    over, running = ({"session_id": str(uuid.uuid4()), "mode": "soft"} for _ in range(2))
    for operation, session in (("start", over), ("complete", over), ("start", running)):
        arguments = {"p_user_id": user, "p_args": {**session, "duration_minutes": 25}}
        _rpc(environment, f"{operation}_session", arguments)
    beat = {"session_id": running["session_id"], "event_id": str(uuid.uuid4()), "event_type": "heartbeat"}
    calls = {
        "users": {_PROFILE: ("GET", "/api/users/me", "get_profile", {"p_caller_id": user, "p_user_id": user})},
        "sessions": {
            _HEARTBEAT: (
                "POST",
                f"/api/sessions/{running['session_id']}/heartbeat",
                "record_session_event",
                {"p_user_id": user, "p_args": beat},
            ),
            _COMPLETE: (
                "POST",
                f"/api/sessions/{over['session_id']}/complete",
                "complete_session",
                {"p_user_id": user, "p_args": over},
            ),
        },
    }
    return {
        function: (
            {name: json.loads(event(path, token, method)) for name, (method, path, *_) in each.items()},
            {name: _raw(environment, call, arguments) for name, (_, _, call, arguments) in each.items()},
        )
        for function, each in calls.items()
    }


def _headers(environment: dict[str, str]) -> dict[str, str]:
    key = environment["SUPABASE_SECRET_KEY"]
    return {"apikey": key, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def _rest(environment: dict[str, str]) -> str:
    return environment.get("SUPABASE_REST_URL") or environment["SUPABASE_URL"] + "/rest/v1"


def _rpc(environment: dict[str, str], function: str, arguments: dict[str, Any]) -> None:
    url = f"{_rest(environment)}/rpc/{function}"
    httpx.post(url, json=arguments, headers=_headers(environment)).raise_for_status()


def _raw(environment: dict[str, str], function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    url, body = urlsplit(f"{_rest(environment)}/rpc/{function}"), json.dumps(arguments)
    head = {**_headers(environment), "Host": url.netloc, "Accept": "application/json", "Content-Length": str(len(body))}
    lines = [f"POST {url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", body]
    return {"host": url.hostname, "port": url.port, "request": "\r\n".join(lines)}
