"""An invocation of a function, and its possible outcomes."""

import json
import uuid
from dataclasses import dataclass, field
from enum import Enum


class Failure(Enum):
    """Why there is no result."""

    FUNCTION = "the handler raised, or could not be imported"
    CRASH = "the process ended"
    TIMEOUT = "the function's timeout passed"
    CAPACITY = "no process was free in time"
    TOO_LARGE = "the result is over Lambda's limit"


@dataclass(frozen=True)
class Outcome:
    """The outcome of an invocation: the result as JSON, or an error as JSON and the kind of failure."""

    payload: bytes
    failure: Failure | None = None


@dataclass(frozen=True)
class Invocation:
    """An event on its way to a function."""

    payload: bytes
    trace_id: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


def failed(failure: Failure, kind: str, message: str) -> Outcome:
    """A failure, in Lambda's format."""
    return Outcome(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failure)
