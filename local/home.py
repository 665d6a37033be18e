"""The layout of a stack's home folder, its lock, and the ports of its last run."""

import fcntl
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from local.errors import StackError

REPOSITORY = Path(__file__).resolve().parent.parent


def default_home() -> Path:
    """Return `STUDYSYNC_HOME`, or `.local` in the repository."""
    return Path(os.environ.get("STUDYSYNC_HOME") or REPOSITORY / ".local").expanduser().resolve()


def cache_folder() -> Path:
    """Return the folder of downloads shared by all stacks: `STUDYSYNC_CACHE`, or `.local/cache` in the repository."""
    return Path(os.environ.get("STUDYSYNC_CACHE") or REPOSITORY / ".local" / "cache").expanduser().resolve()


@dataclass(frozen=True)
class Home:
    """The folders below one stack's home."""

    root: Path

    @property
    def data(self) -> Path:
        """Data that survives a restart."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One log file per part and function."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Records of running processes, and `stack.json` while the stack is ready."""
        return self.root / "run"

    def make(self) -> None:
        """Create the folders, readable only by their owner, because they contain keys and data."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.logs, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)


class HomeLock:
    """Held while a stack runs on a home; the kernel releases it when the process ends, however it ends."""

    def __init__(self, home: Home) -> None:
        self._path = home.root / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise StackError if another stack has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = self._path.read_text().strip() or "unknown"
            os.close(descriptor)
            raise StackError(
                f"Another stack (process {owner}) runs on {self._path.parent}; stop it, or set STUDYSYNC_HOME to "
                "another folder."
            ) from error
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock; harmless if it was never taken."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_free(port: int) -> bool:
    """Return whether 127.0.0.1:port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Ports:
    """Free ports by name, the same as last time if possible, so that tokens and URLs survive a restart."""

    def __init__(self, home: Home) -> None:
        self._path = home.data / "ports.json"
        self._known: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}

    def take(self, name: str, *, fresh: bool = False) -> int:
        """The port for `name`; `fresh` requests another one, after the remembered one was taken."""
        port = self._known.get(name)
        if port is None or fresh or not is_free(port):
            port = free_port()
            self._known[name] = port
            self._path.write_text(json.dumps(self._known))
        return port
