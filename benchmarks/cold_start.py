"""Cold starts: from an empty process to the first answer, each function beside the same routes written plainly.

`python -m benchmarks.cold_start` builds both for this machine, the same way, and runs them in turns in processes that
see nothing but their build, over the same real database and table. Run it where nothing else runs: CPU is the figure
that suffers least from neighbours, and what the promise is held against.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from local.backends import Backends
from tools.package import OUTPUT, ROOT, build, host, install, remove
from tools.package_trim import compile_tree, size_of, trim

HOST, PEER = OUTPUT / "host", OUTPUT / "peer"
PROMISE = 0.5
ROUNDS = 7
CHILD = Path(__file__).with_name("cold_start_child.py")
FIRST_REQUESTS = {
    "users": "/api/users/me",
    "sessions": "/api/sessions",
    "gamification": "/api/gamification/xp/me",
    "spaces": "/api/spaces/mine",
    "sync": "/api/sync/status",
    "health": "/health/readiness",
}
FIGURES = {"import": "ms", "total": "ms", "cpu": "ms", "memory": "MB"}
Samples = dict[str, list[float]]


def build_peer(folder: Path) -> int:
    """Build the peer as the functions are built; returns its size in bytes."""
    target = host()
    remove(folder)
    packages = folder / "python"
    shutil.copytree(ROOT / "benchmarks" / "peer", packages / "peer", ignore=shutil.ignore_patterns("__pycache__"))
    install(target, ROOT / "requirements" / "peer.txt", packages)
    trim(packages)
    compile_tree(folder, target)
    return size_of(folder)


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure every function; returns medians by function and side, the ratios, and whether the promise holds."""
    sizes = build(host(), HOST)
    peer_size = build_peer(PEER)
    with TemporaryDirectory(prefix="studysync-cold-") as folder, Backends(Path(folder), durable=False) as backends:
        token = _token(backends.environment)
        rows = {
            name: _compare(name, path, backends.environment, token, rounds) for name, path in FIRST_REQUESTS.items()
        }
    worst = max(row["ratio"]["cpu"] for row in rows.values())
    return {
        "functions": rows,
        "sizes_mb": {"ours": round(sum(sizes.values()) / 1e6, 1), "peer": round(peer_size / 1e6, 1)},
        "worst_ratio": worst,
        "promise": PROMISE,
        "kept": worst <= PROMISE,
    }


def _compare(name: str, path: str, backends: dict[str, str], token: str, rounds: int) -> dict[str, Any]:
    sides = {
        "ours": (f"{name}.app", [HOST / "Functions", *_layers(), HOST / "Runtime"]),
        "peer": (f"peer.{name}", [PEER / "python"]),
    }
    samples: dict[str, Samples] = {side: {figure: [] for figure in FIGURES} for side in sides}
    for number in range(rounds + 1):
        for side, (module, paths) in sides.items():
            figures = _start(module, paths, {**backends, "POWERTOOLS_SERVICE_NAME": name}, _event(path, token))
            for figure, value in figures.items() if number else ():  # the first round fills the page cache
                samples[side][figure].append(value)
    row: dict[str, Any] = {
        side: {f: round(statistics.median(v), 1) for f, v in samples[side].items()} for side in sides
    }
    row["ratio"] = {figure: round(row["ours"][figure] / row["peer"][figure], 3) for figure in FIGURES}
    return row


def _layers() -> list[Path]:
    return [HOST / layer / "python" for layer in ("ResilienceLayer", "CoreLayer")]


def _start(module: str, paths: list[Path], environment: dict[str, str], event: str) -> dict[str, float]:
    """Run one process; returns its figures, times in milliseconds."""
    variables = {
        **environment,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "AWS_LAMBDA_FUNCTION_NAME": module,
        "_HANDLER": f"{module}.handler",
        "POWERTOOLS_METRICS_NAMESPACE": "Benchmark",
        "STAGE": "benchmark",
    }
    command = [sys.executable, "-S", "-P", str(CHILD), module, event]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{module} did not answer: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stderr.strip().splitlines()[-1])
    return {name: value if name == "memory" else value * 1000 for name, value in figures.items()}


def _event(path: str, token: str) -> str:
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "benchmark"}
    headers = {"host": "api.test", "authorization": f"Bearer {token}"}
    context = {"http": http, "requestId": "benchmark", "stage": "$default", "timeEpoch": 0}
    event = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers}
    return json.dumps({**event, "requestContext": context, "isBase64Encoded": False})


def _token(environment: dict[str, str]) -> str:
    url, key = environment["SUPABASE_AUTH_URL"], environment["SUPABASE_SERVICE_ROLE_KEY"]
    name = f"cold_{uuid.uuid4().hex[:12]}"
    account = {"email": f"{name}@example.test", "password": "password1"}
    made = {**account, "email_confirm": True, "user_metadata": {"username": name}}
    with httpx.Client(headers={"apikey": key, "Authorization": f"Bearer {key}"}, timeout=30) as client:
        client.post(f"{url}/admin/users", json=made).raise_for_status()
        answer = client.post(f"{url}/token", params={"grant_type": "password"}, json=account)
        answer.raise_for_status()
    token: str = answer.json()["access_token"]
    return token


def table(found: dict[str, Any]) -> str:
    """Return the figures as text, ours / peer = ratio."""
    lines = [f"{'':14}" + "".join(f"{f'{name} {unit}':>26}" for name, unit in FIGURES.items())]
    for name, row in found["functions"].items():
        cells = (f"{row['ours'][f]:.0f} / {row['peer'][f]:.0f} = {row['ratio'][f]:.2f}" for f in FIGURES)
        lines.append(f"{name:14}" + "".join(f"{cell:>26}" for cell in cells))
    lines.append(f"sizes, MB: {found['sizes_mb']['ours']} / {found['sizes_mb']['peer']}")
    lines.append(f"worst CPU ratio {found['worst_ratio']:.2f}, promised at most {found['promise']}")
    return "\n".join(lines)


if __name__ == "__main__":
    result = run(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
    print(table(result))
    sys.exit(0 if result["kept"] else 1)
