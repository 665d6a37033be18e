"""The subsegments of an invocation's X-Ray trace, recorded by Powertools' Tracer.

A traced invocation has a subsegment for the handler, below it one for the route or the schedule, and below that one for
each call to the database and to Supabase Auth. Calls to the table and to other services of AWS come from the SDK's
patch of botocore; those that run in another thread lie beside the handler. The Tracer disables itself outside Lambda
and under `sam local`. A trace that cannot be sent is logged by the SDK and harms no request.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Tracer

from studysync.context import invocation

_SAMPLED = "Sampled=1"

# A warning for every call to AWS while an environment is initialised, when there is no trace yet.
logging.getLogger("aws_xray_sdk").setLevel(logging.ERROR)
# httpx is not patched: it would name a call by its host, and the database is called below httpx's client.
tracer = Tracer(patch_modules=["botocore"])
_provider: Any = tracer.provider  # its subsegments have more than Powertools' types say


class Span:
    """The subsegment of a route or a schedule, while it is open."""

    def __init__(self, subsegment: Any = None) -> None:
        self._subsegment = subsegment

    def end(self, name: str, status: int) -> None:
        """Annotate it with what ran, such as ``GET /api/users/{user_id}``, and set the flags that `status` stands for.

        A status of 500 or more is a fault, 400 to 499 an error, and 429 also a throttle.
        """
        if self._subsegment is not None:
            self._subsegment.put_annotation("Route", name)
            self._subsegment.put_http_meta("status", status)


def trace_handler(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Record each invocation of `handler`, annotated with ``Service``, and with ``ColdStart`` for a first one.

    Events and responses stay out of the trace: they contain personal data.
    """
    if tracer.disabled:
        return handler
    return tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)


@contextmanager
def trace_request() -> Iterator[Span]:
    """Record a request or a schedule; annotate it with ``Start``, the invocation's: cold, restored or warm."""
    if not _is_sampled():
        yield Span()
        return
    with _provider.in_subsegment(name="route") as subsegment:
        invoked = invocation()
        if invoked is not None:
            subsegment.put_annotation("Start", invoked.start)
        yield Span(subsegment)


def trace_call(name: str, seconds: float, status: int) -> None:
    """Record a call that has just ended.

    Calls of one request overlap, and the SDK nests whatever is open at the same time: so none is opened before it ends.

    Args:
        name: what was called, such as ``database get_profile``; never an id.
        seconds: its duration.
        status: its HTTP status, or the one that stands for what happened (`Span.end`).
    """
    if not _is_sampled():
        return
    with _provider.in_subsegment(name=name, namespace="remote") as subsegment:
        subsegment.start_time -= seconds
        subsegment.put_http_meta("status", status)


def _is_sampled() -> bool:
    return not tracer.disabled and _SAMPLED in os.environ.get("_X_AMZN_TRACE_ID", "")
