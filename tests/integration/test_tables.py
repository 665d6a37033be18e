"""Rows and filters by operator, over the real PostgREST."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from resilience import cache_manager
from studysync.compat.tables import Tables
from testing.client import Api, Student


@pytest.fixture(scope="module")
def tables(api: Api) -> Tables:
    from studysync.compat.tables import tables

    return tables()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"gte_threshold": 5000}, {"5000_xp"}),
        ({"in_badge_key": ["level_5", "level_10", "none"]}, {"level_5", "level_10"}),
        ({"like_badge_key": "%day_streak", "lt_threshold": 100}, {"7_day_streak", "30_day_streak"}),
        ({"eq_metric": "best_streak", "neq_threshold": 7, "lte_threshold": 30}, {"30_day_streak"}),
        ({"is_backfill_done": True, "gt_threshold": 1000}, {"5000_xp"}),
        ({"eq_name": 'a,b"c).or(name.eq.x'}, set()),
    ],
)
def test_filters_are_operators_and_columns(api: Api, tables: Tables, filters: dict[str, Any], found: set[str]) -> None:
    """Every filter must match, and a value is always literal."""
    rows = api.run(tables.fetch_async("badges", filters, columns=["badge_key"]))
    assert {row["badge_key"] for row in rows} == found


def test_order_and_limit(api: Api, tables: Tables) -> None:
    """Rows are ordered by a column, and limited."""
    rows = api.run(tables.fetch_async("badges", {"eq_metric": "total_xp"}, order="-threshold", limit=2))
    assert [row["threshold"] for row in rows] == [5000, 1000]


def test_rows_are_written_changed_and_deleted(tables: Tables) -> None:
    """Synchronous code has the same calls without await."""
    key = f"t_{uuid.uuid4().hex[:12]}"
    row = {
        "badge_key": key,
        "name": "T",
        "description": "T",
        "metric": "level",
        "threshold": 999,
        "backfill_done": True,
    }
    assert tables.insert("badges", row)[0]["badge_key"] == key
    assert tables.update("badges", {"name": "U"}, {"eq_badge_key": key})[0]["name"] == "U"
    assert tables.fetch("badges", {"eq_badge_key": key})[0]["name"] == "U"
    assert len(tables.delete("badges", {"eq_badge_key": key})) == 1
    assert tables.fetch("badges", {"eq_badge_key": key}) == []


def test_reads_are_kept_for_a_minute_when_asked(api: Api, tables: Tables, student: Student) -> None:
    """A cached read does not see a change; an uncached one does."""
    api.run(cache_manager.clear_async())  # so that no cache clear of an earlier test is still pending
    filters = {"eq_user_id": student.user_id}
    for cache in (True, False):
        assert api.run(tables.fetch_async("profiles", filters, cache=cache))[0]["daily_goal_minutes"] == 60
    student.patch("/api/users/me", {"daily_goal_minutes": 75})
    assert api.run(tables.fetch_async("profiles", filters, cache=True))[0]["daily_goal_minutes"] == 60
    assert api.run(tables.fetch_async("profiles", filters))[0]["daily_goal_minutes"] == 75


def test_code_of_the_system_before_reads_as_it_did(api: Api, student: Student) -> None:
    """The former system's names for a table and a key work, sync and async, and answers are cached for a minute."""
    from studysync.compat.optimized_supabase_db import optimized_supabase_db as supabase_db

    filters = {"eq_id": student.user_id}
    before = api.run(supabase_db.fetch_data_async("users", filters=filters))
    assert [row["user_id"] for row in before] == [student.user_id]
    student.patch("/api/users/me", {"daily_goal_minutes": 75})
    assert api.run(supabase_db.fetch_data_async("users", filters=filters)) == before
    assert supabase_db.fetch_data("profiles", {"eq_user_id": student.user_id}) == before
    assert supabase_db.fetch_data("badges", {"eq_badge_key": "level_5"})[0]["threshold"] == 5


@pytest.mark.parametrize(
    "filters", [{"threshold": 1}, {"xx_threshold": 1}, {"eq_": 1}, {"eq_a.b": 1}, {"eq_a;drop": 1}]
)
def test_what_is_no_filter_is_refused(api: Api, tables: Tables, filters: dict[str, Any]) -> None:
    """A filter must name an operator and a column."""
    with pytest.raises(ValueError, match=r"filter|column"):
        api.run(tables.fetch_async("badges", filters))


def test_changes_of_everything_are_refused(tables: Tables) -> None:
    """An update or delete without a filter is refused."""
    with pytest.raises(ValueError, match="filter"):
        tables.update("badges", {"name": "all"}, {})
    with pytest.raises(ValueError, match="filter"):
        tables.delete("badges", {})


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, 1502),
        ({"order": "-expires_at"}, 1502),
        ({"columns": ("key",)}, 1502),
        ({"limit": 1200}, 1200),
        ({"limit": 7}, 7),
    ],
    ids=str,
)
def test_the_most_rows_of_one_answer_are_not_the_end(
    api: Api, tables: Tables, student: Student, sql: psycopg.Connection[Any], options: dict[str, Any], wanted: int
) -> None:
    """PostgREST returns 1,000 rows at most; all requested rows are returned, each once and in order."""
    sql.execute(
        "insert into idempotency_keys (user_id, key, fingerprint, response, expires_at) "
        "select %s, n::text, '', '1', now() + n %% 3 * interval '1 day' from generate_series(1, 1502) n",
        [student.user_id],
    )
    rows = api.run(tables.fetch_async("idempotency_keys", {"eq_user_id": student.user_id}, **options))
    assert len({row["key"] for row in rows}) == len(rows) == wanted
    if "order" in options:
        times = [row["expires_at"] for row in rows]
        assert times == sorted(times, reverse=True)
