"""The recipes in use: a FastAPI application, httpx, boto3 and a plain script."""

from __future__ import annotations

import asyncio
from typing import Any

import boto3
import httpx
import pytest
from botocore.stub import Stubber

from resilience import CircuitOpenError
from resilience.testing import no_wait
from testing.examples import examples


def recipe(imports: str) -> dict[str, Any]:
    """The definitions of a recipe that use this package."""
    for parameter in examples("resilience.md"):
        code = parameter.values[0]
        if parameter.id == "Recipes" and imports in (*code.co_names, *code.co_consts):
            namespace: dict[str, Any] = {"__name__": "recipe"}
            exec(code, namespace)
            return namespace
    raise AssertionError(f"no recipe with {imports}")


def test_fastapi() -> None:
    """The route has the deadline of its dependency, and the middleware reports what was degraded."""
    recipes = recipe("fastapi")
    from resilience import fallback, remaining

    async def find(words: str) -> list[Any]:
        @fallback([words, remaining()], name="search")
        async def down() -> list[Any]:
            raise ConnectionError

        return await down()

    recipes["find"] = find
    recipes["search"].__globals__["find"] = find

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(recipes["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/search", params={"words": "a"}, headers={"x-user": "17"})

    response = asyncio.run(ask())
    words, left = response.json()
    assert (words, response.headers["x-degraded"]) == ("a", "search")
    assert 0 < left <= 2.0


def test_httpx() -> None:
    """A busy gateway is retried, and an outage opens the circuit."""
    forecast = recipe("httpx")["forecast"]
    statuses = iter([503, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.extensions["timeout"]["read"] <= 3.0
        return httpx.Response(next(statuses, 503), json={"city": request.url.path}, headers={"Retry-After": "1"})

    async def use() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            assert await forecast(client, "oslo") == {"city": "/oslo"}
            answers = [await asyncio.gather(forecast(client, "oslo"), return_exceptions=True) for _ in range(20)]
            assert isinstance(answers[-1][0], CircuitOpenError)

    with no_wait():
        asyncio.run(use())


def test_boto3() -> None:
    """S3's SlowDown is retried; a missing object is not."""
    read = recipe("SlowDown")["read"]
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub, no_wait():
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        with pytest.raises(client.exceptions.NoSuchKey):
            read(client, "bucket", "key")
        stub.assert_no_pending_responses()


def test_a_plain_script() -> None:
    """The script does its work and ends."""
    assert recipe("rows")["rows"] == [0, 1, 2]
