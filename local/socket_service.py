"""Parts that are our own Python programs. Each inherits a listening socket, so that nobody can take its port."""

import os
import socket
import sys
from collections.abc import Mapping
from urllib.error import HTTPError

from local.loopback import open_url
from local.processes import Child
from local.service import Service
from local.stack_directory import REPOSITORY, Ports, StackDirectory

SOCKET_VARIABLE = "LOCAL_SOCKET_FD"


class SocketService(Service):
    """A child process running `python -m <module>` over an inherited socket."""

    def __init__(self, home: StackDirectory, ports: Ports, *, name: str, module: str, health: str) -> None:
        self._module, self._health = module, health
        self._settings: Mapping[str, str] = {}
        self.port = ports.take(name)
        self.child = Child(name, home.logs / f"{name}.log", home.run, grace=3)

    @property
    def origin(self) -> str:
        """The URL without a path."""
        return f"http://127.0.0.1:{self.port}"

    def configure(self, settings: Mapping[str, str]) -> None:
        """The environment variables with the program's settings."""
        self._settings = settings

    def launch(self) -> None:
        """Start it without waiting, and close our copy of the socket; otherwise a dead child would go unnoticed."""
        with socket.create_server(("127.0.0.1", self.port), backlog=512) as listener:
            self.child.start(
                [sys.executable, "-m", self._module], env=self._environment(listener), pass_fds=[listener.fileno()]
            )

    def wait(self) -> None:
        """Wait until it answers."""
        self.child.wait_until(self._answers)

    def _environment(self, listener: socket.socket) -> dict[str, str]:
        base = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(REPOSITORY), "TZ": "UTC"}
        return {**base, **self._settings, SOCKET_VARIABLE: str(listener.fileno())}

    def _answers(self) -> bool:
        try:
            with open_url(f"{self.origin}{self._health}", timeout=10):
                return True
        except HTTPError as error:
            error.close()  # it is the response
            return False
        except OSError:
            return False


def inherited_socket() -> socket.socket:
    """In the child: return the inherited socket."""
    return socket.socket(fileno=int(os.environ[SOCKET_VARIABLE]))
