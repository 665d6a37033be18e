"""The migrations as the catalog has them: qualified names, and a comment on every public object."""

from __future__ import annotations

from typing import Any

import psycopg

WITHOUT_COMMENT = """
select 'function ' || p.oid::regprocedure from pg_proc p
where p.pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') is null
union all
select 'table ' || c.oid::regclass from pg_class c
where c.relnamespace in ('public'::regnamespace, 'internal'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm')
  and obj_description(c.oid, 'pg_class') is null
union all
select 'type ' || t.oid::regtype from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typnamespace in ('public'::regnamespace, 'internal'::regnamespace) and t.typcategory <> 'A'
  and coalesce(c.relkind, 'c') = 'c' and obj_description(t.oid, 'pg_type') is null
"""


def test_every_name_has_its_schema(migrated: psycopg.Connection[Any]) -> None:
    """No statement needs a search path, and no function runs with its caller's."""
    without = migrated.execute(
        """select p.oid::regprocedure::text from pg_proc p
           where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
             and not coalesce('search_path=""' = any (p.proconfig), false)"""
    )
    assert without.fetchall() == []


def test_tables_types_and_public_functions_have_comments(migrated: psycopg.Connection[Any]) -> None:
    """Tables, types and public functions have comments, for readers of the database and of PostgREST's API."""
    assert migrated.execute(WITHOUT_COMMENT).fetchall() == []


def test_a_missing_comment_is_found(migrated: psycopg.Connection[Any]) -> None:
    """A missing comment is found on a function, a table and a type."""
    with migrated.transaction(force_rollback=True):
        migrated.execute(
            """create function public.f() returns int language sql as 'select 1'; create table internal.t (id int);
               create type internal.e as enum ('a'); create type internal.c as (a int)"""
        )
        found = {row[0] for row in migrated.execute(WITHOUT_COMMENT)}
    assert found == {"function public.f()", "table internal.t", "type internal.e", "type internal.c"}
