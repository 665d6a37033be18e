"""A Python version of `awslambdaric`'s C extension, for machines without a wheel of it (Mac): the same four functions.

It has no imports from this package, because it is imported in the function's process.
"""

import http.client
import os
from collections.abc import Mapping

_PREFIX = "/2018-06-01/runtime/invocation"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_TOO_LARGE = 413  # the error was reported, and the function continues


class _Client:
    """The only connection of a process."""

    def __init__(self) -> None:
        self.user_agent = ""
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self._connection.request(method, _PREFIX + path, body, {"User-Agent": self.user_agent, **headers})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= http.client.BAD_REQUEST and answer.status != _TOO_LARGE:
            raise RuntimeError(f"The Runtime API answered {answer.status} to {method} {path}")
        return content, dict(answer.headers)


_client = _Client()


def initialize_client(user_agent: str) -> None:
    """Set the user agent."""
    _client.user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001 - its name there
    """Wait for an invocation; returns its event and headers, of which the deadline is a number."""
    event, headers = _client.call("GET", "/next", b"", {})
    return event, {**headers, _DEADLINE: int(headers[_DEADLINE])}


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None) -> None:
    """Send a result."""
    headers = {"Content-Type": content_type, **_second_id(invocation_id)}
    _client.call("POST", f"/{invoke_id}/response", result, headers)


def post_error(invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None) -> None:
    """Report a failure."""
    headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-XRay-Error-Cause": xray_fault}
    _client.call("POST", f"/{invoke_id}/error", error.encode(), {**headers, **_second_id(invocation_id)})


def _second_id(invocation_id: str | None) -> dict[str, str]:
    return {"Lambda-Runtime-Invocation-Id": invocation_id} if invocation_id else {}
