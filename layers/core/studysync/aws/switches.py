"""Switches: what operators change without a deployment, as Powertools' feature flags in AWS AppConfig.

Failure policy: a process reads them again once they are 30 seconds old, behind its answers; only its first request
waits for them, a second at most. While they cannot be read or are malformed, the last ones stay in effect; a process
that never read any uses its settings, with every route open.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from resilience import CacheManager, MemoryStore, cached
from studysync.aws import snapstart
from studysync.aws_clients import aws_client
from studysync.settings import get_settings
from studysync.telemetry.logging import app_logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.feature_flags import FeatureFlags

READ_SECONDS = 25
_ASK_CACHE_SECONDS = 5
"""How often the cache is asked: that takes some 50 microseconds, which not every request needs to spend. With
`READ_SECONDS` it makes the 30 seconds that are promised."""
_FIRST_READ_SECONDS = 1.0

RouteKey = Annotated[str, StringConstraints(pattern=r"^(GET|POST|PATCH|DELETE) /api/[!-~]{1,200}$")]


class Switches(BaseModel):
    """The values in effect. Field names are the names of the feature flags."""

    model_config = ConfigDict(frozen=True)

    read_only: bool = False
    """Whether everything but reading and signing in gets a 503, and schedules that write do nothing."""
    suspicion_mode: Literal["soft", "strict"]
    rate_limit_per_minute: int = Field(ge=1)
    rate_limit_per_hour: int = Field(ge=1)
    closed_routes: tuple[RouteKey, ...] = ()
    """Routes that get a 503, by method and path as in the OpenAPI document."""

    @classmethod
    def deployed(cls) -> Switches:
        """Return what the settings say."""
        settings = get_settings()
        return cls(
            suspicion_mode=settings.suspicion_mode,
            rate_limit_per_minute=settings.rate_limit_per_minute,
            rate_limit_per_hour=settings.rate_limit_per_hour,
        )


def place() -> tuple[str, str, str] | None:
    """Return application, environment and profile in AppConfig (``SWITCHES``); ``None`` on a developer's machine."""
    match os.environ.get("SWITCHES", "").split("/"):
        case [application, environment, profile] if "AWS_SAM_LOCAL" not in os.environ:
            return application, environment, profile
        case _:
            return None


class _Known:
    """The flags last read in this process, by name; those that nobody has set are missing."""

    flags: Mapping[str, Any] = {}
    asked_at = 0.0
    """Unix time: a clock that goes on while Lambda freezes the process."""


T = TypeVar("T")


def flag(name: str, deployed: T) -> T:
    """Return the value of a flag as last read, or else `deployed`."""
    found: T = _Known.flags.get(name, deployed)
    return found


def suspicion_mode() -> str:
    """Return how implausible sessions are treated: ``soft`` or ``strict``."""
    return flag("suspicion_mode", get_settings().suspicion_mode)


async def load() -> None:
    """Read the flags again if that is due."""
    now = time.time()
    if place() is not None and not 0 <= now - _Known.asked_at < _ASK_CACHE_SECONDS:
        _Known.flags, _Known.asked_at = await _latest(), now


@cached(
    ttl=READ_SECONDS,
    key_prefix="switches",
    stale_while_revalidate=24 * 3600,
    manager=CacheManager(store=MemoryStore()),
)
async def _latest() -> Mapping[str, Any]:
    try:
        return await asyncio.wait_for(read(), _FIRST_READ_SECONDS)
    except Exception as error:  # noqa: BLE001 - botocore's, Powertools' and pydantic's errors share no other one
        app_logger.warning("the switches cannot be read", kind="operations", error_type=type(error).__name__)
        return _Known.flags


async def read() -> Mapping[str, Any]:
    """Return the feature flags that are set, from AppConfig; raises whatever prevents it."""
    try:
        return await asyncio.to_thread(_read)
    except BaseException:
        _feature_flags.cache_clear()  # a session's token is good for one use, and for a day
        raise


def changed() -> None:
    """Have this process read the switches with its next request; the others follow within 30 seconds."""
    _Known.asked_at = 0.0
    _latest.cache.invalidate(_latest.cache_key())
    _feature_flags.cache_clear()


def _read() -> Mapping[str, Any]:
    where = place()
    if where is None:
        return {}
    flags = _feature_flags(*where)
    flags.get_configuration()  # raises where `evaluate` would return the default
    found = {name: flags.evaluate(name=name, default=None) for name in Switches.model_fields}
    given = {name: value for name, value in found.items() if value is not None}
    checked = Switches.model_validate(Switches.deployed().model_dump() | given)
    return {name: value for name, value in checked.model_dump(mode="json").items() if name in given}


@lru_cache(maxsize=1)
def _feature_flags(application: str, environment: str, profile: str) -> FeatureFlags:
    # A tenth of a cold start without a snapshot, and a developer's stack may have no switches.
    from aws_lambda_powertools.utilities.feature_flags import AppConfigStore, FeatureFlags

    client = aws_client("appconfigdata")
    return FeatureFlags(AppConfigStore(environment, application, profile, READ_SECONDS - 1, boto3_client=client))


def _forget() -> None:
    _Known.flags = {}
    changed()


snapstart.on_restore(_forget)
