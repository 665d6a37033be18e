"""What clients with a Supabase token of their own can do past our API: read their own rows, and nothing else.

The tables and functions are taken from the catalogue, so that a new one is covered without being added here.
"""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import psycopg
import pytest

from local.backends import Backends
from tests.support.client import Api, Student

# Tables, partitioned and foreign ones, views, materialised views: whatever PostgREST would show by its name.
TABLES = """select relname from pg_class where relnamespace = 'public'::regnamespace
            and relkind in ('r', 'p', 'f', 'v', 'm') order by 1"""
LINKS = """select distinct k.conrelid::regclass::text, k.confrelid::regclass::text from pg_constraint k
           where k.contype = 'f' and k.connamespace = 'public'::regnamespace order by 1, 2"""
SCHEMAS = "select nspname from pg_namespace where nspname <> 'public' order by 1"
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


def test_counting_tells_no_more_than_reading(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """The number of rows that PostgREST tells is that of the own ones."""
    for table in _names(sql, TABLES):
        headers = {"Authorization": f"Bearer {students[0].token}", "Prefer": "count=exact"}
        response = httpx.get(f"{backends.environment['SUPABASE_REST_URL']}/{table}", headers=headers)
        assert int(response.headers["content-range"].partition("/")[2]) == len(response.json()), table


def test_tables_are_not_reached_through_each_other(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """Rows that are embedded, along every foreign key and both ways, are own rows too."""
    links = [pair for row in sql.execute(LINKS).fetchall() for pair in ((row[0], row[1]), (row[1], row[0]))]
    seen = 0
    for outer, inner in links:
        response = _ask(backends, "GET", f"/{outer}?select=*,inner:{inner}(*)", students[0].token)
        # More than one way between the two, or one table that is not shown at all.
        assert response.status_code in (200, 300, 400, 403), response.text
        seen += response.status_code == 200
        assert students[1].user_id not in response.text, (outer, inner)
    assert seen > 3


def test_filters_and_orders_tell_nothing(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """Asked for by every column that names a user, somebody else's rows are not there."""
    query = """select table_name, column_name from information_schema.columns
               where table_schema = 'public' and data_type = 'uuid'"""
    for table, column in sql.execute(query).fetchall():
        for condition in (f"{column}=eq.{students[1].user_id}", f"or=({column}.eq.{students[1].user_id})"):
            response = _ask(backends, "GET", f"/{table}?{condition}", students[0].token)
            assert response.status_code in (401, 403) or response.json() == [], (table, condition)


def test_no_other_schema_is_shown(backends: Backends, sql: psycopg.Connection[Any], students: list[Student]) -> None:
    """Neither the accounts nor our own inner functions, whatever profile is asked for."""
    for schema in _names(sql, SCHEMAS):
        for method, path, header in (
            ("GET", "/users", "Accept-Profile"),
            ("POST", "/rpc/finish_session", "Content-Profile"),
        ):
            headers = {"Authorization": f"Bearer {students[0].token}", header: schema}
            url = backends.environment["SUPABASE_REST_URL"] + path
            response = httpx.request(method, url, headers=headers, **({"json": {}} if method == "POST" else {}))
            assert response.status_code == 406, (schema, response.text)


def test_functions_are_not_called_by_reading(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """A function is refused with GET as well, and with the anon key."""
    for function in _names(sql, FUNCTIONS):
        for token in (students[0].token, backends.environment["SUPABASE_ANON_KEY"]):
            assert _ask(backends, "GET", f"/rpc/{function}", token).status_code in (401, 403, 404, 405), function


def test_a_token_does_not_choose_its_role(backends: Backends, students: list[Student]) -> None:
    """Claims that an attacker signs, with whatever is public, make nobody the service role."""
    claims = {"role": "service_role", "sub": students[0].user_id, "exp": 4_000_000_000}
    secrets = [b"", b"secret", backends.keys.anon_key.encode(), str(backends.keys.public_jwk()["x"]).encode()]
    forged = [jwt.encode(claims, secret, "HS256") for secret in secrets if len(secret) >= 32]
    forged += [jwt.encode(claims, None, "none"), f"{jwt.encode(claims, None, 'none')}x"]
    assert len(forged) >= 4
    for token in forged:
        assert _ask(backends, "GET", "/profiles", token).status_code == 401
    # A role in the headers is none either.
    headers = {"Authorization": f"Bearer {students[0].token}", "Role": "service_role", "X-Role": "service_role"}
    rows = httpx.get(f"{backends.environment['SUPABASE_REST_URL']}/profiles", headers=headers).json()
    assert {row["user_id"] for row in rows} == {students[0].user_id}
