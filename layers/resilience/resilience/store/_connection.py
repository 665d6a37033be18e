"""boto3's client behind a total deadline: each request ends in time with one answer or one error."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from typing import Any, Final

from resilience import _sleep
from resilience._fork import register_after_fork
from resilience.errors import StoreError
from resilience.store._time_limiter import TimeLimiter

_BETWEEN_ATTEMPTS: Final = 0.05
_SERVER_ERROR: Final = 500
_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_METHODS: Final = {
    "GetItem": "get_item",
    "Query": "query",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
}
_MEMBERS: Final = {"query": "Items", "update_item": "Attributes"}
"""The member that an answer must have, by method: botocore returns an empty answer for a body it cannot read."""
_TOO_MANY_REQUESTS: Final = 429
_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class RefusedError(StoreError):
    """DynamoDB answered with an error.

    Attributes:
        code: The error's name, such as `ConditionalCheckFailedException`.
        item: The stored item that did not meet the condition, if the request asked for it; else None.
    """

    def __init__(self, code: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(code, item)
        self.code, self.item = code, item


class ThrottledError(StoreError):
    """DynamoDB works but asks for fewer requests."""


class UnreachableError(StoreError):
    """No readable answer arrived in time, or no request could be sent: no credentials, no region."""


class NotReadyError(StoreError):
    """The client is still being created, which says nothing about the table."""


class Connection:
    """Sends requests to DynamoDB from any thread.

    Args:
        settings: region_name and endpoint_url of boto3's client; None takes them from the environment or the profile.
        connect_timeout: Seconds to connect.
        read_timeout: Seconds for each read.
        deadline: Total seconds for a request, retries included.
        attempts: Attempts for a request, the first included.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        *,
        connect_timeout: float,
        read_timeout: float,
        deadline: float,
        attempts: int,
    ) -> None:
        self._settings, self._attempts = settings, attempts
        self._timeouts = (connect_timeout, read_timeout)
        self._time_limiter = TimeLimiter("resilience-dynamodb", deadline)
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Drop the client in a forked child: its sockets, and the random state of its signer, are the parent's."""
        self._lock = threading.Lock()
        self._client: Any = None
        self._keys: tuple[str | None, ...] = ()

    def close(self) -> None:
        """Close the pooled connections; the client stays, because it is slow to create."""
        client = self._client
        if client is not None:
            client.close()

    def prepare(self) -> None:
        """Create the client now, without a deadline; raises UnreachableError if that is not possible."""
        self._ready_client()

    def send(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return the answer.

        Args:
            operation: The name in DynamoDB's API, such as `GetItem`.
            request: The operation's arguments.

        Raises:
            RefusedError: DynamoDB answered with an error.
            ThrottledError: DynamoDB asks for fewer requests.
            NotReadyError: The client was still being created at the deadline.
            UnreachableError: No readable answer arrived in time, or no request could be sent.
        """
        return self._within_deadline(lambda: self._send(_METHODS[operation], request))

    def _within_deadline(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return self._time_limiter.run(work)
        except TimeoutError as error:
            if self._client is None:
                raise NotReadyError("the client is not made yet; see prepare()") from error
            raise UnreachableError(str(error)) from error

    def _send(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        self._ready_client()  # not retried: what prevents it now will prevent it a moment later
        for attempt in range(1, self._attempts + 1):
            try:
                return self._try(method, request)
            except (UnreachableError, _PassingError):
                # All pooled connections may be dead: the next attempt must open a new one.
                self.close()
                if attempt == self._attempts:
                    raise
            _sleep.sleep(random.random() * _BETWEEN_ATTEMPTS)  # noqa: S311 - no secret
        raise AssertionError  # pragma: no cover - there is at least one attempt

    def _try(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        client = self._ready_client()
        try:
            answer: dict[str, Any] = getattr(client, method)(**request)
            kind = answer["ResponseMetadata"]["HTTPHeaders"].get("content-type", "")
            if not kind.startswith("application/x-amz-json"):
                raise UnreachableError(f"not DynamoDB's: an answer of type {kind!r}")
            if (member := _MEMBERS.get(method)) and member not in answer:
                raise UnreachableError(f"not DynamoDB's: an answer without {member}")
        except client.exceptions.ClientError as error:
            raise _meaning(error.response) from error
        except StoreError:
            raise
        except Exception as error:
            # From botocore or urllib3, or due to a proxy's answer: there is no readable answer.
            raise UnreachableError(f"{type(error).__name__}: {error}") from error
        return answer

    def _ready_client(self) -> Any:
        keys = tuple(os.environ.get(name) for name in _KEYS)
        client = self._client
        if client is None or keys != self._keys:
            with self._lock:
                if self._client is None or keys != self._keys:  # pragma: no branch - two threads at the same moment
                    self._client, self._keys = self._make_client(), keys
                client = self._client
        return client

    def _make_client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config

            connect, read = self._timeouts
            config = Config(
                connect_timeout=connect,
                read_timeout=read,
                # `_send` retries instead: botocore waits up to a second before a retry, which is the whole deadline,
                # and retries over pooled connections, of which two may be dead.
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=50,
                tcp_keepalive=True,
            )
            return boto3.session.Session().client("dynamodb", config=config, **self._with_region())
        except Exception as error:
            # No region, a missing profile, an invalid endpoint, no boto3.
            raise UnreachableError(f"no client: {type(error).__name__}: {error}") from error

    def _with_region(self) -> dict[str, Any]:
        """Return the settings, with AWS_REGION (botocore ignores it) if neither they nor AWS_DEFAULT_REGION set one."""
        if self._settings["region_name"] is not None or os.environ.get("AWS_DEFAULT_REGION"):
            return self._settings
        return self._settings | {"region_name": os.environ.get("AWS_REGION") or None}


class _PassingError(RefusedError):
    """DynamoDB had an internal error; a retry of the same request may succeed."""


def _meaning(response: dict[str, Any]) -> StoreError:
    """Return the exception for an error response."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR)
    if code in _THROTTLED or status == _TOO_MANY_REQUESTS:
        return ThrottledError(code)
    if status >= _SERVER_ERROR:
        return _PassingError(code)
    return RefusedError(code, response.get("Item"))
