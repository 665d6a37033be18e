"""Settings of the gateway, from its environment."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where it passes requests on to.

    Attributes:
        keys_file: the project's keys, read again whenever the file changes.
        rest_port: of PostgREST.
        auth_port: of the stand-in for Supabase Auth.
    """

    keys_file: Path
    rest_port: int
    auth_port: int

    def as_environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        return {
            "GATEWAY_KEYS_FILE": str(self.keys_file),
            "GATEWAY_REST_PORT": str(self.rest_port),
            "GATEWAY_AUTH_PORT": str(self.auth_port),
        }

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings of this process."""
        found = os.environ
        ports = (int(found[f"GATEWAY_{name}_PORT"]) for name in ("REST", "AUTH"))
        return cls(Path(found["GATEWAY_KEYS_FILE"]), *ports)
