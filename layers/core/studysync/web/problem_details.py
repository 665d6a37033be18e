"""The schema of errors for the OpenAPI document. Functions do not load it: `studysync.errors.problem` builds errors."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studysync.errors import MAX_FIELD_ERRORS, MAX_LOCATION, MAX_MESSAGE


class ValidationDetail(BaseModel):
    """An invalid field."""

    location: str = Field(max_length=MAX_LOCATION, examples=["body.duration_minutes"])
    message: str = Field(max_length=MAX_MESSAGE)


class ErrorDetails(BaseModel):
    """Details for programs; the fields depend on the error code."""

    model_config = ConfigDict(extra="allow")

    validation_errors: list[ValidationDetail] = Field(
        default=[], max_length=MAX_FIELD_ERRORS, description="The first invalid fields."
    )
    error_count: int = Field(default=0, description="The total number of invalid fields.")


class ProblemDetails(BaseModel):
    """An error (RFC 9457), with the fields that older clients read."""

    type: str
    title: str
    status: int
    detail: str = Field(max_length=MAX_MESSAGE)
    instance: str = Field(
        description="The requested path, percent-encoded and possibly truncated.",
        json_schema_extra={"format": "uri-reference"},
    )
    error: Literal[True]
    error_code: str
    message: str = Field(max_length=MAX_MESSAGE)
    request_id: str
    details: ErrorDetails | None = None
