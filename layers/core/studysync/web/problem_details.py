"""The shape of errors for the OpenAPI document. No function loads it: `studysync.errors.problem` makes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studysync.errors import MAX_FIELD_ERRORS, MAX_LOCATION, MAX_MESSAGE


class ValidationDetail(BaseModel):
    """What is wrong with one field."""

    location: str = Field(max_length=MAX_LOCATION, examples=["body.duration_minutes"])
    message: str = Field(max_length=MAX_MESSAGE)


class ErrorDetails(BaseModel):
    """What a program can use; which fields there are goes with the error code."""

    model_config = ConfigDict(extra="allow")

    validation_errors: list[ValidationDetail] = Field(
        default=[], max_length=MAX_FIELD_ERRORS, description="The first fields that are wrong."
    )
    error_count: int = Field(default=0, description="How many are wrong.")


class ProblemDetails(BaseModel):
    """An error (RFC 9457), with the fields that older clients read."""

    type: str
    title: str
    status: int
    detail: str = Field(max_length=MAX_MESSAGE)
    instance: str = Field(
        description="The path that was asked, percent-encoded; of a long one the beginning.",
        json_schema_extra={"format": "uri-reference"},
    )
    error: Literal[True]
    error_code: str
    message: str = Field(max_length=MAX_MESSAGE)
    request_id: str
    details: ErrorDetails | None = None
