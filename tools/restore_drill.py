"""Rehearses the loss of the database: dump, lose, restore, and compare, on a database of its own that is removed.

`python -m tools.restore_drill`; `USERS` says how many students there are (300), `SEED` which ones. What a phone
reported after the dump is lost with the database, and applied when the phone sends it again, as phones do for 30 days.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from local.backends import Backends
from local.demo.term import Term, load_term, violations
from local.postgres import packaged_programs

Connection = psycopg.Connection[Any]
_BACK_SECONDS = 120.0


class DrillError(Exception):
    """The rehearsal failed: what was restored is not what there was."""


def main() -> int:
    """Run; 1 when something is not as it was."""
    term = Term(users=int(os.environ.get("USERS") or 300), seed=int(os.environ.get("SEED") or 1))
    with tempfile.TemporaryDirectory() as folder, Backends(Path(folder), durable=False) as backends:
        try:
            rehearse(backends, term, Path(folder) / "studysync.dump")
        except DrillError as error:
            print(f"  FAILED: {error}")
            return 1
    return 0


def rehearse(backends: Backends, term: Term, dump: Path) -> None:
    """Lose the database of `backends` and bring it back.

    Raises:
        DrillError: it is not as it was.
    """
    dsn = backends.project.dsn
    with psycopg.connect(dsn, autocommit=True) as connection, _step(f"a term of {term.users} students"):
        load_term(connection, term)
    with _step("dump"):
        _run("pg_dump", "--format=custom", f"--file={dump}", dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        before = contents(connection)
        student, batch = _reported(connection)
        _expect("a phone's session, after the dump, is new", _send(connection, student, batch), ["applied"] * 2)
        after = contents(connection)
    with _step("lose"):
        backends.postgres.drop_database(_name(dsn))
    with _step("restore, until PostgREST answers"):
        backends.postgres.create_database(_name(dsn))
        _run("pg_restore", "--exit-on-error", f"--dbname={dsn}", str(dump))
        _wait_for_answer(backends)
    with psycopg.connect(dsn, autocommit=True) as connection:
        _expect("every table is as it was at the dump", contents(connection), before)
        _expect("every invariant holds", violations(connection), [])
        _expect("the phone sends its session again", _send(connection, student, batch), ["applied"] * 2)
        _expect("and once more", _send(connection, student, batch), ["duplicate"] * 2)
        _expect("every invariant holds", violations(connection), [])
        _expect("what was reported after the dump is back", _ledger(contents(connection)), _ledger(after))


def contents(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return the number of rows of every table, and what says whether two tables have the same rows."""
    tables = connection.execute(
        "select schemaname, tablename from pg_tables where schemaname in ('public', 'internal', 'auth') order by 1, 2"
    ).fetchall()
    return {f"{schema}.{table}": _content(connection, sql.Identifier(schema, table)) for schema, table in tables}


def _content(connection: Connection, table: sql.Identifier) -> tuple[int, str]:
    query = sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from {} t")
    [(rows, digest)] = connection.execute(query.format(table)).fetchall()
    return rows, digest


def _ledger(found: dict[str, tuple[int, str]]) -> int:
    return found["public.xp_ledger"][0]


def _reported(connection: Connection) -> tuple[Any, dict[str, Any]]:
    """Return a student who rests, and what their phone reports: a session of an hour ago."""
    row = connection.execute(
        "select user_id from profiles where user_id not in (select user_id from study_sessions where started_at > "
        "now() - interval '1 day') order by user_id limit 1"
    ).fetchone()
    if row is None:
        raise DrillError("everybody has studied today; take more students or another seed")
    session, began = str(uuid4()), datetime.now(UTC) - timedelta(hours=1)
    events = [
        {
            "event_id": str(uuid4()),
            "session_id": session,
            "event_type": kind,
            "payload": {},
            "created_at": (began + timedelta(minutes=minutes)).isoformat(),
            "fingerprint": kind,
        }
        for kind, minutes in (("start", 0), ("complete", 4))
    ]
    return row[0], {"events": events, "mode": "soft", "client_id": "phone"}


def _send(connection: Connection, student: Any, batch: dict[str, Any]) -> list[str]:
    [(answer,)] = connection.execute("select sync_offline(%s, %s)", [student, Jsonb(batch)]).fetchall()
    return [result["status"] for result in answer["results"]]


def _wait_for_answer(backends: Backends) -> None:
    project, end = backends.project.environment, time.monotonic() + _BACK_SECONDS
    url = f"{project['SUPABASE_URL']}/rest/v1/rpc/ping"
    with (
        httpx.Client(trust_env=False, headers={"apikey": project["SUPABASE_SECRET_KEY"]}) as client,
        psycopg.connect(backends.project.dsn, autocommit=True) as connection,
    ):
        while not _answers(client, url):
            if time.monotonic() > end:
                raise DrillError(f"PostgREST did not answer within {_BACK_SECONDS:.0f} s")
            # It may have looked at the database before everything was back in it, and has to look again.
            connection.execute("notify pgrst, 'reload schema'")
            time.sleep(0.5)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.post(url).is_success
    except httpx.TransportError:
        return False


def _name(dsn: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run([packaged_programs() / program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DrillError(f"{program}: {done.stderr.strip()[-500:]}")


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise DrillError(f"not so: {what}\n  found  {str(found)[:500]}\n  wanted {str(wanted)[:500]}")
    print(f"  ok        {what}", flush=True)


@contextmanager
def _step(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
