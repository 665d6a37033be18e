"""The database's clock, controlled by tests: the rules read the time from `internal.clock()` only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

_INSTALL = """
create table if not exists internal.test_clock (shift interval not null, frozen timestamptz);
insert into internal.test_clock (shift) select interval '0' where not exists (select from internal.test_clock);
create or replace function internal.clock() returns timestamptz language sql volatile set search_path = ''
as $$ select coalesce(frozen, pg_catalog.clock_timestamp() + shift) from internal.test_clock $$;
"""


class DatabaseClock:
    """Sets the time that the database's rules see, for all connections. Only `reset` ends a `freeze`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute(_INSTALL)

    def advance(self, **units: float) -> None:
        """Let time pass, such as ``minutes=5`` (arguments of timedelta); not visible while frozen."""
        self._connection.execute("update internal.test_clock set shift = shift + %s", [timedelta(**units)])

    def set(self, moment: datetime) -> None:
        """Set the clock to `moment`, from which it runs at normal speed; not visible while frozen."""
        self._connection.execute("update internal.test_clock set shift = %s - clock_timestamp()", [moment])

    def freeze(self, moment: datetime) -> None:
        """Stop the clock at `moment`, until `reset`."""
        self._connection.execute("update internal.test_clock set frozen = %s", [moment])

    def reset(self) -> None:
        """Go back to the real time."""
        self._connection.execute("update internal.test_clock set frozen = null")
        self._connection.execute("update internal.test_clock set shift = interval '0'")

    def now(self) -> datetime:
        """Return the time that the database sees, in UTC."""
        row = self._connection.execute("select internal.clock()").fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment.astimezone(UTC)
