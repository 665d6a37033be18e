"""Responses of the public routes (docs/contract.md: "Health and operations"); operators' are in `health.operations`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """The function is running."""

    status: Literal["healthy"] = "healthy"
    service: Literal["studysync"] = "studysync"


class Liveness(BaseModel):
    """The process is running. No dependency was checked."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """The service can handle requests: the database responds."""

    status: Literal["ready"] = "ready"
