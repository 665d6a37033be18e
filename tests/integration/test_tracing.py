"""The X-Ray trace of an invocation, as a daemon receives it."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.backends import Backends
from testing.client import Student
from testing.handlers import Handlers, handlers

TRACE, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
SAMPLED = f"Root={TRACE};Parent={PARENT};Sampled=1"
Segment = dict[str, Any]
Traced = Callable[..., AbstractContextManager[Handlers]]


class Daemon:
    """A listening X-Ray daemon."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"

    def received(self) -> list[Segment]:
        """Return what was sent so far, with nested subsegments as entries of their own."""
        segments: list[Segment] = []
        while True:
            try:
                header, _, body = self._listener.recv(65_536).partition(b"\n")
            except BlockingIOError:
                return segments
            assert json.loads(header) == {"format": "json", "version": 1}
            segments += _flat(json.loads(body))


def _flat(segment: Segment) -> list[Segment]:
    inner = [each for one in segment.get("subsegments", []) for each in _flat({"parent_id": segment["id"], **one})]
    return [segment, *inner]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon. Datagrams on the loopback interface have arrived once the handler has answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        yield Daemon(listener)


@pytest.fixture
def traced(backends: Backends, tmp_path: Path, daemon: Daemon) -> Traced:
    """Runs the functions as on Lambda, in a trace."""

    def run(**variables: str) -> AbstractContextManager[Handlers]:
        lambda_variables = {
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
            "_X_AMZN_TRACE_ID": SAMPLED,
        }
        return handlers(tmp_path, **{**backends.environment, **lambda_variables, **variables})

    return run


def request(path: str, *, token: str | None = None, body: Any = None) -> dict[str, Any]:
    """An event of an HTTP API."""
    method = "GET" if body is None else "POST"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {}),
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}, "stage": "$default"},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def one(segments: list[Segment], name: str) -> Segment:
    """The only subsegment with a name."""
    (found,) = [each for each in segments if each["name"] == name]
    return found


def flags(segment: Segment) -> set[str]:
    """The flags that are set."""
    return {flag for flag in ("error", "throttle", "fault") if segment.get(flag)}


def test_a_request_is_traced_from_the_handler_to_its_calls(
    traced: Traced, daemon: Daemon, student: Student, backends: Backends
) -> None:
    """The handler contains the route, which contains the database and the table; a student is nowhere in it."""
    with traced() as call:
        assert call("users", request("/api/users/me", token=student.token))["statusCode"] == 200
        segments = daemon.received()
    handler, route = one(segments, "## handler"), one(segments, "route")
    database = one(segments, "database get_profile")
    assert (handler["trace_id"], handler["parent_id"]) == (TRACE, PARENT)
    assert (route["parent_id"], database["parent_id"]) == (handler["id"], route["id"])
    assert handler["annotations"] == {"ColdStart": True, "Service": "test"}
    assert route["annotations"] == {"Start": "cold", "Route": "GET /api/users/me"}
    assert (database["namespace"], database["http"]) == ("remote", {"response": {"status": 200}})
    assert route["start_time"] <= database["start_time"] < database["end_time"] <= route["end_time"]
    tables = [each for each in segments if each["name"] == "dynamodb"]
    assert {each["aws"]["table_name"] for each in tables} == {backends.environment["RESILIENCE_TABLE"]}
    assert not any(flags(each) for each in segments)
    for personal in (student.user_id, student.username, student.token):
        assert personal not in json.dumps(segments)


def test_calls_that_overlap_lie_beside_each_other(traced: Traced, daemon: Daemon) -> None:
    """Readiness asks the database and the table at the same time: neither is below the other."""
    with traced() as call:
        assert call("health", request("/health/readiness"))["statusCode"] == 200
        segments = daemon.received()
    calls = {each["id"] for each in segments if each["name"].startswith("database ") or each["name"] == "dynamodb"}
    assert len(calls) > 1
    assert not calls & {each["parent_id"] for each in segments}


def test_a_first_invocation_is_told_from_later_ones(traced: Traced, daemon: Daemon) -> None:
    """Cold, warm, and the first after a snapshot was restored."""
    starts = []
    with traced() as call:
        for _ in range(2):
            call("users", request("/api/users/me"))
            segments = daemon.received()
            starts.append((one(segments, "route")["annotations"]["Start"], one(segments, "## handler")["annotations"]))
        call("restore", None)
        call("users", request("/api/users/me"))
        starts.append((one(daemon.received(), "route")["annotations"]["Start"], {}))
    assert [start for start, _ in starts] == ["cold", "warm", "restored"]
    assert [annotations.get("ColdStart") for _, annotations in starts] == [True, False, None]


