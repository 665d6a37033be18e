"""boto3's client behind a total deadline: one answer or one error, within the time, whatever the network does."""

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
"""What an answer must have. botocore takes a body that it cannot read for an empty one."""
_TOO_MANY_REQUESTS: Final = 429
_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class RefusedError(StoreError):
    """DynamoDB answered with an error.

    Attributes:
        code: Its name, such as `ConditionalCheckFailedException`.
        item: With it, the item that did not meet the condition, when it was asked for.
    """

    def __init__(self, code: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(code, item)
        self.code, self.item = code, item


class ThrottledError(StoreError):
    """DynamoDB is well and asks for fewer requests."""


class UnreachableError(StoreError):
    """There was no answer in time, or nothing to ask with: no credentials, no region."""


class NotReadyError(StoreError):
    """The client is still being made: that says nothing about the table."""


class Connection:
    """Sends requests to DynamoDB from any thread.

    Args:
        settings: For boto3's client: region_name and endpoint_url; None takes what the environment and profile say.
        connect_timeout: Seconds.
        read_timeout: Seconds, for each read.
        deadline: Seconds for a request in all, its repeats included.
        attempts: Tries a request in all.
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
        """See ForkAware: sockets, and the sequence of the signer's random numbers, are the parent's."""
        self._lock = threading.Lock()
        self._client: Any = None
        self._keys: tuple[str | None, ...] = ()

    def close(self) -> None:
        """Drop the kept sockets; the client, which is costly to make, stays."""
        client = self._client
        if client is not None:
            client.close()

    def prepare(self) -> None:
        """Make the client now, however long it takes. Raises StoreError when that is not possible."""
        self._ready_client()

    def send(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request.

        Args:
            operation: As the API names it, such as `GetItem`.
            request: Its arguments.

        Raises:
            RefusedError: DynamoDB said no.
            ThrottledError: It asks for fewer requests.
            NotReadyError: The client is still being made.
            UnreachableError: There was no answer in time.
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
        self._ready_client()  # what keeps it from being made keeps it from that a moment later as well
        for attempt in range(1, self._attempts + 1):
            try:
                return self._try(method, request)
            except (UnreachableError, _PassingError):
                # What kept connections there were may all be dead: the next attempt makes one of its own.
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
            # Of botocore, urllib3 or whatever a proxy said: there was no answer that could be read.
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
                # Repeats are ours: botocore waits up to a second before one, which is all the time there is, and goes
                # back to kept connections, of which two may be dead.
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=50,
                tcp_keepalive=True,
            )
            return boto3.session.Session().client("dynamodb", config=config, **self._with_region())
        except Exception as error:
            # No region, a profile that is not there, an endpoint that is none, no boto3.
            raise UnreachableError(f"no client: {type(error).__name__}: {error}") from error

    def _with_region(self) -> dict[str, Any]:
        """The settings, with AWS_REGION, which botocore does not read, where nothing says more."""
        if self._settings["region_name"] is not None or os.environ.get("AWS_DEFAULT_REGION"):
            return self._settings
        return self._settings | {"region_name": os.environ.get("AWS_REGION") or None}


class _PassingError(RefusedError):
    """DynamoDB failed in itself; the same request may well succeed."""


def _meaning(response: dict[str, Any]) -> StoreError:
    """What an answer that is an error comes to."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR)
    if code in _THROTTLED or status == _TOO_MANY_REQUESTS:
        return ThrottledError(code)
    if status >= _SERVER_ERROR:
        return _PassingError(code)
    return RefusedError(code, response.get("Item"))
