"""Where one stack keeps its things: the layout of its home folder, its lock and the ports it had last time."""

import fcntl
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from local.errors import StackError

REPOSITORY = Path(__file__).resolve().parent.parent


def default_home() -> Path:
    """`STUDYSYNC_HOME`, or `.local` in the repository."""
    return Path(os.environ.get("STUDYSYNC_HOME") or REPOSITORY / ".local").expanduser().resolve()


def cache_folder() -> Path:
    """Downloads that every stack shares: `STUDYSYNC_CACHE`, or `.local/cache` in the repository."""
    return Path(os.environ.get("STUDYSYNC_CACHE") or REPOSITORY / ".local" / "cache").expanduser().resolve()


@dataclass(frozen=True)
class Home:
    """The folders below one stack's home."""

    root: Path

    @property
    def data(self) -> Path:
        """What survives a restart."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One file a part and a function."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Records of running processes, and `stack.json` while the stack is ready."""
        return self.root / "run"

    def make(self) -> None:
        """Create the folders, readable by their owner alone, because keys and data lie there."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.logs, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)


class HomeLock:
    """Held while a stack runs on a home; the kernel drops it with the process, however that ended."""

    def __init__(self, home: Home) -> None:
        self._path = home.root / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise StackError when another stack has it."""
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
        """Give the lock up; harmless when it was never taken."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Ports:
    """Free ports by name, the same as last time where possible, so that tokens and URLs outlive a restart."""

    def __init__(self, home: Home) -> None:
        self._path = home.data / "ports.json"
        self._known: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}

    def take(self, name: str, *, fresh: bool = False) -> int:
        """The port for `name`; `fresh` asks for another one, after the remembered one was lost to somebody."""
        port = self._known.get(name)
        if port is None or fresh or not is_free(port):
            port = free_port()
            self._known[name] = port
            self._path.write_text(json.dumps(self._known))
        return port
