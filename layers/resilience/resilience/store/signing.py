"""Who asks AWS, and the proof of it: credentials, and Signature Version 4 for a POST without a query.

AWS's signing by hand because of what it saves: botocore's client is 150 ms of CPU in every cold start, its signer alone
still 40 ms, and what DynamoDB needs of it are the lines below. The tests hold them against botocore's own signer.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from resilience.errors import StoreError

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; with a token when it is temporary, as every one of Lambda's is."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def find_credentials() -> Callable[[], Credentials]:
    """Return where the credentials of a request come from.

    The environment of a Lambda function holds them. Everything else (SnapStart's and ECS's endpoint, profiles, roles
    that are assumed) is botocore's to find and to renew; it is imported only then.

    Raises:
        StoreError: There are none.
    """
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        found = Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN") or None)
        return lambda: found
    return _from_botocore()


def find_region() -> str:
    """Return the region that the environment or the profile names.

    Raises:
        StoreError: Neither does.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        try:
            import botocore.session

            region = botocore.session.get_session().get_config_variable("region")
        except ImportError:
            region = None
    if not region:
        raise StoreError("no region: set AWS_REGION")
    return str(region)


def sign(
    headers: Mapping[str, str],
    body: bytes,
    *,
    path: str,
    region: str,
    service: str,
    credentials: Credentials,
    now: float,
) -> dict[str, str]:
    """Return `headers` with the date, the token and the signature of a POST to `path`.

    Args:
        headers: What is sent; all of it is signed, so it must hold `Host`.
        body: What is sent.
        path: Of the URL, as it is sent.
        region: Where the service is.
        service: Its name in signatures, such as `dynamodb`.
        credentials: Whose signature it is.
        now: Seconds since 1970; AWS refuses a signature that is five minutes off.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    sent = {**headers, "X-Amz-Date": stamp}
    if credentials.token:
        sent["X-Amz-Security-Token"] = credentials.token
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in sent.items())
    names = ";".join(name for name, _ in lines)
    canonical = "\n".join(
        ("POST", path, "", *(f"{name}:{value}" for name, value in lines), "", names, hashlib.sha256(body).hexdigest())
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return sent


def _from_botocore() -> Callable[[], Credentials]:
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise StoreError("no credentials: AWS_ACCESS_KEY_ID is not set and botocore is not installed") from error
    try:
        source = botocore.session.get_session().get_credentials()
    except BotoCoreError as error:
        raise StoreError(f"no credentials: {error}") from error
    if source is None:
        raise StoreError("no credentials")

    def current() -> Credentials:
        try:
            frozen = source.get_frozen_credentials()  # renewed when it is about to expire
        except BotoCoreError as error:
            raise StoreError(f"credentials cannot be renewed: {error}") from error
        if not frozen.access_key or not frozen.secret_key:
            raise StoreError("no credentials: the key is empty")
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return current
