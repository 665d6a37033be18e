"""SnapStart as the Lambda runtime drives it: a process warms up, is restored, and then serves."""

import asyncio
import json
from pathlib import Path

import pytest

from local.backends import Backends
from local.gateway.events import new_trace_id
from local.runtime.fleet import Fleet
from local.runtime.pool import Limits
from local.stack_directory import REPOSITORY, StackDirectory
from local.template import Template

HOOKS = """
import os, random, psutil, snapshot_restore_py

seen = {}

@snapshot_restore_py.register_after_restore  # before the function's own
def look():
    supabase = " ".join(value for name, value in os.environ.items() if name.startswith("SUPABASE"))
    connections = psutil.Process().net_connections("tcp")
    seen["open"] = [each.raddr.port for each in connections if each.raddr and f":{each.raddr.port}" in supabase]
    seen["settings"] = get_settings.cache_info().currsize
    random.seed(1)

import users.app
from studysync.settings import get_settings

def handler(event, context):
    return {**seen, "random": random.random()}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A function over the real layers, started as for a snapshot."""
    (tmp_path / "snap").mkdir()
    (tmp_path / "snap" / "app.py").write_text(HOOKS)
    (tmp_path / "users").symlink_to(REPOSITORY / "functions" / "users")
    layers = {name: str(REPOSITORY / "layers" / name) for name in ("core", "resilience")}
    resources = {
        **{
            name: {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": path}}
            for name, path in layers.items()
        },
        "Snap": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": ".",
                "Handler": "snap.app.handler",
                "Layers": [{"Ref": name} for name in layers],
                "Timeout": 10,
                "Environment": {"Variables": {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}},
            },
        },
    }
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps({"Resources": resources}))
    return path


def test_a_copy_wakes_up_with_nothing_of_the_original(template: Path, tmp_path: Path, backends: Backends) -> None:
    """Requests run before the snapshot; a restored copy has its own settings, connections and random state."""

    async def wake_twice() -> list[dict[str, object]]:
        home = StackDirectory(tmp_path / "home")
        home.make()
        found = []
        for _ in range(2):
            fleet = Fleet(
                Template.load(template), home, backends=backends.environment, limits=Limits(most=1), show=print
            )
            outcome = await fleet.invoke("Snap", b"{}", trace_id=new_trace_id())
            await fleet.close()
            assert outcome.failure is None, outcome.payload
            found.append(json.loads(outcome.payload))
        return found

    first, second = asyncio.run(wake_twice())
    for woken in (first, second):
        # Restored once for each of the two handlers: the one here and users.app, which it wraps.
        assert (woken["settings"], woken["open"]) == (0, [])
    assert first["random"] != second["random"]
