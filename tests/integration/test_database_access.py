"""What a Supabase token allows outside our API: nothing, not even loading the database.

The tables and functions are taken from the catalogue, so that a new one is covered without being added here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jwt
import psycopg
import pytest

from local.backends import Backends
from testing.client import Api, Student

# Tables, partitioned and foreign ones, views, materialised views: everything that PostgREST can serve.
TABLES = """select relname from pg_class where relnamespace = 'public'::regnamespace
            and relkind in ('r', 'p', 'f', 'v', 'm') order by 1"""
LINKS = """select distinct k.conrelid::regclass::text, k.confrelid::regclass::text from pg_constraint k
           where k.contype = 'f' and k.connamespace = 'public'::regnamespace order by 1, 2"""
SCHEMAS = "select nspname from pg_namespace where nspname <> 'public' order by 1"
FIRST_COLUMNS = """select c.relname, a.attname
                   from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
                   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1"""
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
    return httpx.request(method, backends.project.postgrest.url + path, headers=headers, **options)


def _names(sql: psycopg.Connection[Any], query: str) -> list[str]:
    found = [row[0] for row in sql.execute(query)]  # type: ignore[arg-type]
    assert found
    return found


def test_no_table_is_read_past_the_api(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """Neither a user's own token nor an anonymous request reads a table, counts its rows, or embeds it in another."""
    links = [pair for row in sql.execute(LINKS).fetchall() for pair in ((row[0], row[1]), (row[1], row[0]))]
    paths = [f"/{table}" for table in _names(sql, TABLES)] + [f"/{a}?select=*,inner:{b}(*)" for a, b in links]
    for path in paths:
        for token in (students[0].token, None, backends.keys.anon_key):
            response = _ask(backends, "GET", path, token)
            assert response.status_code in (300, 400, 401, 403), (path, response.text)
            assert "content-range" not in response.headers
            assert students[0].user_id not in response.text


def test_no_filter_makes_the_database_work(backends: Backends, students: list[Student]) -> None:
    """A regular expression that backtracks for seconds is refused forty times, and the API answers meanwhile."""
    pattern = "/study_sessions?subject=match.(a*)*(a*)*(a*)*(a*)*$"

    def attack(_number: int) -> int:
        return _ask(backends, "GET", pattern, students[0].token, timeout=30).status_code

    with ThreadPoolExecutor(max_workers=40) as attackers:
        answers = attackers.map(attack, range(40))
        assert students[1].get("/api/users/me").status_code == 200
        assert set(answers) == {403}


def test_the_second_wall_shows_own_rows_only(sql: psycopg.Connection[Any], students: list[Student]) -> None:
    """If a table were granted by mistake, row-level security would show a user only their own and common rows."""
    seen = 0
    for table in _names(sql, TABLES):
        with sql.transaction(force_rollback=True):
            sql.execute(f"grant select on public.{table} to authenticated")
            sql.execute("select set_config('request.jwt.claims', %s, true)", [f'{{"sub": "{students[0].user_id}"}}'])
            sql.execute("set local role authenticated")
            rows = sql.execute(f"select to_jsonb(t) from public.{table} t").fetchall()
        if table != "badges":
            assert {row[0]["user_id"] for row in rows} <= {students[0].user_id}, table
            seen += len(rows)
    assert seen >= 5


def test_the_database_ends_what_nobody_waits_for(backends: Backends, sql: psycopg.Connection[Any]) -> None:
    """A call of the service role is cancelled before the API gives up on it after 5 s."""
    sql.execute("create function public.slow() returns void language sql as $$ select pg_catalog.pg_sleep(20) $$")
    try:
        sql.execute("notify pgrst, 'reload schema'")
        headers = {"Authorization": f"Bearer {backends.keys.service_role_key}"}
        url = backends.project.postgrest.url + "/rpc/slow"
        while (response := httpx.post(url, headers=headers, json={}, timeout=10)).status_code == 404:
            continue
        assert response.json()["code"] == "57014"
        assert response.elapsed.total_seconds() < 5
    finally:
        sql.execute("drop function public.slow()")
        sql.execute("notify pgrst, 'reload schema'")


def test_nobody_writes_past_the_api(backends: Backends, sql: psycopg.Connection[Any], students: list[Student]) -> None:
    """Insert, update and delete are refused on every table, even on the user's own rows."""
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
    """Anon and authenticated can execute no function of `public`, and the service role none of `internal`."""
    query = """select p.oid::regprocedure::text, r.rolname from pg_proc p, pg_roles r
               where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
                 and r.rolname in ('anon', 'authenticated') and has_function_privilege(r.oid, p.oid, 'execute')"""
    # The tests' own clock replaces a function of the migrations and keeps its grants.
    assert sql.execute(query).fetchall() == []
    for function in _names(sql, FUNCTIONS):
        for token in (None, students[0].token):
            response = _ask(backends, "POST", f"/rpc/{function}", token, json={})
            assert response.status_code in (401, 403, 404), (function, response.text)


def test_every_function_of_the_api_is_hardened(sql: psycopg.Connection[Any]) -> None:
    """Each function has an empty search_path, so that nobody can substitute their own objects."""
    query = """select p.oid::regprocedure::text from pg_proc p
               where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
                 and not coalesce(p.proconfig, '{}') && array['search_path=""', 'search_path=']"""
    assert sql.execute(query).fetchall() == []


def test_every_table_has_row_level_security(sql: psycopg.Connection[Any]) -> None:
    """Row-level security is on for every table."""
    query = """select relname from pg_class
               where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity"""
    assert sql.execute(query).fetchall() == []


def test_no_other_schema_is_shown(backends: Backends, sql: psycopg.Connection[Any], students: list[Student]) -> None:
    """Neither accounts nor internal functions are exposed, whatever schema profile is requested."""
    for schema in _names(sql, SCHEMAS):
        for method, path, header in (
            ("GET", "/users", "Accept-Profile"),
            ("POST", "/rpc/record_completion", "Content-Profile"),
        ):
            headers = {"Authorization": f"Bearer {students[0].token}", header: schema}
            url = backends.project.postgrest.url + path
            response = httpx.request(method, url, headers=headers, **({"json": {}} if method == "POST" else {}))
            assert response.status_code == 406, (schema, response.text)


def test_functions_are_not_called_by_reading(
    backends: Backends, sql: psycopg.Connection[Any], students: list[Student]
) -> None:
    """A function is refused with GET too, and with the anon key."""
    for function in _names(sql, FUNCTIONS):
        for token in (students[0].token, backends.keys.anon_key):
            assert _ask(backends, "GET", f"/rpc/{function}", token).status_code in (401, 403, 404, 405), function


def test_a_token_does_not_choose_its_role(backends: Backends, students: list[Student]) -> None:
    """Claims that an attacker signs with any public value do not select the service role."""
    claims = {"role": "service_role", "sub": students[0].user_id, "exp": 4_000_000_000}
    secrets = [b"", b"secret", backends.keys.anon_key.encode(), str(backends.keys.public_jwk()["x"]).encode()]
    forged = [jwt.encode(claims, secret, "HS256") for secret in secrets if len(secret) >= 32]
    forged += [jwt.encode(claims, None, "none"), f"{jwt.encode(claims, None, 'none')}x"]
    assert len(forged) >= 4
    for token in forged:
        assert _ask(backends, "GET", "/profiles", token).status_code == 401
    # A role in the headers does not count either.
    headers = {"Authorization": f"Bearer {students[0].token}", "Role": "service_role", "X-Role": "service_role"}
    assert httpx.get(f"{backends.project.postgrest.url}/profiles", headers=headers).status_code == 403
