"""The shapes in which answers leave: the success envelope, pages, and the problem for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")


class Success(BaseModel, Generic[T]):
    """``{"success": true, "data": ...}``."""

    success: Literal[True] = True
    data: T


class Page(BaseModel, Generic[T]):
    """A paged list; `next_cursor` is null on the last page."""

    success: Literal[True] = True
    data: list[T]
    next_cursor: str | None = Field(description="Opaque; give it back as `cursor` for the next page.")


class ValidationDetail(BaseModel):
    """What is wrong with one field."""

    location: str = Field(examples=["body.duration_minutes"])
    message: str


class ProblemDetails(BaseModel):
    """An error (RFC 9457), with the fields that older clients read."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error: Literal[True]
    error_code: str
    message: str
    request_id: str
    details: dict[str, Any] | None = None
