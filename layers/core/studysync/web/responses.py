"""The models of successful responses: a single result, and pages."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")


class Success(BaseModel, Generic[T]):
    """``{"success": true, "data": ...}``."""

    success: Literal[True] = True
    data: T


class Page(BaseModel, Generic[T]):
    """A paginated list. `next_cursor` is null on the last page."""

    success: Literal[True] = True
    data: list[T]
    next_cursor: str | None = Field(description="Opaque. Pass it as `cursor` to get the next page.")
