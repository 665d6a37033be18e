"""Reads by table as code written for the system before this one makes them: cached, and protected as all reads are.

New code asks `studysync.compat.tables.tables`, which says for each read whether it may be old, or calls a SQL function.
"""

from __future__ import annotations

from studysync.compat.tables import Filters, Row, tables

# By the name that a table had before: its name, and what its column `id` is called.
_RENAMED = {"users": ("profiles", "user_id")}


class OptimizedSupabaseDB:
    """Every answer may be up to 60 s old: not for what a user must see after their own write."""

    async def fetch_data_async(self, table: str, filters: Filters | None = None) -> list[Row]:
        """Return the rows for which every filter holds; errors are those of `studysync.compat.tables.Tables`.

        Args:
            table: its name, or the one that it had before.
            filters: operator and column to value, as ``{"eq_id": user_id}``; ``None``: all rows.
        """
        return await tables().fetch_async(*_today(table, filters), cache=True)

    def fetch_data(self, table: str, filters: Filters | None = None) -> list[Row]:
        """As `fetch_data_async`, for plain code; not from within an event loop, which it would block."""
        return tables().fetch(*_today(table, filters), cache=True)


def _today(table: str, filters: Filters | None) -> tuple[str, Row]:
    name, key = _RENAMED.get(table, (table, "id"))
    asked = {filter_.partition("_"): value for filter_, value in (filters or {}).items()}
    return name, {f"{op}_{key if column == 'id' else column}": value for (op, _, column), value in asked.items()}


optimized_supabase_db = OptimizedSupabaseDB()
