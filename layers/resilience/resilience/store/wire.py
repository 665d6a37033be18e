"""DynamoDB's JSON protocol: one signed POST a request, over connections that are kept.

Failure policy: a kept connection that the other side closed meanwhile is replaced at once; what else passes by itself
(no answer, 5xx, throttled) is tried again after up to 50 ms, as often as `attempts` allows; everything else is raised.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from resilience import _sleep
from resilience.errors import StoreError
from resilience.store.signing import find_credentials, find_region, sign

if TYPE_CHECKING:
    import ssl

_BETWEEN_ATTEMPTS = 0.05
_SERVER_ERROR = 500
_PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


class RefusedError(StoreError):
    """DynamoDB answered with an error.

    Attributes:
        code: Its name, such as `ConditionalCheckFailedException`.
        passes: Whether the same request may succeed a little later.
    """

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.passes = status >= _SERVER_ERROR or code in _PASSING


class UnreachableError(StoreError):
    """There was no answer in time."""


class Wire:
    """Sends requests to DynamoDB from any thread; nothing is opened before the first.

    Args:
        region: None takes AWS_REGION, AWS_DEFAULT_REGION or the profile's.
        endpoint_url: None takes AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the region's endpoint.
        connect_timeout: Seconds.
        read_timeout: Seconds.
        attempts: Tries a request in all.

    Raises:
        StoreError: No region or no credentials can be found.
    """

    def __init__(
        self,
        *,
        region: str | None,
        endpoint_url: str | None,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
    ) -> None:
        self._region = region or find_region()
        url = urlsplit(endpoint_url or _configured_endpoint() or _endpoint_of(self._region))
        self._secure = url.scheme == "https"
        self.host, self._path = url.netloc, url.path or "/"
        self._credentials = find_credentials()
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._attempts = attempts
        self._idle: list[http.client.HTTPConnection] = []  # append and pop are atomic
        self._tls: ssl.SSLContext | None = None

    def send(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one request.

        Args:
            operation: As the API names it, such as `GetItem`.
            request: Its JSON.

        Raises:
            RefusedError: DynamoDB said no; the last time, when it was tried more than once.
            UnreachableError: The last try got no answer.
            StoreError: The credentials cannot be renewed.
        """
        body = json.dumps(request, separators=(",", ":")).encode()
        attempt = 1
        while True:
            try:
                return self._try(operation, body)
            except RefusedError as error:
                if not error.passes or attempt >= self._attempts:
                    raise
            except UnreachableError:
                if attempt >= self._attempts:
                    raise
            attempt += 1
            _sleep.sleep(random.random() * _BETWEEN_ATTEMPTS)  # noqa: S311 - no secret

    def close(self) -> None:
        """Drop every kept connection."""
        while self._idle:
            with contextlib.suppress(IndexError):
                self._idle.pop().close()

    def _try(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            status, answer = self._exchange(self._headers(operation, body), body)
            if status == http.client.OK:
                return dict(json.loads(answer))
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: not DynamoDB's, who is it?
            raise UnreachableError(f"{type(error).__name__}: {error}") from error
        raise RefusedError(status, _code(status, answer))

    def _headers(self, operation: str, body: bytes) -> dict[str, str]:
        headers = {
            "Host": self.host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }
        return sign(
            headers,
            body,
            path=self._path,
            region=self._region,
            service="dynamodb",
            credentials=self._credentials(),
            now=time.time(),
        )

    def _exchange(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._ask(self._open(), headers, body)
        try:
            return self._ask(kept, headers, body)
        except (ConnectionError, http.client.BadStatusLine):  # closed while nobody looked
            return self._ask(self._open(), headers, body)

    def _ask(
        self, connection: http.client.HTTPConnection, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        try:
            connection.request("POST", self._path, body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, answer

    def _open(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(
                self.host, timeout=self._connect_timeout, context=self._tls_context()
            )
        else:
            connection = http.client.HTTPConnection(self.host, timeout=self._connect_timeout)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._read_timeout)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl

            bundle, folder = os.environ.get("AWS_CA_BUNDLE"), os.environ.get("SSL_CERT_DIR")
            # A folder given alone is read as authorities are met; beside the system's bundle that would be read whole.
            self._tls = ssl.create_default_context(cafile=bundle or None, capath=(not bundle and folder) or None)
        return self._tls


def _configured_endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL")


def _endpoint_of(region: str) -> str:
    return f"https://dynamodb.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _code(status: int, answer: bytes) -> str:
    """Return the name of an error: `com.amazonaws.dynamodb.v20120810#ValidationException` without what is before #."""
    try:
        return str(json.loads(answer)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return f"status {status}"
