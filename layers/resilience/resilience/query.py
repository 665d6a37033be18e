"""Small helpers for queries: batches, select lists, and whether an index pays off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

from resilience import _validation
from resilience.errors import ConfigurationError

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class QueryOptimizer:
    """Helpers for queries. Their only state is the registered columns, one set for the process."""

    _columns: ClassVar[dict[str, frozenset[str]]] = {}

    @classmethod
    def register_columns(cls, table: str, columns: Iterable[str]) -> None:
        """Register the columns of a table, so that `optimize_select_fields` can refuse others."""
        cls._columns[_validation.text("table", table)] = frozenset(columns)

    @staticmethod
    def batch_queries(queries: Sequence[T], batch_size: int = 100) -> list[list[T]]:
        """Split a sequence into lists of at most batch_size items, in order; an empty one gives an empty list.

        Raises:
            ConfigurationError: batch_size is below 1.
        """
        _validation.whole("batch_size", batch_size)
        return [list(queries[start : start + batch_size]) for start in range(0, len(queries), batch_size)]

    @classmethod
    def optimize_select_fields(cls, fields: Sequence[str], table: str) -> str:
        """Return the select list for these fields: each once, in order, separated by commas.

        Args:
            fields: Column names. An empty sequence, or one with "*", gives "*".
            table: The table; fields are checked against its columns if these were registered.

        Raises:
            ConfigurationError: A field is not a plain name (ASCII letters, digits and underscores, not beginning with a
                digit), or not a column of the table.
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
        """Return whether reading through an index beats reading the whole table, by a rule of thumb.

        Args:
            rows: Rows in the table; 0 or more.
            selected: Rows that the condition keeps.
            random_page_cost: Cost of a random page read relative to a sequential one, as in PostgreSQL's setting of
                that name. Default 4.0, as there; 1.1 suits SSDs.

        Returns:
            True when rows > 1,000 and selected * random_page_cost * 5 < rows: by default, when less than 5 % of the
            rows are selected.

        Raises:
            ConfigurationError: rows or selected is negative or not a whole number.
        """
        _validation.whole("rows", rows, least=0)
        _validation.whole("selected", selected, least=0)
        few_pages = 1_000
        return rows > few_pages and selected * random_page_cost * 5 < rows
