"""A secret that cannot be read: the last value is used, or else clients get a 503 with Retry-After."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from moto.server import ThreadedMotoServer

from studysync.errors import ApiError
from studysync.secret_cache import REFUSED_SECONDS, STALE_SECONDS, is_due, read_with_fallback
from testing.handlers import Handlers, handlers

NAME, KEY = "studysync/prod/supabase", "a-shared-secret-that-is-long-enough-to-sign"


@pytest.fixture(scope="module")
def secrets_manager() -> Iterator[str]:
    """The address of the stand-in for Secrets Manager."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def handle(tmp_path: Path, secrets_manager: str) -> Iterator[Handlers]:
    """Functions that read their secret from it."""
    with handlers(
        tmp_path,
        SUPABASE_SECRET_NAME=NAME,
        AWS_ENDPOINT_URL=secrets_manager,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-central-1",
    ) as running:
        yield running


def request(path: str, method: str = "GET", body: Any = None, **headers: str) -> dict[str, Any]:
    """An event of an HTTP API."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **headers},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}, "stage": "$default"},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def bad_change() -> dict[str, Any]:
    """A bad update: a 400 once the caller is known, which needs the secret."""
    issuer = "http://127.0.0.1:1/auth/v1"
    claims = {"sub": "00000000-0000-4000-8000-000000000001", "aud": "authenticated", "role": "authenticated"}
    token = jwt.encode({**claims, "iss": issuer, "iat": time.time(), "exp": time.time() + 600}, KEY, "HS256")
    return request("/api/users/me", "PATCH", {"daily_goal_minutes": -1}, authorization=f"Bearer {token}")


def test_the_last_value_serves_on_after_a_restore(handle: Handlers, secrets_manager: str) -> None:
    """A restored copy that cannot read the secret continues with the snapshot's value."""
    client = boto3.client(
        "secretsmanager", "eu-central-1", endpoint_url=secrets_manager, aws_access_key_id="t", aws_secret_access_key="t"
    )
    secret = json.dumps({"secret_key": "sb_secret_key", "jwt_secret": KEY})
    client.create_secret(Name=NAME, SecretString=secret)
    assert handle("users", bad_change())["statusCode"] == 400
    client.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    handle("restore", None)
    assert handle("users", bad_change())["statusCode"] == 400
    assert "the secret cannot be read" in handle.log
    assert KEY not in handle.log


@pytest.mark.parametrize(
    "event",
    [bad_change(), request("/api/auth/login", "POST", {"email": "a@example.com", "password": "secret-1"})],
    ids=["caller", "login"],
)
def test_without_any_value_clients_come_back_later(handle: Handlers, event: dict[str, Any]) -> None:
    """Without a value the answer is a 503 with Retry-After, not a 500; requests that need no secret succeed."""
    answer = handle("users", event)
    assert answer["statusCode"] == 503, answer
    assert int(answer["headers"]["retry-after"]) >= 1
    assert handle("users", request("/api/users/me"))["statusCode"] == 401
    assert handle("health", request("/health"))["statusCode"] == 200
    assert handle("health", request("/health/readiness"))["statusCode"] == 503


def test_who_has_an_old_secret_asks_again_after_a_minute() -> None:
    """A function without a secret asks again after a few seconds, not with every request."""
    now, asked, fails = 1000.0, 0, False

    def read(name: str) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if fails:
            raise PermissionError(name)
        return {"key": "first"}

    def clock() -> float:
        return now

    assert read_with_fallback("kept", read, clock) == {"key": "first"}
    fails = True
    assert read_with_fallback("kept", read, clock) == {"key": "first"}
    assert not is_due(clock)
    now += STALE_SECONDS
    assert is_due(clock)
    fails = False
    assert read_with_fallback("kept", read, clock) == {"key": "first"}
    assert not is_due(clock)
    fails, asked = True, 0
    for _ in range(3):
        with pytest.raises(ApiError, match="unavailable"):
            read_with_fallback("never", read, clock)
    assert asked == 1
    now += REFUSED_SECONDS
    fails = False
    assert read_with_fallback("never", read, clock) == {"key": "first"}
