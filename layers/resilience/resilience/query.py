"""Small decisions about queries: how many at once, which fields, whether an index pays off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

from resilience import _validation
from resilience.errors import ConfigurationError

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class QueryOptimizer:
    """Helpers without state but the columns that tables are known to have."""

    _columns: ClassVar[dict[str, frozenset[str]]] = {}

    @classmethod
    def register_columns(cls, table: str, columns: Iterable[str]) -> None:
        """Say which columns a table has, so that `optimize_select_fields` can refuse others."""
        cls._columns[_validation.text("table", table)] = frozenset(columns)

    @staticmethod
    def batch_queries(queries: Sequence[T], batch_size: int = 100) -> list[list[T]]:
        """Cut a sequence into lists of at most batch_size, in order; an empty one gives an empty list.

        Raises:
            ConfigurationError: batch_size is below 1.
        """
        _validation.whole("batch_size", batch_size)
        return [list(queries[start : start + batch_size]) for start in range(0, len(queries), batch_size)]

    @classmethod
    def optimize_select_fields(cls, fields: Sequence[str], table: str) -> str:
        """The select list for these fields: each once, in order, comma separated.

        Args:
            fields: Column names; none, or "*" among them, selects all.
            table: The table; its columns are checked if they were registered.

        Raises:
            ConfigurationError: A field is no plain name, or no column of the table.
        """
        known = cls._columns.get(table)
        if not fields or "*" in fields:
            return "*"
        for field in fields:
            if not _NAME.fullmatch(field):
                raise ConfigurationError("fields", field, "must be a column's name")
            if known is not None and field not in known:
                raise ConfigurationError("fields", field, f"is no column of {table}")
        return ",".join(dict.fromkeys(fields))

    @staticmethod
    def should_use_index(rows: int, selected: int, *, random_page_cost: float = 4.0) -> bool:
        """Whether reading through an index beats reading the whole table, by the planner's rule of thumb.

        Args:
            rows: Rows in the table; 0 or more.
            selected: Rows that the condition keeps.
            random_page_cost: Cost of a page out of order, in pages in order; PostgreSQL's default is 4.0, 1.1 for SSDs.

        Returns:
            True when the table has more than a few pages of rows and few enough are selected.
        """
        _validation.whole("rows", rows, least=0)
        _validation.whole("selected", selected, least=0)
        few_pages = 1_000
        return rows > few_pages and selected * random_page_cost * 5 < rows
