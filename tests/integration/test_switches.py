"""Switches, in an emulator's AppConfig: who changes them, what they change, and what holds while it is down."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from starlette.applications import Starlette

from health.operations import switches as operations
from studysync import aws_clients
from studysync.aws import switches
from studysync.aws.handler import create_handler
from testing.client import Api, Operator, Student, assert_problem
from testing.switches import deploy_switches, forget_settings

BY_HAND = {"reason": "a drill"}


def change(operator: Operator, **flags: Any) -> None:
    """Change the switches as an operator."""
    answer = operator.post("/health/switches", {**BY_HAND, **flags})
    assert answer.status_code == 200, answer.text


def test_without_appconfig_there_are_the_settings(operator: Operator) -> None:
    """The local stack has no switches, and says so."""
    found = operator.get("/health/switches").json()["data"]
    assert found == {
        "available": False, "changed": [], "read_only": False, "suspicion_mode": "soft", "closed_routes": [],
        "rate_limit_per_minute": 1_000_000, "rate_limit_per_hour": 10_000_000,
    }  # fmt: skip
    assert_problem(operator.post("/health/switches", BY_HAND), 409, "CONFLICT")


@pytest.mark.usefixtures("appconfig")
def test_read_only_leaves_reading_and_signing_in(api: Api, operator: Operator, student: Student) -> None:
    """Every write is a 503 until the switch is turned back; operators can always do that."""
    change(operator, read_only=True)
    refused = student.patch("/api/users/me", {"display_name": "New"})
    assert "read-only" in assert_problem(refused, 503, "SERVICE_UNAVAILABLE")["message"]
    assert refused.headers["retry-after"] == "60"
    assert_problem(student.post("/api/sessions/start", {"duration_minutes": 25}), 503, "SERVICE_UNAVAILABLE")
    assert student.get("/api/users/me").status_code == 200
    wrong = {"email": "nobody@example.test", "password": "wrong password"}
    assert api.post("/api/auth/login", wrong).status_code == 401
    assert api.get("/health/readiness").status_code == 200
    change(operator)
    assert student.patch("/api/users/me", {"display_name": "New"}).status_code == 200


@pytest.mark.usefixtures("appconfig")
def test_schedules_that_write_are_skipped(operator: Operator) -> None:
    """Read-only includes what no client asked for."""
    ran = []

    async def write() -> None:
        ran.append("write")

    async def read() -> None:
        ran.append("read")

    handler = create_handler(Starlette(), {"write": write, "read": read}, in_read_only={"read"})
    change(operator, read_only=True)
    try:
        for name in ("write", "read"):
            handler({"schedule": name}, None)
        assert ran == ["read"]
        change(operator)
        handler({"schedule": "write"}, None)
        assert ran == ["read", "write"]
    finally:
        asyncio.get_event_loop().close()  # the handler's
        asyncio.set_event_loop(None)


@pytest.mark.usefixtures("appconfig")
def test_a_route_is_closed(operator: Operator, student: Student) -> None:
    """By method and template: other routes of the same path stay open."""
    change(operator, closed_routes=["GET /api/users/{user_id}", "POST /api/spaces/create"])
    assert_problem(student.get(f"/api/users/{student.user_id}"), 503, "SERVICE_UNAVAILABLE")
    assert student.api.request("HEAD", f"/api/users/{student.user_id}", token=student.token).status_code == 503
    assert_problem(student.post("/api/spaces/create", {"name": "Closed"}), 503, "SERVICE_UNAVAILABLE")
    assert student.patch("/api/users/me", {"display_name": "New"}).status_code == 200
    assert student.get("/api/spaces").status_code == 200
    assert_problem(student.post("/api/spaces/create/", {"name": "Closed"}), 503, "SERVICE_UNAVAILABLE")
    change(operator, closed_routes=["GET /api/sessions/{session_id}"])
    assert student.get("/api/sessions/active").status_code == 404, "a route of its own"
    closed = student.get(f"/api/sessions/{student.user_id}")
    assert_problem(closed, 503, "SERVICE_UNAVAILABLE")


@pytest.mark.usefixtures("appconfig")
@pytest.mark.parametrize(
    "wrong",
    [
        {"closed_routes": ["POST /api/spaces/unheard-of"]},
        {"closed_routes": ["POST /health/switches"]},
        {"closed_routes": ["GET /api/spaces"] * 51},
        {"rate_limit_per_minute": 0},
        {"rate_limit_per_minute": "many"},
        {"suspicion_mode": "off"},
        {"read_only": None},
        {"reason": ""},
        {"unheard_of": True},
    ],
)
def test_nonsense_is_rejected(operator: Operator, wrong: dict[str, Any]) -> None:
    """A wrong change is a 400 and changes nothing."""
    assert_problem(operator.post("/health/switches", {**BY_HAND, **wrong}), 400, "VALIDATION_ERROR")
    assert operator.get("/health/switches").json()["data"]["changed"] == []


@pytest.mark.usefixtures("appconfig")
def test_only_operators_change_them(api: Api, student: Student) -> None:
    """Neither nobody nor a student."""
    for token in (None, student.token):
        for answer in (api.get("/health/switches", token=token), api.post("/health/switches", BY_HAND, token=token)):
            assert_problem(answer, 401, "AUTHENTICATION_ERROR")


@pytest.mark.usefixtures("appconfig")
def test_limits_and_the_mode(operator: Operator, student: Student) -> None:
    """What operators set replaces the deployed values, and what they leave out goes back to them."""
    change(operator, rate_limit_per_minute=3, suspicion_mode="strict")
    found = operator.get("/health/switches").json()["data"]
    assert found["changed"] == ["rate_limit_per_minute", "suspicion_mode"]
    assert (found["rate_limit_per_minute"], found["suspicion_mode"]) == (3, "strict")
    answers = [student.get("/api/users/me") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert switches.suspicion_mode() == "strict"
    change(operator, read_only=False)
    assert student.get("/api/users/me").status_code == 200
    assert switches.suspicion_mode() == "soft"


def test_a_change_is_on_record(appconfig: Any, operator: Operator, caplog: pytest.LogCaptureFixture) -> None:
    """The audit log names who, what and why, and AppConfig keeps the version."""
    change(operator, closed_routes=["POST /api/spaces/create"])
    line = next(record for record in caplog.records if getattr(record, "operation", "") == "change_switches")
    assert vars(line)["changes"] == {
        "read_only": False, "closed_routes": ["POST /api/spaces/create"], "reason": "a drill"
    }  # fmt: skip
    assert vars(line)["user_id"].startswith("operator:")
    assert vars(line)["success"]
    application, _environment, profile = os.environ["SWITCHES"].split("/")
    where = {"ApplicationId": application, "ConfigurationProfileId": profile}
    kept = appconfig.get_hosted_configuration_version(**where, VersionNumber=2)
    assert json.loads(kept["Content"].read())["closed_routes"]["default"] == ["POST /api/spaces/create"]


def test_appconfig_is_down(
    appconfig: Any, operator: Operator, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last switches stay, a process that never read any uses its settings, and operators are told."""
    change(operator, closed_routes=["POST /api/spaces/create"])
    create = {"name": "A space", "visibility": "public"}
    assert student.post("/api/spaces/create", create).status_code == 503
    for service in ("APPCONFIG", "APPCONFIGDATA"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
    monkeypatch.setattr(aws_clients, "_clients", {})
    switches.changed()
    assert student.post("/api/spaces/create", create).status_code == 503
    assert_problem(operator.get("/health/switches"), 503, "SERVICE_UNAVAILABLE")
    assert_problem(operator.post("/health/switches", BY_HAND), 503, "SERVICE_UNAVAILABLE")
    forget_settings()
    assert student.post("/api/spaces/create", create).status_code == 201


@pytest.mark.parametrize(
    "document",
    [
        "no json",
        "[]",
        json.dumps({"read_only": True}),
        json.dumps({"rate_limit_per_minute": {"default": "many", "boolean_type": False}}),
        json.dumps({"closed_routes": {"default": ["("], "boolean_type": False}}),
    ],
)
def test_a_malformed_document_changes_nothing(
    appconfig: Any, operator: Operator, student: Student, document: str
) -> None:
    """A document that somebody wrote by hand and that is wrong leaves the last one in effect."""
    change(operator, read_only=True)
    assert student.patch("/api/users/me", {"display_name": "New"}).status_code == 503
    application, environment, profile = os.environ["SWITCHES"].split("/")
    where = {"ApplicationId": application, "ConfigurationProfileId": profile}
    version = appconfig.create_hosted_configuration_version(**where, Content=document, ContentType="application/json")[
        "VersionNumber"
    ]
    appconfig.start_deployment(
        **where, EnvironmentId=environment, ConfigurationVersion=str(version),
        DeploymentStrategyId=os.environ["SWITCHES_STRATEGY"],
    )  # fmt: skip
    switches.changed()
    assert student.patch("/api/users/me", {"display_name": "New"}).status_code == 503


def test_old_versions_are_deleted(appconfig: Any) -> None:
    """AppConfig keeps a limited number; the last fifty stay."""
    for _ in range(operations._KEPT_VERSIONS + 5):
        deploy_switches(read_only=True)
    application, _environment, profile = os.environ["SWITCHES"].split("/")
    where = {"ApplicationId": application, "ConfigurationProfileId": profile}
    pages = appconfig.get_paginator("list_hosted_configuration_versions").paginate(**where)
    assert sum(len(page["Items"]) for page in pages) == operations._KEPT_VERSIONS
