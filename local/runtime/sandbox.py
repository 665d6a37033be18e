"""An execution environment: a process of `awslambdaric`, and the Runtime API for it alone.

Starting -> idle (waits for work) -> busy -> idle ... -> ended. The process may end, hang or be killed at any moment;
its current invocation then gets Lambda's error, and nothing else is affected.
"""

import asyncio
import json
import math
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from local.processes import die_with_parent, record
from local.runtime.connection import RuntimeConnection, RuntimeRequest
from local.runtime.environment import function_arn, function_environment
from local.runtime.invocation import Failure, Invocation, Outcome, failed
from local.runtime.logs import FunctionLog, LineBuffer
from local.template import FunctionSpec
from local.web_pages import REFUSAL, is_refused

PAYLOAD_LIMIT = 6 * 1024 * 1024 + 100
_INIT_LIMIT = 30.0  # seconds; Lambda allows 10, and has more cores
_LAST_WORDS = 0.02  # seconds in which the remaining output of an ended process is read from the pipe
_SLOW = 1000.0  # milliseconds; slower invocations are shown on the terminal
_MEMORY_AGE = 1.0  # seconds between readings of a process's peak memory
_PREFIX = "/2018-06-01/runtime/"


class State(Enum):
    """The state of a sandbox."""

    STARTING = auto()
    IDLE = auto()
    BUSY = auto()
    ENDED = auto()


@dataclass
class _Work:
    """The current invocation."""

    invocation: Invocation
    outcome: asyncio.Future[Outcome]
    began: float
    cold: bool
    settled: bool = False  # unlike the future, which the gateway may abandon before the function responds


class _Process(asyncio.SubprocessProtocol):
    """Passes the process's output and its end to the sandbox."""

    def __init__(self, lines: LineBuffer, ended: Callable[[], None]) -> None:
        self._lines, self._ended = lines, ended

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - asyncio's signature
        self._lines.feed(data)

    def process_exited(self) -> None:
        self._ended()


