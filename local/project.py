"""A Supabase project: a database, PostgREST and the auth stand-in in front of it, and one URL for both."""

from pathlib import Path
from types import TracebackType
from typing import Self

from local.auth.settings import Settings as AuthSettings
from local.home import Home, Ports
from local.keys import Keys
from local.postgres import Postgres
from local.postgrest import Postgrest
from local.served import Served
from local.supabase.gateway import HEALTH
from local.supabase.settings import Settings as GatewaySettings


class Project:
    """A project on an existing database. `postgrest`, `auth` and `gateway` can be broken one at a time.

    Args:
        database: its name, also used for its processes and logs.
        suffix: set for projects other than the main one.
        config: the project's `config.toml`.
        token_seconds: validity of access tokens; 0: as configured.
        limited: whether Auth enforces rate limits.
    """

    def __init__(
        self,
        home: Home,
        ports: Ports,
        postgres: Postgres,
        keys: Keys,
        *,
        database: str,
        config: Path,
        suffix: str = "",
        token_seconds: int = 0,
        limited: bool = True,
    ) -> None:
        self._keys, self._postgres, self.database = keys, postgres, database
        rest_dsn = postgres.dsn(database, "authenticator", keys.password)
        self.postgrest = Postgrest(home, ports, name=f"postgrest{suffix}", dsn=rest_dsn, keys=keys)
        self.auth = Served(home, ports, name=f"auth{suffix}", module="local.auth", health="/auth/v1/health")
        self.gateway = Served(home, ports, name=f"supabase{suffix}", module="local.supabase", health=HEALTH)
        self.mailbox = home.data / f"mailbox{suffix}"
        self._keys_file = home.data / "keys.json"
        settings = AuthSettings(
            dsn=postgres.dsn(database, "supabase_auth_admin", keys.password),
            issuer=f"{self.url}/auth/v1",
            token_seconds=token_seconds,
            keys_file=self._keys_file,
            config_file=config,
            mailbox=self.mailbox,
            limited=limited,
        )
        self.auth.configure(settings.as_environment())

    @property
    def url(self) -> str:
        """The project's URL."""
        return self.gateway.origin

    @property
    def dsn(self) -> str:
        """The superuser's connection string of the database."""
        return self._postgres.dsn(self.database)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which `studysync` and clients find the project."""
        return {
            "SUPABASE_URL": self.url,
            "SUPABASE_PUBLISHABLE_KEY": self._keys.publishable_key,
            "SUPABASE_SECRET_KEY": self._keys.secret_keys[0],
        }

    @property
    def legacy_environment(self) -> dict[str, str]:
        """The same, with the keys of older projects."""
        return {
            "SUPABASE_URL": self.url,
            "SUPABASE_ANON_KEY": self._keys.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": self._keys.service_role_key,
        }

    def launch(self) -> None:
        """Start all of it without waiting."""
        self.postgrest.launch()
        self.auth.launch()
        settings = GatewaySettings(self._keys_file, self.postgrest.port, self.auth.port)
        self.gateway.configure(settings.as_environment())
        self.gateway.launch()

    def start(self) -> None:
        """Start all of it and wait until it serves."""
        self.launch()
        rest_port = self.postgrest.port
        self.postgrest.wait()
        if self.postgrest.port != rest_port:  # taken by another program, and replaced
            self.gateway.configure(
                GatewaySettings(self._keys_file, self.postgrest.port, self.auth.port).as_environment()
            )
            self.gateway.restart()
        self.auth.wait()
        self.gateway.wait()

    def stop(self) -> None:
        """Stop all of it."""
        self.gateway.stop()
        self.auth.stop()
        self.postgrest.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
