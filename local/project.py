"""One Supabase project: a database with PostgREST and the auth stand-in in front of it."""

from types import TracebackType
from typing import Self

from local.auth.settings import Settings
from local.home import Home, Ports
from local.keys import Keys
from local.postgres import Postgres
from local.postgrest import Postgrest
from local.served import Served


class Project:
    """A project on a database that exists already. `postgrest` and `auth` can be broken one at a time.

    Args:
        name: of the database, and what its processes and logs are called after.
        suffix: set for projects beside the main one.
    """

    def __init__(
        self,
        home: Home,
        ports: Ports,
        postgres: Postgres,
        keys: Keys,
        *,
        database: str,
        suffix: str = "",
        token_seconds: int = 3600,
    ) -> None:
        self._keys, self._postgres, self.database = keys, postgres, database
        rest_dsn = postgres.dsn(database, "authenticator", keys.password)
        self.postgrest = Postgrest(home, ports, name=f"postgrest{suffix}", dsn=rest_dsn, keys=keys)
        self.auth = Served(home, ports, name=f"auth{suffix}", module="local.auth", health="/auth/v1/health")
        settings = Settings(
            dsn=postgres.dsn(database, "supabase_auth_admin", keys.password),
            issuer=f"{self.auth.origin}/auth/v1",
            token_seconds=token_seconds,
            keys=keys,
        )
        self.auth.configure(settings.as_environment(home.data / "keys.json"))

    @property
    def dsn(self) -> str:
        """The superuser's connection string of the database."""
        return self._postgres.dsn(self.database)

    @property
    def environment(self) -> dict[str, str]:
        """What `studysync` needs to find the project."""
        return {
            "SUPABASE_URL": self.auth.origin,
            "SUPABASE_REST_URL": self.postgrest.url,
            "SUPABASE_AUTH_URL": f"{self.auth.origin}/auth/v1",
            "SUPABASE_ANON_KEY": self._keys.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": self._keys.service_role_key,
        }

    def start(self) -> None:
        """Start both and wait until they serve."""
        self.postgrest.launch()
        self.auth.launch()
        self.postgrest.wait()
        self.auth.wait()

    def stop(self) -> None:
        """End both."""
        self.auth.stop()
        self.postgrest.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