def test_errors_are_flagged(traced: Traced, daemon: Daemon, student: Student) -> None:
    """A client's error is an error; a database that does not answer is a fault, of the call and of the route."""
    with traced() as call:
        call("users", request("/api/nowhere"))
        assert flags(one(daemon.received(), "route")) == {"error"}
    with traced(SUPABASE_REST_URL="http://127.0.0.1:1") as call:
        assert call("users", request("/api/users/me", token=student.token))["statusCode"] == 503
        segments = daemon.received()
    assert flags(one(segments, "database get_profile")) == flags(one(segments, "route")) == {"fault"}


def test_a_throttled_call_is_flagged(traced: Traced, daemon: Daemon) -> None:
    """Supabase Auth asks for fewer requests: an error and a throttle, and no fault."""
    with _answering(429, {"code": "over_request_rate_limit"}) as auth, traced(SUPABASE_AUTH_URL=auth) as call:
        call("users", request("/api/auth/login", body={"email": "ada@example.test", "password": "analytical1"}))
        (called,) = [each for each in daemon.received() if each["name"].startswith("auth ")]
    assert flags(called) == {"error", "throttle"}


def test_a_schedule_is_traced(traced: Traced, daemon: Daemon) -> None:
    """It has its name where a request has its route."""
    with traced() as call:
        call("sessions", {"schedule": "close_silent_sessions"})
        segments = daemon.received()
    assert one(segments, "route")["annotations"]["Route"] == "close_silent_sessions"
    assert any(each["name"].startswith("database ") for each in segments)


def test_a_schedule_that_fails_has_its_name(traced: Traced, daemon: Daemon) -> None:
    """The handler raises, so that Lambda runs it again, and the trace says which schedule it was."""
    with traced(SUPABASE_REST_URL="http://127.0.0.1:1") as call, pytest.raises(AssertionError):
        call("sessions", {"schedule": "close_silent_sessions"})
    route = one(daemon.received(), "route")
    assert (route["annotations"]["Route"], flags(route)) == ("close_silent_sessions", {"fault"})


def test_a_line_has_each_id_once_and_few_bytes(traced: Traced, student: Student) -> None:
    """The ids of the gateway and of X-Ray are repeated only beside other ids that a client sent."""
    plain = request("/api/users/me", token=student.token)
    plain["requestContext"]["requestId"] = "JKJaXmPLvHcESHA="
    own = {"x-request-id": "mine", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    with traced(POWERTOOLS_LOGGER_SAMPLE_RATE="0.000001", POWERTOOLS_SERVICE_NAME="gamification") as call:
        call("users", plain)
        call("users", {**plain, "headers": {**plain["headers"], **own}})
        texts = [text for text in call.log.splitlines() if '"kind":"request"' in text]
    anonymous, named = (json.loads(text) for text in texts)
    assert (anonymous["request_id"], anonymous["trace_id"]) == ("JKJaXmPLvHcESHA=", TRACE[2:].replace("-", ""))
    assert not {"gateway_request_id", "xray_trace", "sampling_rate", "location"} & set(anonymous)
    assert (named["request_id"], named["gateway_request_id"]) == ("mine", "JKJaXmPLvHcESHA=")
    assert (named["trace_id"], named["xray_trace"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", TRACE)
    assert max(map(len, texts)) <= 500


def test_a_trace_that_nobody_records_is_not_logged(traced: Traced) -> None:
    """Its id would lead nowhere; the client's own stays."""
    own = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}
    with traced(_X_AMZN_TRACE_ID=SAMPLED.replace("=1", "=0")) as call:
        call("users", request("/api/nowhere"))
        call("users", {**request("/api/nowhere"), "headers": own})
        lines = [json.loads(text) for text in call.log.splitlines() if '"kind":"request"' in text]
    assert [line.get("trace_id") for line in lines] == [None, "4bf92f3577b34da6a3ce929d0e0e4736"]
    assert not any("xray_trace" in line for line in lines)


@pytest.mark.parametrize(
    "variables",
    [{"_X_AMZN_TRACE_ID": SAMPLED.replace("=1", "=0")}, {"_X_AMZN_TRACE_ID": ""}, {"AWS_SAM_LOCAL": "true"}],
    ids=["not sampled", "no trace", "local"],
)
def test_nothing_is_sent_where_nobody_traces(
    traced: Traced, daemon: Daemon, student: Student, variables: dict[str, str]
) -> None:
    """Nothing is sent, and nothing is logged about that."""
    with traced(**variables) as call:
        assert call("users", request("/api/users/me", token=student.token))["statusCode"] == 200
        assert daemon.received() == []
        assert "ubsegment" not in call.log


def test_a_daemon_that_is_not_there_harms_nobody(traced: Traced, student: Student) -> None:
    """Traces are lost, requests are not."""
    with traced(AWS_XRAY_DAEMON_ADDRESS="127.0.0.1:1") as call:
        for _ in range(3):
            assert call("users", request("/api/users/me", token=student.token))["statusCode"] == 200


@contextmanager
def _answering(status: int, body: dict[str, str]) -> Iterator[str]:
    """The URL of a server that gives every POST the same answer."""

    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(json.dumps(body))))
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
