"""Settings of the stand-in, from its environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from local.auth.config import Config
from local.keys import Keys


@dataclass(frozen=True)
class Settings:
    """The stand-in's addresses, keys and limits.

    Attributes:
        dsn: of the database, as `supabase_auth_admin`.
        issuer: the `iss` of access tokens, the base URL of this API as its clients know it.
        token_seconds: how long an access token is valid; 0: as the configuration says.
        keys_file: the project's keys.
        config_file: the project's `config.toml`.
        mailbox: the folder for mail.
        limited: whether calls and mails are limited.
    """

    dsn: str
    issuer: str
    token_seconds: int
    keys_file: Path
    config_file: Path
    mailbox: Path
    limited: bool

    @property
    def keys(self) -> Keys:
        """The project's keys, read now."""
        return Keys.read(self.keys_file)

    @property
    def config(self) -> Config:
        """The project's configuration, read now."""
        return Config.load(self.config_file)

    def as_environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads; the keys stay in their file."""
        return {
            "AUTH_DSN": self.dsn,
            "AUTH_ISSUER": self.issuer,
            "AUTH_TOKEN_SECONDS": str(self.token_seconds),
            "AUTH_KEYS_FILE": str(self.keys_file),
            "AUTH_CONFIG_FILE": str(self.config_file),
            "AUTH_MAILBOX": str(self.mailbox),
            "AUTH_LIMITED": "1" if self.limited else "",
        }

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings of this process."""
        found = os.environ
        return cls(
            dsn=found["AUTH_DSN"],
            issuer=found["AUTH_ISSUER"],
            token_seconds=int(found["AUTH_TOKEN_SECONDS"]),
            keys_file=Path(found["AUTH_KEYS_FILE"]),
            config_file=Path(found["AUTH_CONFIG_FILE"]),
            mailbox=Path(found["AUTH_MAILBOX"]),
            limited=bool(found["AUTH_LIMITED"]),
        )
