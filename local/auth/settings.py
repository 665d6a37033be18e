"""What the stand-in is told by its environment."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from local.keys import Keys


@dataclass(frozen=True)
class Settings:
    """Where it serves and signs.

    Attributes:
        dsn: of the database, as `supabase_auth_admin`.
        issuer: the `iss` of access tokens, the base URL of this API.
        token_seconds: how long an access token is valid.
        keys: the project's keys.
    """

    dsn: str
    issuer: str
    token_seconds: int
    keys: Keys

    def as_environment(self, keys_file: Path) -> dict[str, str]:
        """The variables that `from_environment` reads; the keys stay in their file."""
        return {
            "AUTH_DSN": self.dsn,
            "AUTH_ISSUER": self.issuer,
            "AUTH_TOKEN_SECONDS": str(self.token_seconds),
            "AUTH_KEYS_FILE": str(keys_file),
        }

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings of this process."""
        keys = Keys(**json.loads(Path(os.environ["AUTH_KEYS_FILE"]).read_text()))
        return cls(os.environ["AUTH_DSN"], os.environ["AUTH_ISSUER"], int(os.environ["AUTH_TOKEN_SECONDS"]), keys)
