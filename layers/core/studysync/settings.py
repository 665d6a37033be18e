"""Settings of a function: typed environment variables, validated when they are first read.

Plain pydantic: what pydantic-settings adds (files, command lines, clouds) is not used, and was a twentieth of every
cold start.

Secrets are given by reference in a deployed stack (``SUPABASE_SECRET_NAME``, a JSON object in Secrets Manager) and by
value on a developer's machine; a value wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, StringConstraints, model_validator

from studysync.secret_cache import read_with_fallback, short_calls

OperatorName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
OperatorToken = Annotated[SecretStr, Field(min_length=32)]  # too long to guess: 32 random bytes in hexadecimal are 64

_CALLS_PER_HOUR = 1000
_KEYS = ("secret_key", "service_role_key")


def _at_least(limit: int) -> Callable[[dict[str, Any]], int]:
    """Return the default of a limit: `limit`, lifted with that on all calls where there are many from one address."""
    return lambda others: max(limit, limit * others["rate_limit_per_hour"] // _CALLS_PER_HOUR)


class Settings(BaseModel):
    """The environment of a function. Field names are the variables' names in lower case."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    stage: str = "local"
    supabase_url: str = Field(pattern=r"^https?://\S+[^/]$")
    supabase_rest_url: str = ""
    """Where PostgREST answers; empty: ``/rest/v1`` below the project's URL, as hosted Supabase has it."""
    supabase_auth_url: str = ""
    """Where Supabase Auth answers, also the issuer of its tokens; empty: ``/auth/v1`` below the project's URL."""
    supabase_secret_key: SecretStr = SecretStr("")
    """``sb_secret_...``; several, in the order of preference, with commas between them."""
    supabase_service_role_key: SecretStr = SecretStr("")
    """The JWT of older and self-hosted projects, used after any secret key."""
    supabase_jwt_secret: SecretStr = SecretStr("")
    """The shared secret of projects that still sign with HS256; empty: such tokens are refused."""
    supabase_secret_name: str = ""
    operator_tokens: Json[dict[OperatorName, OperatorToken]] | dict[OperatorName, OperatorToken] = {}
    """What each operator shows to the health function, by the operator's name; empty: it is closed."""
    email_confirmation: Literal["off", "optional", "required"] = "off"
    """Whether a new account's address is confirmed: not asked for, asked for by mail, or before the first sign-in."""
    captcha_url: str = ""
    """Where a captcha's answer is checked (``siteverify`` of hCaptcha, Turnstile, reCAPTCHA); empty: none is asked."""
    captcha_secret: SecretStr = SecretStr("")
    mail_answer_seconds: float = Field(default=1.0, ge=0, le=5)
    """How long every call takes that may send a mail, so that its time does not tell whether it did."""
    suspicion_mode: Literal["soft", "strict"] = "soft"
    max_request_bytes: int = Field(default=3 * 1024 * 1024, ge=1024)
    """Bodies over this many bytes are answered with 413; a batch of 500 events with 4 KiB each goes through."""
    rate_limit_per_minute: int = Field(default=100, ge=1)
    """Of a user, and of an address without one."""
    rate_limit_per_hour: int = Field(default=_CALLS_PER_HOUR, ge=1)
    rate_limit_address_factor: int = Field(default=10, ge=1)
    """All who call from one address may so many times as often a minute as a user: behind a school's, 300 students can
    make three calls a minute each, of which a heartbeat is one."""
    registrations_per_minute: int = Field(default_factory=_at_least(30), ge=1)
    """Of an address, as the following: a class can register in one lesson."""
    registrations_per_hour: int = Field(default_factory=_at_least(150), ge=1)
    failed_sign_ins_per_minute: int = Field(default_factory=_at_least(60), ge=1)
    failed_sign_ins_per_hour: int = Field(default_factory=_at_least(400), ge=1)
    failed_codes_per_minute: int = Field(default_factory=_at_least(40), ge=1)
    """Wrong invite codes."""
    failed_codes_per_hour: int = Field(default_factory=_at_least(200), ge=1)
    database_timeout_seconds: float = Field(default=5.0, gt=0, le=30)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings that `environment` holds; an empty variable counts as absent.

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
        """The keys that open the project for a server, in the order in which they are tried."""
        given = (self.supabase_secret_key, self.supabase_service_role_key)
        return tuple(key.strip() for each in given for key in each.get_secret_value().split(",") if key.strip())


def _read_secret(name: str) -> dict[str, Any]:
    from aws_lambda_powertools.utilities import parameters  # boto3 loads only where the secret is needed

    secret: Any = parameters.SecretsProvider(boto_config=short_calls()).get(name, transform="json")
    found = dict(secret)
    values = {f"supabase_{key}": found[key] for key in (*_KEYS, "jwt_secret") if key in found}
    if found.get("captcha_secret"):
        values["captcha_secret"] = found["captcha_secret"]
    if isinstance(found.get("secret_key"), list):
        values["supabase_secret_key"] = ",".join(found["secret_key"])
    return {**values, **({"operator_tokens": found["operator_tokens"]} if found.get("operator_tokens") else {})}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once; raises as `Settings.from_environment`."""
    return Settings.from_environment()
