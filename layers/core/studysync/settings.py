"""Settings of a function: typed environment variables, validated when they are first read.

Plain pydantic: we do not need the features of pydantic-settings (files, command lines, clouds), and it took a twentieth
of every cold start.

A deployed stack passes secrets by reference (``SUPABASE_SECRET_NAME``, a JSON object in Secrets Manager), a developer's
machine by value; a value takes precedence.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, StringConstraints, model_validator

from studysync.aws_clients import aws_client
from studysync.secret_cache import read_with_fallback

OperatorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
OperatorToken = Annotated[SecretStr, Field(min_length=32)]  # too long to guess: 32 random bytes in hexadecimal are 64

_CALLS_PER_HOUR = 1000
_KEYS = ("secret_key", "service_role_key")


def _at_least(limit: int) -> Callable[[dict[str, Any]], int]:
    """Return the default of a limit: `limit`, raised in proportion if the stack allows more calls per hour."""
    return lambda others: max(limit, limit * others["rate_limit_per_hour"] // _CALLS_PER_HOUR)


class Settings(BaseModel):
    """The environment variables of a function. Field names are their names in lower case."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    stage: str = "local"
    supabase_url: str = Field(pattern=r"^https?://\S+[^/]$")
    supabase_rest_url: str = ""
    """The URL of PostgREST; if empty, ``/rest/v1`` below the project's URL, as on hosted Supabase."""
    supabase_auth_url: str = ""
    """The URL of Supabase Auth, also the issuer of its tokens; if empty, ``/auth/v1`` below the project's URL."""
    supabase_secret_key: SecretStr = SecretStr("")
    """``sb_secret_...``; several are separated by commas, in order of preference."""
    supabase_service_role_key: SecretStr = SecretStr("")
    """The JWT of older and self-hosted projects, used after all secret keys."""
    supabase_jwt_secret: SecretStr = SecretStr("")
    """The shared secret of projects that still sign with HS256; if empty, such tokens are rejected."""
    supabase_secret_name: str = ""
    operator_tokens: Json[dict[OperatorName, OperatorToken]] | dict[OperatorName, OperatorToken] = {}
    """Each operator's token for the health function, by the operator's name; if empty, operators' endpoints are
    disabled."""
    email_confirmation: Literal["off", "optional", "required"] = "off"
    """How a new account's email address is confirmed: not at all, by an optional email, or before the first sign-in."""
    captcha_url: str = ""
    """Where captchas are verified (``siteverify`` of hCaptcha, Turnstile, reCAPTCHA); if empty, none is required."""
    captcha_secret: SecretStr = SecretStr("")
    mail_answer_seconds: float = Field(default=2.0, ge=0, le=5)
    """How long every call takes that may send an email, so that its duration does not reveal whether it did."""
    suspicion_mode: Literal["soft", "strict"] = "soft"
    live_updates: bool = False
    """Whether the database broadcasts changes of a space to its members over Supabase Realtime."""
    max_request_bytes: int = Field(default=3 * 1024 * 1024, ge=1024)
    """Bodies over this many bytes get a 413; a batch of 500 events of 4 KiB each fits."""
    rate_limit_per_minute: int = Field(default=100, ge=1)
    """Per user, or per address of callers who are not signed in."""
    rate_limit_per_hour: int = Field(default=_CALLS_PER_HOUR, ge=1)
    rate_limit_address_factor: int = Field(default=10, ge=1)
    """Everyone behind one address may make this many times the calls per minute of a user: behind a school's, 300
    students can make three calls a minute each, including heartbeats."""
    registrations_per_minute: int = Field(default_factory=_at_least(30), ge=1)
    """Per address, like the limits below: a class can register in one lesson."""
    registrations_per_hour: int = Field(default_factory=_at_least(150), ge=1)
    failed_sign_ins_per_minute: int = Field(default_factory=_at_least(60), ge=1)
    failed_sign_ins_per_hour: int = Field(default_factory=_at_least(400), ge=1)
    failed_codes_per_minute: int = Field(default_factory=_at_least(40), ge=1)
    """Wrong invite codes."""
    failed_codes_per_hour: int = Field(default_factory=_at_least(200), ge=1)
    database_timeout_seconds: float = Field(default=5.0, gt=0, le=30)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings from `environment`; an empty variable counts as absent.

        Raises:
            pydantic.ValidationError: a variable is missing or malformed; the error names it.
            ApiError: SERVICE_UNAVAILABLE, the secret cannot be read, and never was in this process.
        """
        found = {name: environment.get(name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in found.items() if value})

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        url = values.get("supabase_url", "")
        values.setdefault("supabase_rest_url", f"{url}/rest/v1")
        values.setdefault("supabase_auth_url", f"{url}/auth/v1")
        name = values.get("supabase_secret_name")
        if name and not any(values.get(f"supabase_{key}") for key in _KEYS):
            values = {**read_with_fallback(name, _read_secret), **values}
        return values

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The server's API keys for the project, in the order in which they are tried."""
        given = (self.supabase_secret_key, self.supabase_service_role_key)
        return tuple(key.strip() for each in given for key in each.get_secret_value().split(",") if key.strip())


def _read_secret(name: str) -> dict[str, Any]:
    found = dict(json.loads(aws_client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]))
    values = {f"supabase_{key}": found[key] for key in (*_KEYS, "jwt_secret") if key in found}
    if found.get("captcha_secret"):
        values["captcha_secret"] = found["captcha_secret"]
    if isinstance(found.get("secret_key"), list):
        values["supabase_secret_key"] = ",".join(found["secret_key"])
    return {**values, **({"operator_tokens": found["operator_tokens"]} if found.get("operator_tokens") else {})}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once; raises what `Settings.from_environment` raises."""
    return Settings.from_environment()
