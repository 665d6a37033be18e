"""Log lines: no secret at any depth, the right user, and never an exception."""

from __future__ import annotations

import contextvars
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from studysync.context import begin_request
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.error_tracker import ErrorTracker, TrackingHandler
from studysync.telemetry.logging import app_logger

CALLER, OTHER = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
def line() -> Iterator[Callable[[], dict[str, Any]]]:
    """The last logged line."""
    handler, written = app_logger.handlers[0], io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)

    def last() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(written.getvalue().splitlines()[-1])
        return found

    yield last
    handler.setStream(before)


class Account(BaseModel):
    """A model with a secret in it."""

    email: str
    level: int


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hidden1"},
        {"Authorization": "Bearer hidden1"},
        {"new_password": "hidden1", "api_key": "hidden1", "supabase_jwt_secret": "hidden1"},
        {"service_role_key": "hidden1", "refreshToken": "hidden1", "E-Mail": "hidden1"},
        {"user": {"email": "hidden1", "deep": [{"password": "hidden1"}]}},
        {"account": Account(email="hidden1", level=2)},
    ],
)
def test_secrets_are_masked_however_they_are_logged(fields: dict[str, Any], line: Callable[[], dict[str, Any]]) -> None:
    """Secrets are masked in our own and plain logging methods, in any case, at any depth."""
    app_logger.info("plain", **fields)
    plain = line()
    app_logger.log_business_event(event_type="something", **fields)
    assert "hidden1" not in json.dumps(plain) + json.dumps(line())
    assert "***" in json.dumps(plain)


def test_a_line_that_names_a_user_speaks_of_that_one(line: Callable[[], dict[str, Any]]) -> None:
    """The caller is logged too; a line that names no user belongs to the caller."""

    def request() -> tuple[dict[str, Any], dict[str, Any]]:
        context = begin_request({"type": "http", "method": "POST", "path": "/x", "client": None}, None, None)
        context.user_id = CALLER
        audit_logger.log_authorization(user_id=OTHER, resource_type="space", operation="ban", allowed=True)
        banned = line()
        app_logger.info("own")
        return banned, line()

    banned, own = contextvars.copy_context().run(request)
    assert (banned["user_id"], banned["caller_id"]) == (OTHER, CALLER)
    assert own["user_id"] == CALLER
    assert "caller_id" not in own


@pytest.mark.parametrize("name", ["name", "module", "args", "filename", "message", "msg"])
def test_fields_may_be_called_anything(name: str, line: Callable[[], dict[str, Any]]) -> None:
    """A field with a name reserved by logging is renamed instead of raising an exception."""
    app_logger.log_business_event(event_type="space_created", **{name: "Night owls"})
    assert line()[f"{name}_"] == "Night owls"


def test_a_message_that_does_not_fit_breaks_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """A formatting error is reported on stderr and the request continues, because the work is done already."""
    line = logging.makeLogRecord({"msg": "took %d ms", "args": ("many",), "levelno": logging.ERROR})
    TrackingHandler(ErrorTracker()).handle(line)
    assert "Logging error" in capsys.readouterr().err
