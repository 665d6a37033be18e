"""What a function's process has loaded when it is ready for its first request."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

DOMAINS = ("users", "sessions", "gamification", "spaces", "sync", "health")
FORBIDDEN = {
    "supabase": "the meta package brings storage, realtime and functions",
    "boto3": "half a second",
    "botocore.client": "a quarter of a second; only secrets need it",
    "botocore.session": "only credentials that are not in the environment need it",
    "psutil": "only the operators' figures need it",
    "supabase_auth": "only accounts and tokens need it",
    "psycopg": "the database is reached over PostgREST",
    "uvicorn": "there is no server in a function",
    "moto": "a tool of tests",
    "pytest": "a tool of tests",
}
_PROGRAM = """
import gc, importlib, json, sys
importlib.import_module(sys.argv[1] + ".app")
from fastapi.openapi.models import OpenAPI
state = {"gc": gc.isenabled(), "deferred": not OpenAPI.__pydantic_complete__, "modules": sorted(sys.modules)}
recursive = {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}}
document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "components": {"schemas": {"A": recursive}}}
state["built"] = OpenAPI.model_validate(document).model_dump(by_alias=True, exclude_none=True) == document
print(json.dumps(state))
"""


def _state(domain: str, **variables: str) -> dict[str, object]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "SUPABASE_URL": "https://project.supabase.co",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "POWERTOOLS_SERVICE_NAME": domain,
        "RESILIENCE_TABLE": "table",
        **variables,
    }
    command = [sys.executable, "-c", _PROGRAM, domain]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    state: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return state


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_function_loads_only_what_it_needs(domain: str) -> None:
    """As Lambda starts it: nothing forbidden, collection on again, schemas that no request touched not built."""
    state = _state(domain, _HANDLER=f"{domain}.app.handler")
    modules = state["modules"]
    assert isinstance(modules, list)
    assert not set(FORBIDDEN) & set(modules)
    assert state["gc"] is True
    assert state["deferred"] is True
    assert state["built"] is True  # when they are used after all


def test_elsewhere_python_and_pydantic_are_left_alone() -> None:
    """A script that uses the package keeps its garbage collector and its models as they are."""
    state = _state("health")
    assert (state["gc"], state["deferred"]) == (True, False)
