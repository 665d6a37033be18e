"""A client of the API in this process: no gateway, but the real apps and the real database.

Every response is checked against the OpenAPI document, so that each test is also a test of the contract.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import httpx
import jsonschema
from starlette.types import ASGIApp, Receive, Scope, Send

OPENAPI = Path(__file__).parents[1] / "functions" / "health" / "openapi.json"
_DOMAINS = {"auth": "users"} | {name: name for name in ("users", "sessions", "gamification", "spaces", "sync")}
_numbers = itertools.count(1)
T = TypeVar("T")


@cache
def openapi() -> dict[str, Any]:
    """Return the committed OpenAPI document."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return document


@cache
def _operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    # Fixed paths first, because a path with parameters matches some of them too.
    paths = sorted(openapi()["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (method.upper(), re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "/?"), operation)
        for path, methods in paths
        for method, operation in methods.items()
    ]


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    whole = {**json.loads(schema), "components": openapi()["components"]}
    return jsonschema.Draft202012Validator(whole, format_checker=_FORMATS)


def _is_spelled_as_everywhere(value: object) -> bool:
    """Return whether a time is written in UTC, with Z and six digits of a second; True for other types."""
    spelling = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    return not isinstance(value, str) or re.fullmatch(spelling, value) is not None


_FORMATS = jsonschema.FormatChecker()
_FORMATS.checkers = {**_FORMATS.checkers, "date-time": (_is_spelled_as_everywhere, ())}


def check_against_openapi(response: httpx.Response) -> None:
    """Fail unless the OpenAPI document allows this response."""
    method, path = response.request.method.replace("HEAD", "GET"), response.request.url.path
    operation = next((o for m, pattern, o in _operations() if m == method and pattern.fullmatch(path)), None)
    if operation is None:
        assert response.status_code in (302, 404, 405), response.text
        schema = {"$ref": "#/components/schemas/ProblemDetails"}
    else:
        assert str(response.status_code) in operation["responses"], (method, path, response.text)
        answer = operation["responses"][str(response.status_code)]
        if "$ref" in answer:
            answer = openapi()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        if response.status_code == 304:
            assert response.content == b""
            return
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type in answer["content"], (media_type, response.text)
        schema = answer["content"][media_type].get("schema", {})
    if "json" in response.headers.get("content-type", "") and response.request.method != "HEAD":
        _validator(json.dumps(schema, sort_keys=True)).validate(response.json())
    assert response.headers["x-request-id"]


class AllFunctions:
    """An ASGI app that passes each request to the app of its function, as the gateway does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = scope["path"].split("/")
        domain = _DOMAINS.get(parts[2], "health") if parts[1] == "api" and len(parts) > 2 else "health"
        app: ASGIApp = import_module(f"{domain}.app").app
        await app(scope, receive, send)


class Api:
    """Calls the API. Its plain methods run on one event loop, as requests do in a Lambda environment."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        transport = httpx.ASGITransport(AllFunctions(), raise_app_exceptions=True)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api.test")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result."""
        return self._loop.run_until_complete(work)

    async def send(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx.Response:
        """Send one request and return its response, checked against the OpenAPI document."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        response = await self._client.request(method, path, headers=headers, **options)
        check_against_openapi(response)
        return response

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request and return its response; `send` for plain code."""
        return self.run(self.send(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """Send a POST, without a body if `json` is None."""
        return self.request("POST", path, **({} if json is None else {"json": json}), **options)

    def operator(self, token: str) -> Operator:
        """Return an operator with this token."""
        return Operator(self, token)

    def at_once(self, requests: Sequence[Coroutine[Any, Any, httpx.Response]]) -> list[httpx.Response]:
        """Send several requests concurrently and return their responses in the same order."""

        async def gather() -> list[httpx.Response]:
            return list(await asyncio.gather(*requests))

        return self.run(gather())

    def student(self, **profile: Any) -> Student:
        """Register a new student, and set these fields of the profile."""
        name = f"s{next(_numbers)}_{uuid.uuid4().hex[:12]}"
        credentials = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}
        response = self.post("/api/auth/register", credentials)
        assert response.status_code == 201, response.text
        data = response.json()["data"]
        student = Student(
            self, data["user_id"], name, credentials["email"], credentials["password"], data["token"], data
        )
        if profile:
            assert student.patch("/api/users/me", profile).status_code == 200
        return student


@dataclass
class Student:
    """A registered student.

    Attributes:
        token: The access token.
        registered: The data of the response to the registration.
    """

    api: Api
    user_id: str
    username: str
    email: str
    password: str
    token: str
    registered: dict[str, Any]

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET as this student."""
        return self.api.get(path, token=self.token, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """Send a POST as this student."""
        return self.api.post(path, json, token=self.token, **options)

    def patch(self, path: str, json: Any, **options: Any) -> httpx.Response:
        """Send a PATCH as this student."""
        return self.api.request("PATCH", path, token=self.token, json=json, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        """Send a DELETE as this student."""
        return self.api.request("DELETE", path, token=self.token, **options)

    def start(self, minutes: int = 25, **more: Any) -> str:
        """Start a session and return its id."""
        response = self.post("/api/sessions/start", {"duration_minutes": minutes, **more})
        assert response.status_code == 201, response.text
        session_id: str = response.json()["data"]["session_id"]
        return session_id

    def complete(self, session_id: str, **body: Any) -> dict[str, Any]:
        """Complete a session and return its outcome."""
        response = self.post(f"/api/sessions/{session_id}/complete", body)
        assert response.status_code == 200, response.text
        outcome: dict[str, Any] = response.json()["data"]
        return outcome


@dataclass
class Operator:
    """A person who may operate the stack."""

    api: Api
    token: str

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET as this operator."""
        return self.api.get(path, token=self.token, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """Send a POST as this operator."""
        return self.api.post(path, json, token=self.token, **options)


def assert_problem(response: httpx.Response, status: int, error_code: str) -> dict[str, Any]:
    """Return the body of an error response; fail unless it is this error of the contract."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error_code"]) == (status, error_code), body
    assert body["status"] == status
    assert body["error"] is True
    assert body["message"] == body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body
