"""PostgREST as a child process, in front of one database."""

import os
import signal
from urllib.error import HTTPError

from local.errors import PartFailedError
from local.keys import Keys
from local.loopback import open_url
from local.postgrest_binary import find_postgrest
from local.processes import Child
from local.service import Service
from local.stack_directory import Ports, StackDirectory, free_port

_START_ATTEMPTS = 3


class Postgrest(Service):
    """A PostgREST; `url` is its root, which hosted projects have at `/rest/v1`.

    It tries to reconnect to a lost database forever, so it is always stopped explicitly, at the latest with the stack.
    """

    def __init__(self, home: StackDirectory, ports: Ports, *, name: str, dsn: str, keys: Keys) -> None:
        self._ports, self._name, self._dsn, self._keys = ports, name, dsn, keys
        self._program = find_postgrest()
        self.port = ports.take(name)
        self._admin_port = free_port()
        self.child = Child(name, home.logs / f"{name}.log", home.run, stop_signal=signal.SIGTERM, grace=3)

    @property
    def url(self) -> str:
        """The root of tables and functions."""
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """Start it without waiting."""
        self.child.start([str(self._program)], env=self._environment())

    def wait(self) -> None:
        """Wait until it has read the schema; ports taken by other programs are replaced."""
        for attempt in range(_START_ATTEMPTS):
            try:
                return self.child.wait_until(self._answers)
            except PartFailedError:
                if attempt + 1 == _START_ATTEMPTS or "in use" not in self.child.tail():
                    raise
                self.port, self._admin_port = self._ports.take(self._name, fresh=True), free_port()
                self.launch()
        return None

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "LC_ALL": "C.UTF-8",
            "PGRST_DB_URI": self._dsn,
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_EXTRA_SEARCH_PATH": "public, extensions",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "20",
            "PGRST_DB_MAX_ROWS": "1000",
            "PGRST_JWT_SECRET": self._keys.verification_jwks(),
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(self.port),
            "PGRST_ADMIN_SERVER_PORT": str(self._admin_port),
            "PGRST_LOG_LEVEL": "error",
        }

    def _answers(self) -> bool:
        try:
            with open_url(f"http://127.0.0.1:{self._admin_port}/ready", timeout=2) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004
        except HTTPError as error:
            error.close()  # it is the response
            return False
        except OSError:
            return False
