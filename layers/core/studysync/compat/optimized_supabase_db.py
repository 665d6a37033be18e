"""Reads by table, with the API of the former system: cached, and protected like all reads.

New code uses `studysync.compat.tables.tables`, where each read opts in to caching, or calls a SQL function.
"""

from __future__ import annotations

from studysync.compat.tables import Filters, Row, tables

# Maps a table's former name to its name, and to the column that was called `id`.
_RENAMED = {"users": ("profiles", "user_id")}


class OptimizedSupabaseDB:
    """Results may be up to 60 s old: not for what a user must see after their own write."""

    async def fetch_data_async(self, table: str, filters: Filters | None = None) -> list[Row]:
        """Return the rows that match every filter; errors are those of `studysync.compat.tables.Tables`.

        Args:
            table: its name, or its former name.
            filters: operator and column to value, as ``{"eq_id": user_id}``; ``None``: all rows.
        """
        return await tables().fetch_async(*_today(table, filters), cache=True)

    def fetch_data(self, table: str, filters: Filters | None = None) -> list[Row]:
        """As `fetch_data_async`, for synchronous code; not from within an event loop, which it would block."""
        return tables().fetch(*_today(table, filters), cache=True)


def _today(table: str, filters: Filters | None) -> tuple[str, Row]:
    name, key = _RENAMED.get(table, (table, "id"))
    asked = {filter_.partition("_"): value for filter_, value in (filters or {}).items()}
    return name, {f"{op}_{key if column == 'id' else column}": value for (op, _, column), value in asked.items()}


optimized_supabase_db = OptimizedSupabaseDB()
