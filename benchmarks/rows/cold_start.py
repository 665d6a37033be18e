"""Cold starts, from an empty process to the first answer: each function compared with the peer's.

Both are built for this machine in the same way. They run alternately, in processes that see nothing but their build,
over the same real database and table. The promise is about CPU time, which other processes disturb least.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import uuid
from pathlib import Path

import httpx

from benchmarks.harness import Figure, Row, Stage
from tools.package import LAMBDA, OUTPUT, ROOT, build, host, install, remove
from tools.package_trim import Target, compile_tree, interpreter, size_of, trim

HOST, PEER = OUTPUT / "cold_start", OUTPUT / "peer"
PROMISE = 0.75
ROUNDS = 15
CHILD = Path(__file__).with_name("_cold_start_child.py")
FIRST_REQUESTS = {
    "users": "/api/users/me",
    "sessions": "/api/sessions",
    "gamification": "/api/gamification/xp/me",
    "spaces": "/api/spaces/mine",
    "sync": "/api/sync/status",
    "health": "/health/readiness",
}
OURS, PEERS = "ours", "peer"
Samples = dict[str, list[float]]


def this_machine() -> Target:
    """Return this machine as a target, with the template's Python if it is installed, else with the running one."""
    try:
        interpreter(LAMBDA.python)
    except RuntimeError:
        return host()
    return host(LAMBDA.python)


def build_peer(folder: Path, target: Target) -> int:
    """Build the peer in the same way as the functions; return its size in bytes."""
    remove(folder)
    packages = folder / "python"
    shutil.copytree(ROOT / "benchmarks" / "peer", packages / "peer", ignore=shutil.ignore_patterns("__pycache__"))
    install(target, ROOT / "requirements" / "peer.txt", packages)
    trim(packages)
    compile_tree(folder, target)
    return size_of(folder)


def run(stage: Stage) -> list[Row]:
    """Measure every function, alternating with the peer; the promise applies to the worst CPU ratio."""
    target = this_machine()
    python = interpreter(target.python)
    with stage.bar("Building ours and the peer", 2) as advance:
        sizes = build(target, HOST)
        advance()
        peer_size = build_peer(PEER, target)
    environment = stage.backends.environment
    token = sign_in(environment)
    samples: dict[tuple[str, str], Samples] = {}
    with stage.bar("Cold starts", len(FIRST_REQUESTS) * (ROUNDS + 1)) as advance:
        # Rounds are the outer loop, so that a slow minute of the machine affects every function.
        for number in range(ROUNDS + 1):
            for name, path in FIRST_REQUESTS.items():
                for side, (module, paths) in sides(name).items():
                    figures = _start(python, module, paths, environment, event(path, token))
                    for figure, value in figures.items() if number else ():  # the first round fills the page cache
                        samples.setdefault((name, side), {}).setdefault(figure, []).append(value)
                advance()
    note = (
        f"From an empty process to the first response, {ROUNDS} processes each: builds with bytecode, GETs that "
        "verify a token, query the database and use the rate limiter; without SnapStart. Each ratio "
        "is the median of the ratios of two consecutive processes. "
        f"Under {target}; the template's Python is 3.13. "
        f"Unzipped: ours {sum(sizes.values()) / 1e6:.1f} MB, the peer {peer_size / 1e6:.1f} MB."
    )
    return [
        _row("cold start, CPU", "cpu", samples, limit=PROMISE, note=note),
        _row("cold start, time to the first response", "total", samples),
        _row("cold start, import time", "import", samples),
        _row("cold start, memory", "memory", samples, unit="MB"),
    ]


def _row(
    name: str,
    figure: str,
    samples: dict[tuple[str, str], Samples],
    *,
    limit: float | None = None,
    unit: str = "ms",
    note: str = "",
) -> Row:
    figures = {key: Figure.of(": ".join(key), found[figure]) for key, found in samples.items()}
    # Pair consecutive processes: whatever slowed the machine then affected both.
    pairs = {
        function: zip(samples[function, OURS][figure], samples[function, PEERS][figure], strict=True)
        for function in FIRST_REQUESTS
    }
    ratios = {function: statistics.median(ours / peers for ours, peers in pair) for function, pair in pairs.items()}
    worst = max(ratios, key=lambda function: ratios[function])
    return Row(
        name,
        f"at most {limit} of the plain peer's, for each function" if limit else "",
        ratios[worst],
        limit,
        unit,
        list(figures.values()),
        note=note,
        value_label=f"relative to the peer, worst: {worst}; all: {', '.join(f'{r:.2f}' for r in ratios.values())}",
        value_unit="",
    )


def lambda_variables(module: str, paths: list[Path]) -> dict[str, str]:
    """Return the environment variables Lambda would set; the function sees only `paths`, and its trace is sampled."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "AWS_LAMBDA_FUNCTION_NAME": module,
        "_HANDLER": f"{module}.handler",
        "POWERTOOLS_METRICS_NAMESPACE": "Benchmark",
        "POWERTOOLS_SERVICE_NAME": module,
        "STAGE": "benchmark",
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "RATE_LIMIT_PER_HOUR": "10000000",
        "LAMBDA_TASK_ROOT": str(paths[0]),  # Powertools' Tracer is disabled without it
        "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    }


def sides(name: str) -> dict[str, tuple[str, list[Path]]]:
    """Return the handler module and import paths of a function, by side (ours and the peer's)."""
    return {
        OURS: (f"{name}.app", [HOST / "Functions", *_layers(), HOST / "Runtime"]),
        PEERS: (f"peer.{name}", [PEER / "python"]),
    }


def _layers() -> list[Path]:
    return [HOST / layer / "python" for layer in ("ResilienceLayer", "CoreLayer")]


def _start(python: str, module: str, paths: list[Path], environment: dict[str, str], event: str) -> dict[str, float]:
    """Run one process and return its figures: times in milliseconds, memory in MB."""
    command = [python, "-S", "-P", str(CHILD), module, event]
    variables = lambda_variables(module, paths) | environment
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{module} did not answer: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stderr.strip().splitlines()[-1])
    return {name: value if name == "memory" else value * 1000 for name, value in figures.items()}


def event(path: str, token: str, method: str = "GET", body: str | None = None) -> str:
    """Return an HTTP API (payload 2.0) event as JSON."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "benchmark"}
    headers = {"host": "api.test", "authorization": f"Bearer {token}", "content-type": "application/json"}
    context = {"http": http, "requestId": "benchmark", "stage": "$default", "timeEpoch": 0}
    fields = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers}
    return json.dumps({**fields, "body": body, "requestContext": context, "isBase64Encoded": False})


def sign_in(environment: dict[str, str]) -> str:
    """Create a student and return an access token."""
    url, key = environment["SUPABASE_URL"] + "/auth/v1", environment["SUPABASE_SECRET_KEY"]
    name = f"cold_{uuid.uuid4().hex[:12]}"
    account = {"email": f"{name}@example.test", "password": "analytical1"}
    made = {**account, "email_confirm": True, "user_metadata": {"username": name}}
    with httpx.Client(headers={"apikey": key, "Authorization": f"Bearer {key}"}, timeout=30) as client:
        client.post(f"{url}/admin/users", json=made).raise_for_status()
        answer = client.post(f"{url}/token", params={"grant_type": "password"}, json=account)
        answer.raise_for_status()
    token: str = answer.json()["access_token"]
    return token
