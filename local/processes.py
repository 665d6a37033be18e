"""Child processes that never outlive the stack.

There are three safety nets: `stop` ends a child; the kernel ends it when its parent dies (Linux); and from a record of
its pid and start time, the next start ends what is still running, and nothing else.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local.errors import PartFailedError

_PR_SET_PDEATHSIG = 1
# Loaded before any fork, because a child must not open libraries between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return a `preexec_fn` that makes the kernel send `number` to the child once the thread that started it ends."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # the parent died between the fork and the call above
            os._exit(1)

    return arrange


def started_at(pid: int) -> str | None:
    """Return when the process started, which tells it from a later one with the same pid; None if it has ended."""
    try:
        if sys.platform == "linux":
            # Clock ticks since boot: unlike wall-clock time, they do not change when the clock is set.
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return str(psutil.Process(pid).create_time())
    except (OSError, psutil.Error):
        return None


def record(folder: Path, name: str, pid: int) -> Path:
    """Record that `pid` belongs to this stack."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"pid": pid, "started": started_at(pid)}))
    return path


def end_orphans(folder: Path) -> list[str]:
    """End the processes that an earlier run recorded in `folder` and left running; returns their names."""
    ended = []
    for path in sorted(folder.glob("*.pid.json")):
        with suppress(ValueError, KeyError):
            entry = json.loads(path.read_text())
            if entry["started"] and started_at(entry["pid"]) == entry["started"]:
                _end(psutil.Process(entry["pid"]))
                ended.append(path.name.removesuffix(".pid.json"))
        path.unlink(missing_ok=True)
    return ended


def _end(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        # SIGINT makes PostgreSQL shut down gracefully, and ends the others as well.
        process.send_signal(signal.SIGINT)
        process.wait(5)
    with suppress(psutil.Error):
        process.kill()
        process.wait(5)


@dataclass
class Child:
    """A process of the stack, in its own process group so that Ctrl-C reaches only the stack itself."""

    name: str
    log: Path
    run: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 5.0
    user: str | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int] = ()) -> None:
        """Start it, with its output appended to the log. Call from the main thread: see `die_with_parent`."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd="/",
                user=self.user,
                group=_group_of(self.user),
                extra_groups=[] if self.user else None,
                pass_fds=pass_fds,
                process_group=0,
                preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509 - one system call, nothing that locks
            )
        record(self.run, f"{self.name}.pid", self.pid)

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        if self._process is None:
            raise PartFailedError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and is still running."""
        return self._process is not None and self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout: float = 30.0) -> None:
        """Wait until `ready()`; PartFailedError with the log's end after `timeout` seconds, or if the process ends."""
        end = time.monotonic() + timeout
        while not ready():
            if not self.running or time.monotonic() > end:
                why = "did not answer in time" if self.running else "ended at once"
                self.stop()
                raise PartFailedError(f"{self.name} {why}. The end of {self.log}:\n{self.tail()}")
            time.sleep(0.01)

    def tail(self, lines: int = 8) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def send(self, number: signal.Signals) -> list[psutil.Process]:
        """Send a signal to it and to its children; returns the pids that received it."""
        family: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            family += [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)
        return family

    def kill(self) -> None:
        """Send SIGKILL, as in a crash, also to all of its children."""
        if self._process is not None and self.running:
            family = self.send(signal.SIGKILL)
            self._process.wait()
            psutil.wait_procs(family, timeout=self.grace)

    def stop(self) -> None:
        """Stop it gracefully, and by force after the grace period; harmless if it is not running."""
        if self._process is None:
            return
        if self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(self.grace)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process.wait()
        (self.run / f"{self.name}.pid.json").unlink(missing_ok=True)


def _group_of(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid
