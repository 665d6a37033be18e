"""Settings of a function: typed environment variables, validated when they are first read.

Plain pydantic: what pydantic-settings adds (files, command lines, clouds) is not used, and was a twentieth of every
cold start.

Secrets are given by reference in a deployed stack (``SUPABASE_SECRET_NAME``, a JSON object in Secrets Manager) and by
value on a developer's machine; a value wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from studysync.kept_secret import read_or_kept, short_calls


class Settings(BaseModel):
    """The environment of a function. Field names are the variables' names in lower case."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    stage: str = "local"
    supabase_url: str = Field(pattern=r"^https?://\S+[^/]$")
    supabase_rest_url: str = ""
    """Where PostgREST answers; empty: ``/rest/v1`` below the project's URL, as hosted Supabase has it."""
    supabase_auth_url: str = ""
    """Where Supabase Auth answers, also the issuer of its tokens; empty: ``/auth/v1`` below the project's URL."""
    supabase_service_role_key: SecretStr = SecretStr("")
    supabase_jwt_secret: SecretStr = SecretStr("")
    """The shared secret of projects that still sign with HS256; empty: such tokens are refused."""
    supabase_secret_name: str = ""
    operator_token: SecretStr = SecretStr("")
    """What operators show to the health function; empty: closed, but for the local stage."""
    suspicion_mode: Literal["soft", "strict"] = "soft"
    max_request_bytes: int = Field(default=3 * 1024 * 1024, ge=1024)
    """Bodies over this many bytes are answered with 413; a batch of 500 events with 4 KiB each goes through."""
    rate_limit_per_minute: int = Field(default=100, ge=1)
    rate_limit_per_hour: int = Field(default=1000, ge=1)
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
    def _fill_in(cls, values: dict[str, str]) -> dict[str, str]:
        url = values.get("supabase_url", "")
        values.setdefault("supabase_rest_url", f"{url}/rest/v1")
        values.setdefault("supabase_auth_url", f"{url}/auth/v1")
        name = values.get("supabase_secret_name")
        if name and not values.get("supabase_service_role_key"):
            values = {**read_or_kept(name, _read_secret), **values}
        return values


def _read_secret(name: str) -> dict[str, str]:
    from aws_lambda_powertools.utilities import parameters  # boto3 loads only where the secret is needed

    secret: Any = parameters.SecretsProvider(boto_config=short_calls()).get(name, transform="json")
    found = dict(secret)
    values = {f"supabase_{key}": found[key] for key in ("service_role_key", "jwt_secret") if key in found}
    return {**values, **({"operator_token": found["operator_token"]} if found.get("operator_token") else {})}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once; raises as `Settings.from_environment`."""
    return Settings.from_environment()