class Sandbox:
    """One process.

    Args:
        spec: the function it runs.
        on_idle, on_end: called with the sandbox when it can take work, and when it has ended.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        name: str,
        run: Path,
        log: FunctionLog,
        on_idle: Callable[["Sandbox"], None],
        on_end: Callable[["Sandbox"], None],
    ) -> None:
        self.spec, self.name = spec, name
        self.state = State.STARTING
        self.stale = False  # its code has changed: it ends instead of taking more work
        self.idle_since = 0.0
        self.init_failure: Outcome | None = None
        self._log, self._run = log, run
        self._on_idle, self._on_end = on_idle, on_end
        self._lines = LineBuffer(log.output)
        self._server: asyncio.Server | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self._asking: RuntimeConnection | None = None
        self._work: _Work | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._init_began = self._init_took = 0.0
        self._cold = True
        self._memory, self._memory_until = 0, 0.0

    async def start(self, backends: Mapping[str, str]) -> None:
        """Start the process; `on_idle` or `on_end` reports the result."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: RuntimeConnection(self._serve), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self._init_began = time.perf_counter()
        self._alarm = loop.call_later(_INIT_LIMIT, self._out_of_time)
        transport, _ = await loop.subprocess_exec(
            lambda: _Process(self._lines, self._ended),
            sys.executable,
            *(("-S",) if self.spec.runtime else ()),  # a build brings its own packages
            "-m",
            "awslambdaric",
            self.spec.handler,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=function_environment(self.spec, backends, f"127.0.0.1:{port}"),
            cwd=self.spec.code,
            process_group=0,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self._transport = transport
        record(self._run, f"{self.name}.pid", self.pid)

    @property
    def pid(self) -> int:
        """The pid of the process; 0 before there is one."""
        return (self._transport.get_pid() or 0) if self._transport else 0

    def dispatch(self, invocation: Invocation, outcome: asyncio.Future[Outcome]) -> None:
        """Give the idle process an invocation; `outcome` is always set."""
        assert self.state is State.IDLE
        assert self._asking is not None
        self.state = State.BUSY
        self._work = _Work(invocation, outcome, time.perf_counter(), self._cold)
        self._cold = False
        self._alarm = asyncio.get_running_loop().call_later(self.spec.timeout, self._out_of_time)
        self._log.platform(f"START RequestId: {invocation.request_id} Version: $LATEST")
        asking, self._asking = self._asking, None
        asking.respond(200, invocation.payload, self._event_headers(invocation))

    def _event_headers(self, invocation: Invocation) -> dict[str, str]:
        return {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self.spec.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": function_arn(self.spec.name),
            "Lambda-Runtime-Trace-Id": _with_segment(invocation.trace_id),
        }

    def end(self) -> None:
        """Kill the process, as Lambda ends one without extensions; `on_end` follows."""
        if self._transport is not None and self.state is not State.ENDED:
            with suppress(ProcessLookupError):
                self._transport.kill()

    def _serve(self, connection: RuntimeConnection, request: RuntimeRequest) -> None:
        if is_refused(request.headers):  # the next invocation would use it, with another user's token
            connection.respond(403, REFUSAL)
            return
        match request.path.removeprefix(_PREFIX).split("/"):
            case ["invocation", "next"]:
                self._next(connection)
            case ["invocation", request_id, ("response" | "error") as kind]:
                self._result(connection, request_id, request, is_error=kind == "error")
            case ["init", "error"] | ["restore", "error"]:
                self.init_failure = Outcome(request.body, Failure.FUNCTION)
                connection.respond(202, b'{"status":"OK"}')
            case ["restore", "next"]:
                connection.respond(200)
            case _:
                connection.respond(404, b'{"errorMessage":"No such path","errorType":"InvalidPath"}')

    def _next(self, connection: RuntimeConnection) -> None:
        self._cancel_alarm()
        if self.state is State.STARTING:
            self._init_took = (time.perf_counter() - self._init_began) * 1000
        self._asking = connection
        self._work = None
        self.state = State.IDLE
        self.idle_since = time.monotonic()
        self._on_idle(self)

    def _result(
        self, connection: RuntimeConnection, request_id: str, request: RuntimeRequest, *, is_error: bool
    ) -> None:
        work = self._work
        if work is None or work.settled or work.invocation.request_id != request_id:
            connection.respond(400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}')
        elif len(request.body) > PAYLOAD_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
            self._finish(failed(Failure.TOO_LARGE, "Function.ResponseSizeTooLarge", message))
            connection.respond(413, b'{"errorMessage":"Payload too large","errorType":"RequestEntityTooLarge"}')
        else:
            self._finish(Outcome(request.body, Failure.FUNCTION if is_error else None))
            connection.respond(202, b'{"status":"OK"}')

    def _finish(self, outcome: Outcome) -> None:
        """Complete the current invocation; the process itself may continue."""
        work = self._work
        if work is None or work.settled:
            return
        work.settled = True
        if not work.outcome.done():
            work.outcome.set_result(outcome)
        took = (time.perf_counter() - work.began) * 1000
        # One iteration later, when the function's output before its result has been read from the pipe.
        asyncio.get_running_loop().call_soon(self._report, work, took, self._peak_memory())

    def _report(self, work: _Work, took: float, memory: int) -> None:
        request_id = work.invocation.request_id
        line = (
            f"REPORT RequestId: {request_id}\tDuration: {took:.2f} ms\tBilled Duration: {math.ceil(took)} ms\t"
            f"Memory Size: {self.spec.memory} MB\tMax Memory Used: {memory} MB"
        )
        if work.cold:
            line += f"\tInit Duration: {self._init_took:.2f} ms"
        self._log.platform(f"END RequestId: {request_id}")
        self._log.platform(line, alarming=took > _SLOW)

    def _peak_memory(self) -> int:
        """The peak memory of the process in MB; 0 if unknown.

        Read at most once a second: under load it would cost a tenth of the gateway's time.
        """
        now = time.monotonic()
        if now >= self._memory_until:
            self._memory, self._memory_until = _read_peak_memory(self.pid), now + _MEMORY_AGE
        return self._memory

    def _out_of_time(self) -> None:
        if self.state is State.STARTING:
            self.init_failure = failed(Failure.TIMEOUT, "Sandbox.Timedout", f"Init took over {_INIT_LIMIT:.0f} seconds")
        elif self._work is not None:
            message = f"{self._work.invocation.request_id} Task timed out after {self.spec.timeout}.00 seconds"
            self._log.platform(message, alarming=True)
            self._finish(failed(Failure.TIMEOUT, "Sandbox.Timedout", message))
        self.end()

    def _ended(self) -> None:
        assert self._transport is not None
        self._cancel_alarm()
        how = _describe_exit(self._transport.get_returncode() or 0)
        if self.state is State.STARTING and self.init_failure is None and not self.stale:
            self.init_failure = failed(Failure.CRASH, "Runtime.ExitError", f"Error: Runtime exited {how}")
        if self._work is not None and not self._work.settled:
            message = f"RequestId: {self._work.invocation.request_id} Error: Runtime exited {how}"
            self._log.platform(message, alarming=True)
            self._finish(failed(Failure.CRASH, "Runtime.ExitError", message))
        self.state = State.ENDED
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._close)

    def _close(self) -> None:
        assert self._transport is not None
        assert self._server is not None
        self._transport.close()
        self._server.close()
        self._lines.flush()
        (self._run / f"{self.name}.pid.json").unlink(missing_ok=True)
        self._on_end(self)

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _read_peak_memory(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
        return int(status.partition(b"VmHWM:")[2].split(maxsplit=1)[0]) // 1024
    except (OSError, IndexError):
        return 0


def _describe_exit(code: int) -> str:
    return f"with error: signal: {signal.Signals(-code).name}" if code < 0 else f"with error: exit status {code}"


def describe_failure(outcome: Outcome) -> str:
    """Describe a failed start in one line, with the location in the code if there is one."""
    try:
        error = json.loads(outcome.payload)
    except ValueError:
        return outcome.payload.decode(errors="replace")
    where = "".join(str(line) for line in error.get("stackTrace", [])[-1:]).strip()
    text = f"{error.get('errorType', 'Error')}: {error.get('errorMessage', '')}"
    return f"{text}\n{where}" if where else text


def _with_segment(trace_id: str) -> str:
    """Add what Lambda adds to a trace: its own segment, and that it is sampled, which here only the client decides."""
    root, sampled = trace_id.partition(";")[0], int("Sampled=1" in trace_id)
    return f"{root};Parent={secrets.token_hex(8)};Sampled={sampled}"
