"""What a function's process has loaded before its first request."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

DOMAINS = ("users", "sessions", "gamification", "spaces", "sync", "health")
FORBIDDEN = {
    "supabase": "the meta package brings storage, realtime and functions",
    "supabase_auth": "Supabase Auth is called directly",
    "psycopg": "the database is reached over PostgREST",
    "uvicorn": "there is no server in a function",
    "moto": "a tool of tests",
    "pytest": "a tool of tests",
}
_PROGRAM = """
import importlib, json, sys
importlib.import_module(sys.argv[1] + ".app")
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_function_loads_only_what_it_needs(domain: str) -> None:
    """As started by Lambda: no forbidden module."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "SUPABASE_URL": "https://project.supabase.co",
        "SUPABASE_SECRET_KEY": "sb_secret_key",
        "POWERTOOLS_SERVICE_NAME": domain,
        "RESILIENCE_TABLE": "table",
        "_HANDLER": f"{domain}.app.handler",
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }
    command = [sys.executable, "-c", _PROGRAM, domain]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert not set(FORBIDDEN) & set(json.loads(done.stdout.splitlines()[-1]))
