"""boto3's clients of the services that few requests need; the resilience layer has its own for the table.

Creating one takes 30 ms and reads the service's description from a file, so each is created once per process, in a
snapshot before it is taken.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

_clients: dict[str, Any] = {}


def aws_client(service: str) -> Any:
    """Return the process's client of `service`, such as ``secretsmanager``.

    Its calls are short: a service that hangs must not use up a request's time.
    """
    if service not in _clients:
        config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
        create: Any = boto3.client  # its types name every service
        _clients[service] = create(service, config=config)
    return _clients[service]


def close_connections() -> None:
    """Close the sockets of all clients; the next call of each opens new ones."""
    for each in _clients.values():
        each.close()
