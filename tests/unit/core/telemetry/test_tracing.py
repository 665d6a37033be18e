"""Subsegments for X-Ray: what reaches the daemon, and that none is sent without one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from studysync.telemetry import tracing
from studysync.telemetry.tracing import trace_call

SAMPLED = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A listening daemon, on Lambda."""
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", SAMPLED)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.2)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{listener.getsockname()[1]}")
        yield listener


def test_a_call_is_a_subsegment_of_the_invocations_trace(daemon: socket.socket) -> None:
    """The subsegment has name, time and fault, under Lambda's trace and segment."""
    trace_call("database get_profile", 0.25, error=True)
    header, _, body = daemon.recv(65_536).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    segment = json.loads(body)
    assert (segment["trace_id"], segment["parent_id"]) == ("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8")
    assert (segment["name"], segment["type"], segment["fault"]) == ("database get_profile", "subsegment", True)
    assert len(segment["id"]) == 16
    assert segment["end_time"] - segment["start_time"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("name", "value"),
    [("_X_AMZN_TRACE_ID", None), ("_X_AMZN_TRACE_ID", SAMPLED.replace("=1", "=0")), ("AWS_SAM_LOCAL", "true")],
)
def test_nothing_is_sent_where_nobody_traces(
    daemon: socket.socket, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    """Nothing is sent without a trace, for an unsampled one, or locally."""
    monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv(name, value)
    trace_call("database ping", 0.1, error=False)
    with pytest.raises(TimeoutError):
        daemon.recv(65_536)


def test_a_daemon_that_is_not_there_harms_nobody(daemon: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a daemon traces are lost, but calls are not."""
    for address in ("127.0.0.1:1", "nonsense", "127.0.0.1:x", "[::1]:2000"):
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
        for _ in range(3):
            trace_call("database ping", 0.1, error=False)


def test_a_daemon_that_cannot_be_reached_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unusable address or a socket that cannot be opened is ignored, and no broken socket is kept."""
    monkeypatch.setattr(tracing, "_socket", None)
    monkeypatch.setattr(socket, "socket", _broken)
    tracing._send("127.0.0.1:2000", {})
    assert tracing._socket is None
    tracing._send("nowhere", {})
    assert tracing._socket is None


def _broken(*_: Any) -> Any:
    raise OSError("no more descriptors")
