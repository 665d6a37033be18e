"""`python -m local.demo`: fill the database of the running stack, check it, and show the leaderboard.

`USERS` is the number of students (300), `SEED` selects them, `STUDYSYNC_HOME` selects the stack.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from uuid import UUID

import psycopg
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.demo.account import DEMO_EMAIL, DEMO_PASSWORD, demo_account
from local.demo.running import running_stack
from local.demo.term import Term, load_term, violations
from local.errors import StackError

Connection = psycopg.Connection[Any]


def main() -> int:
    """Run; returns the exit code."""
    console = Console(highlight=False)
    try:
        users, seed = _number("USERS", 300), _number("SEED", 1)
        stack = running_stack()
        account = demo_account(stack.url)
        with psycopg.connect(stack.dsn, autocommit=True) as connection:
            if _loaded(connection):
                console.print("The demo's students exist already; run `make clean` and `make serve` to start over.")
            else:
                _load(console, connection, Term(users=users, seed=seed, account=_without_history(connection, account)))
            wrong = _check(console, connection)
            _show(console, connection, account)
    except (StackError, ValueError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    console.print(
        f"\nLog in on [cyan]{stack.url}[/] as [bold]{DEMO_EMAIL}[/] with the password [bold]{DEMO_PASSWORD}[/]."
    )
    return 1 if wrong else 0


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit():
        raise ValueError(f"{name} must be a number, not {text!r}")
    return int(text)


def _loaded(connection: Connection) -> bool:
    query = "select exists (select from auth.users where email like %s and email <> %s)"
    row = connection.execute(query, ["%@demo.studysync.example", DEMO_EMAIL]).fetchone()
    return bool(row and row[0])


def _without_history(connection: Connection, account: UUID) -> UUID | None:
    """Return the account if it has not studied yet; otherwise it keeps its own history."""
    row = connection.execute("select exists (select from study_sessions where user_id = %s)", [account]).fetchone()
    return None if row and row[0] else account


def _load(console: Console, connection: Connection, term: Term) -> None:
    columns = (TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Preparing")
        load_term(
            connection,
            term,
            lambda title, done, of: progress.update(task, description=title, completed=done, total=of),
        )


def _check(console: Console, connection: Connection) -> bool:
    with console.status("Checking the invariants"):
        wrong = violations(connection)
    if wrong:
        console.print(f"[red]{len(wrong)} violations of the invariants, such as {wrong[:3]}[/]")
    else:
        console.print("[green]✓[/] Every invariant holds: ledger, totals, levels, scores, histograms, badges, streaks.")
    return bool(wrong)


def _show(console: Console, connection: Connection, account: UUID) -> None:
    for period in ("weekly", "all-time"):
        row = connection.execute("select get_leaderboard(%s, %s, null, null, 10, true)", [account, period]).fetchone()
        assert row is not None
        console.print(_table(period, row[0]))


def _table(period: str, board: dict[str, Any]) -> Table:
    me = board["me"]
    rank = f"rank {me['rank']:,}" if me["rank"] else "not on it yet"
    table = Table(
        title=f"{period.capitalize()} leaderboard, {board['total_users']:,} students",
        caption=f"{me['username']}: {rank}, {me['xp']:,} XP, level {me['level']}",
    )
    for heading in ("Rank", "Student", "XP", "Level"):
        table.add_column(heading, justify="left" if heading == "Student" else "right")
    for entry in board["entries"][:10]:
        style = "bold green" if entry["user_id"] == me["user_id"] else None
        cells = [f"{entry['rank']:,}", entry["username"], f"{entry['xp']:,}", str(entry["level"])]
        table.add_row(*cells, style=style)
    return table


if __name__ == "__main__":
    sys.exit(main())
