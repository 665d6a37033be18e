"""What clients with a Supabase token of their own can do past our API: read their own rows, and nothing else.

The tables and functions are taken from the catalogue, so that a new one is covered without being added here.
"""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from local.backends import Backends
from tests.support.client import Api, Student

TABLES = """select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
            order by 1"""
FIRST_COLUMNS = """select c.relname, a.attname
                   from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
                   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1"""
FOR_EVERYBODY = {"badges"}
FUNCTIONS = """select distinct p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace order by 1"""


@pytest.fixture(scope="module")
def students(api: Api) -> list[Student]:
    """Two students with a completed session each."""
    students = [api.student(), api.student()]
    for student in students:
        student.complete(student.start())
    return students


def _ask(backends: Backends, method: str, path: str, token: str | None, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.request(method, backends.environment["SUPABASE_REST_URL"] + path, headers=headers, **options)


def _names(sql: psycopg.Connection[Any], query: str) -> list[str]:
    found = [row[0] for row in sql.execute(query)]  # type: ignore[arg-type]
    assert found
    return found


def test_a_user_reads_own_rows_only(backends: Backends, sql: psycopg.Connection[Any], students: list[Student]) -> None:
    """Every row that a user's own token reads names that user."""
    seen = 0
    for table in _names(sql, TABLES):
        response = _ask(backends, "GET", f"/{table}", students[0].token)
        assert response.status_code == 200, (table, response.text)
        if table in FOR_EVERYBODY:
            continue
        for row in response.json():
            assert row["user_id"] == students[0].user_id, table
            seen += 1
    assert seen >= 5


def test_anonymous_callers_read_nothing(backends: Backends, sql: psycopg.Connection[Any]) -> None:
    """Without a token no table gives a row."""
    for token in (None, backends.environment["SUPABASE_ANON_KEY"]):
        for table in _names(sql, TABLES):
            response = _ask(backends, "GET", f"/{table}", token)
            assert response.status_code in (401, 403) or response.json() == [], table


def test_nobody_writes_past_the_api(backends: Backends, sql: psycopg.Connection[Any], students: list[Student]) -> None:
    """Insert, update and delete are refused on every table, on own rows too."""
    for token in (None, students[0].token):
        for table, column in sql.execute(FIRST_COLUMNS):
            rows = f"/{table}?{column}=not.is.null"
            for method, path in (("POST", f"/{table}"), ("PATCH", rows), ("DELETE", rows)):
                response = _ask(backends, method, path, token, json=None if method == "DELETE" else {column: None})
                assert response.status_code >= 400, (method, table, response.text)
    query = """select c.relname, r.rolname, p from pg_class c, pg_roles r,
                 unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
               where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
                 and r.rolname in ('anon', 'authenticated') and has_table_privilege(r.oid, c.oid, p)"""
    assert sql.execute(query).fetchall() == []


def test_nobody_calls_functions_past_the_api(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """No function of `public` may be executed by anon or authenticated, and none of `internal` by the service role."""
    query = """select p.oid::regprocedure::text, r.rolname from pg_proc p, pg_roles r
               where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
                 and r.rolname in ('anon', 'authenticated') and has_function_privilege(r.oid, p.oid, 'execute')"""
    # The tests' own clock replaces a function of the migrations and keeps its rights.
    assert sql.execute(query).fetchall() == []
    for function in _names(sql, FUNCTIONS):
        for token in (None, students[0].token):
            response = _ask(backends, "POST", f"/rpc/{function}", token, json={})
            assert response.status_code in (401, 403, 404), (function, response.text)


def test_every_function_of_the_api_is_hardened(sql: psycopg.Connection[Any]) -> None:
    """Each function has an empty search_path, so that nobody can slip their own objects under it."""
    query = """select p.oid::regprocedure::text from pg_proc p
               where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
                 and not coalesce(p.proconfig, '{}') && array['search_path=""', 'search_path=']"""
    assert sql.execute(query).fetchall() == []


def test_every_table_has_row_level_security(sql: psycopg.Connection[Any]) -> None:
    """Row-level security is on for every table."""
    query = """select relname from pg_class
               where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity"""
    assert sql.execute(query).fetchall() == []
