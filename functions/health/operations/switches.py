"""Changes the switches of the stack (`studysync.aws.switches`) in AWS AppConfig."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends
from pydantic import Field

from health.operations.accounts import OperatorAction
from health.operations.authentication import Operator, operator
from health.operations.marks import record_order
from health.operations.models import ActionDone, SwitchesInEffect
from studysync.aws import snapstart, switches
from studysync.aws_clients import aws_client
from studysync.errors import CONFLICT, ApiError, invalid, unavailable
from studysync.fields import NOT_BOOLEAN
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.logging import app_logger
from studysync.web.responses import Success
from studysync.web.routing import create_router

router = create_router("operations", prefix="/health/switches", dependencies=[Depends(operator)])

_DOCUMENT = Path(__file__).parents[1] / "openapi.json"
_KEPT_VERSIONS = 50
"""Older versions are deleted: AppConfig keeps a limited number."""
_CALLS = Annotated[int, Field(ge=1, le=1_000_000), NOT_BOOLEAN]


class SwitchesChange(OperatorAction):
    """All switches; what is null or omitted goes back to the deployed value."""

    read_only: bool = False
    suspicion_mode: Literal["soft", "strict"] | None = None
    rate_limit_per_minute: _CALLS | None = None
    rate_limit_per_hour: _CALLS | None = None
    closed_routes: list[switches.RouteKey] = Field(
        default=[],
        max_length=50,
        examples=[["POST /api/spaces/create"]],
        description="Methods and paths as in this document, such as `POST /api/spaces`.",
    )

    def flags(self) -> dict[str, Any]:
        """Return the flags by name, without those that are not set; always one, because Powertools warns of none."""
        return self.model_dump(mode="json", include=set(switches.Switches.model_fields), exclude_none=True)


@router.get("")
async def get_switches() -> Success[SwitchesInEffect]:
    """Get the switches: what operators have changed without a deployment, and the deployed values of the others."""
    available = switches.place() is not None
    flags = await _read() if available else {}
    deployed = switches.Switches.deployed().model_dump(mode="json")
    changed = sorted(name for name, value in flags.items() if value != deployed[name])
    return Success(data=SwitchesInEffect(available=available, changed=changed, **(deployed | flags)))


@router.post("")
async def change_switches(who: Operator, change: SwitchesChange) -> Success[ActionDone]:
    """Replace the switches. Busy environments follow within 30 seconds, idle ones with their second request."""
    place = switches.place()
    if place is None:
        raise ApiError(CONFLICT, "This stack has no switches: AWS AppConfig is not available.")
    flags = change.flags()
    unknown = [route for route in change.closed_routes if route not in _routes()]
    if unknown:
        raise invalid(f"There is no route {unknown[0]}.", "body.closed_routes")
    done = await _write(place, flags, who)
    audit_logger.log_data_modification(
        user_id=f"operator:{who}",
        resource_type="switches",
        resource_id="all",
        operation="change_switches",
        changes={**flags, "reason": change.reason},
        success=done,
    )
    if not done:
        raise unavailable("AppConfig does not answer: nothing was changed.", 5)
    switches.changed()
    await record_order(who, "change_switches", ", ".join(name for name, value in flags.items() if value))
    return Success(data=ActionDone())


async def _read() -> dict[str, Any]:
    switches.changed()  # a session that has just been read may not be read again at once
    try:
        return dict(await switches.read())
    except Exception as error:
        app_logger.warning("the switches cannot be read", kind="operations", error_type=type(error).__name__)
        raise unavailable("AppConfig does not answer.", 5) from error


async def _write(place: tuple[str, str, str], flags: dict[str, Any], who: str) -> bool:
    try:
        await asyncio.to_thread(_deploy, place, flags, who)
    except Exception as error:  # noqa: BLE001 - botocore's errors have no common one that a refused call shares
        app_logger.warning("the switches cannot be changed", kind="operations", error_type=type(error).__name__)
        return False
    return True


def _deploy(place: tuple[str, str, str], flags: dict[str, Any], who: str) -> None:
    application, environment, profile = place
    document = {name: {"default": flag, "boolean_type": isinstance(flag, bool)} for name, flag in flags.items()}
    client = aws_client("appconfig")
    where = {"ApplicationId": application, "ConfigurationProfileId": profile}
    version = client.create_hosted_configuration_version(
        **where, Content=json.dumps(document), ContentType="application/json", Description=f"Changed by {who}"
    )["VersionNumber"]
    client.start_deployment(
        **where,
        EnvironmentId=environment,
        DeploymentStrategyId=os.environ["SWITCHES_STRATEGY"],
        ConfigurationVersion=str(version),
        Description=f"Changed by {who}",
    )
    if version > _KEPT_VERSIONS:
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_hosted_configuration_version(**where, VersionNumber=version - _KEPT_VERSIONS)


@lru_cache(maxsize=1)
def _routes() -> frozenset[str]:
    paths = json.loads(_DOCUMENT.read_bytes())["paths"]
    return frozenset(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)


snapstart.on_snapshot(lambda: aws_client("appconfig"))
snapstart.on_snapshot(_routes)
