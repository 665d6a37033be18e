"""Calls to the database and to Supabase Auth as subsegments of the invocation's X-Ray trace.

Sends one datagram per call directly to the X-Ray daemon that Lambda runs next to every function, and nothing for
requests that are not sampled, or outside Lambda. The X-Ray SDK, on which Powertools' Tracer is built, would double the
cold start. Failure policy: a trace that cannot be sent is dropped silently.
"""

from __future__ import annotations

import json
import os
import socket
import time

_HEADER = b'{"format":"json","version":1}\n'
_socket: socket.socket | None = None


def trace_call(name: str, seconds: float, *, error: bool) -> None:
    """Send a call that has just ended.

    Args:
        name: what was called, such as ``database get_profile``; never an id.
        seconds: its duration.
        error: whether the other side failed.
    """
    header = os.environ.get("_X_AMZN_TRACE_ID")
    if header is None or "Sampled=1" not in header:
        return
    daemon = os.environ.get("AWS_XRAY_DAEMON_ADDRESS")
    if daemon is not None and "AWS_SAM_LOCAL" not in os.environ:
        _send(daemon, _subsegment(header, name, seconds, error=error))


def _subsegment(header: str, name: str, seconds: float, *, error: bool) -> dict[str, object]:
    parts = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    now = time.time()
    return {
        "trace_id": parts.get("Root", ""),
        "parent_id": parts.get("Parent", ""),
        "id": os.urandom(8).hex(),
        "type": "subsegment",
        "namespace": "remote",
        "name": name,
        "start_time": now - seconds,
        "end_time": now,
        "fault": error,
    }


def _send(daemon: str, subsegment: dict[str, object]) -> None:
    global _socket  # noqa: PLW0603 - one for the process
    host, _, port = daemon.rpartition(":")
    try:
        if _socket is None:
            _socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            _socket.setblocking(False)
        _socket.sendto(_HEADER + json.dumps(subsegment).encode(), (host, int(port)))
    except (OSError, ValueError):
        if _socket is not None:
            _socket.close()
        _socket = None  # after a restore it may be dead: the next call creates another
