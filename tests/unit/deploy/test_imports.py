"""What a function's process has loaded before its first request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

DOMAINS = ("users", "sessions", "gamification", "spaces", "sync", "health")
FORBIDDEN = {
    "supabase": "the meta package brings storage, realtime and functions",
    "psutil": "only the operators' figures need it",
    "supabase_auth": "Supabase Auth is called directly",
    "cryptography.x509": "a twentieth of a start; only keys that are certificates need it",
    "health.operations.routes": "only operators need it",
    "psycopg": "the database is reached over PostgREST",
    "uvicorn": "there is no server in a function",
    "moto": "a tool of tests",
    "pytest": "a tool of tests",
}
KEY_SIZE = 2048
_PROGRAM = """
import gc, importlib, json, sys
importlib.import_module(sys.argv[1] + ".app")
from fastapi.openapi.models import OpenAPI
state = {"gc": gc.isenabled(), "deferred": not OpenAPI.__pydantic_complete__, "modules": sorted(sys.modules)}
recursive = {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}}
document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "components": {"schemas": {"A": recursive}}}
state["built"] = OpenAPI.model_validate(document).model_dump(by_alias=True, exclude_none=True) == document
from cryptography import x509
state["certificate"] = x509.load_pem_x509_certificate(sys.argv[2].encode()).public_key().key_size
print(json.dumps(state))
"""


@cache
def _certificate() -> str:
    key, name = rsa.generate_private_key(65537, KEY_SIZE), x509.Name([])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=1))
    return certificate.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _state(domain: str, **variables: str) -> dict[str, object]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "SUPABASE_URL": "https://project.supabase.co",
        "SUPABASE_SECRET_KEY": "sb_secret_key",
        "POWERTOOLS_SERVICE_NAME": domain,
        "RESILIENCE_TABLE": "table",
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        **variables,
    }
    command = [sys.executable, "-c", _PROGRAM, domain, _certificate()]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    state: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return state


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_function_loads_only_what_it_needs(domain: str) -> None:
    """As started by Lambda: no forbidden module, garbage collection on again, unused schemas not built."""
    state = _state(domain, _HANDLER=f"{domain}.app.handler")
    modules = state["modules"]
    assert isinstance(modules, list)
    assert not set(FORBIDDEN) & set(modules)
    assert state["gc"] is True
    assert state["deferred"] is True
    assert state["built"] is True  # once they are used
    assert state["certificate"] == KEY_SIZE  # and so is the code that reads certificates


def test_elsewhere_python_and_pydantic_are_left_alone() -> None:
    """A script that imports the package keeps its own garbage collection and model settings."""
    state = _state("health")
    assert (state["gc"], state["deferred"]) == (True, False)


def test_nothing_is_deferred_where_a_snapshot_is_taken() -> None:
    """It would be missing in the snapshot."""
    state = _state("health", _HANDLER="health.app.handler", AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    assert (state["gc"], state["deferred"]) == (True, False)
