"""What everybody is told (docs/contract.md: "Health and operations"); operators' answers are in `health.operations`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """The function runs."""

    status: Literal["healthy"] = "healthy"
    service: Literal["studysync"] = "studysync"


class Liveness(BaseModel):
    """The process runs; nothing else was asked."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Requests can be served: the database answers."""

    status: Literal["ready"] = "ready"
