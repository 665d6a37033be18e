"""The rules of Supabase's database linter (splinter), as queries over the catalog.

Each rule is shown to find a fault of its kind, and every exception says why it is one. Not here: rules about figures of
use (unused indexes, bloat), which only a running project has, and about storage, queues and foreign tables, which the
project does not use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

_OURS = "in ('public'::regnamespace, 'internal'::regnamespace)"
_ONLY_FUNCTIONS = "read and written by functions only; nobody else may see a row"


@dataclass(frozen=True)
class Rule:
    """A rule: what breaks it, a statement that breaks it, and its exceptions.

    Attributes:
        query: the name of each object that breaks the rule.
        fault: statements that make an object called `fault` that breaks it.
        exceptions: names of objects, with the reason.
    """

    query: str
    fault: str
    exceptions: dict[str, str] = field(default_factory=dict)


RULES = {
    "unindexed_foreign_keys": Rule(
        f"""select k.conrelid::regclass || '.' || k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
            where k.contype = 'f' and c.relnamespace {_OURS} and not exists (
              select from pg_index i where i.indrelid = k.conrelid
                and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] operator(pg_catalog.@>) k.conkey)""",
        "create table public.fault (user_id uuid constraint fault references public.profiles)",
        {
            "public.user_badges.user_badges_badge_key_fkey": "badges are hardly ever deleted, and a user has a dozen",
        },
    ),
    "auth_users_exposed": Rule(
        """select distinct v.oid::regclass::text from pg_class v join pg_rewrite r on r.ev_class = v.oid
           join pg_depend d on d.objid = r.oid and d.refobjid = 'auth.users'::regclass
           where v.relnamespace = 'public'::regnamespace and v.relkind in ('v', 'm')""",
        "create view public.fault as select id from auth.users",
    ),
    "auth_rls_initplan": Rule(
        """select tablename || '.' || policyname from pg_policies
           where schemaname in ('public', 'internal')
             and regexp_replace(concat(qual, with_check), 'select auth\\.(uid|jwt|role|email)\\(\\)', '', 'gi')
                 ~ '(auth\\.(uid|jwt|role|email)|current_setting)\\('""",
        "create policy fault on public.profiles for select using (user_id = auth.uid())",
    ),
    "no_primary_key": Rule(
        f"""select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and c.relnamespace {_OURS}
            and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)""",
        "create table internal.fault (id int)",
    ),
    "multiple_permissive_policies": Rule(
        """select p.tablename || ' ' || role || ' ' || action
           from pg_policies p cross join unnest(p.roles) role
           cross join unnest(case p.cmd when 'ALL' then '{SELECT,INSERT,UPDATE,DELETE}' else array[p.cmd] end) action
           where p.permissive = 'PERMISSIVE' group by p.schemaname, p.tablename, role, action having count(*) > 1""",
        "create policy fault on public.profiles to authenticated using (true)",
    ),
    "policy_exists_rls_disabled": Rule(
        """select distinct p.polrelid::regclass::text from pg_policy p join pg_class c on c.oid = p.polrelid
           where not c.relrowsecurity""",
        "create table public.fault (id int); create policy fault on public.fault using (false)",
    ),
    "rls_enabled_no_policy": Rule(
        """select c.oid::regclass::text from pg_class c
           where c.relrowsecurity and c.relnamespace = 'public'::regnamespace
             and not exists (select from pg_policy p where p.polrelid = c.oid)""",
        "create table public.fault (id int); alter table public.fault enable row level security",
        dict.fromkeys(
            [
                "public.account_usage",
                "public.idempotency_keys",
                "public.leaderboard_buckets",
                "public.leaderboards",
                "public.registration_keys",
                "public.session_trails",
                "public.space_activity",
                "public.space_bans",
                "public.spaces",
            ],
            _ONLY_FUNCTIONS,
        ),
    ),
    "duplicate_index": Rule(
        f"""select min(i.indexrelid::regclass::text) from pg_index i join pg_class c on c.oid = i.indrelid
            where c.relnamespace {_OURS}
            group by i.indrelid, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
                     pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)
            having count(*) > 1""",
        "create index fault on public.study_sessions (user_id, started_at)",
    ),
    "security_definer_view": Rule(
        """select c.oid::regclass::text from pg_class c
           where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace
             and not coalesce(c.reloptions && '{security_invoker=true,security_invoker=on}', false)""",
        "create view public.fault as select 1 as one",
    ),
    "function_search_path_mutable": Rule(
        f"""select p.oid::regprocedure::text from pg_proc p where p.pronamespace {_OURS}
            and not exists (select from unnest(p.proconfig) setting where setting like 'search_path=%')""",
        "create function internal.fault() returns int language sql as 'select 1'",
    ),
    "rls_disabled_in_public": Rule(
        """select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and not c.relrowsecurity
             and c.relnamespace = 'public'::regnamespace""",
        "create table public.fault (id int)",
    ),
    "extension_in_public": Rule(
        "select extname::text from pg_extension where extnamespace = 'public'::regnamespace",
        "create extension citext with schema public",
    ),
    "rls_references_user_metadata": Rule(
        """select tablename || '.' || policyname from pg_policies
           where concat(qual, with_check) ~ 'user_metadata'""",
        "create policy fault on public.profiles using ((select auth.jwt()) -> 'user_metadata' ? 'admin')",
    ),
    "materialized_view_in_api": Rule(
        """select c.oid::regclass::text from pg_class c
           where c.relkind = 'm' and c.relnamespace = 'public'::regnamespace""",
        "create materialized view public.fault as select 1 as one",
    ),
    "unsupported_reg_types": Rule(
        f"""select a.attrelid::regclass || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
            where c.relnamespace {_OURS} and c.relkind in ('r', 'p') and a.attnum > 0
              and a.atttypid = any ('{{regproc,regprocedure,regoper,regoperator,regconfig,regdictionary,
                                      regnamespace,regcollation}}'::regtype[])""",
        "create table internal.fault (fault regprocedure)",
    ),
    "fkey_to_auth_unique": Rule(
        """select k.conrelid::regclass || '.' || k.conname from pg_constraint k
           join pg_index i on i.indexrelid = k.conindid
           where k.contype = 'f' and k.confrelid = 'auth.users'::regclass and not i.indisprimary""",
        """create unique index on auth.users (raw_app_meta_data);
           create table public.fault (fault jsonb primary key references auth.users (raw_app_meta_data))""",
    ),
    "rls_policy_always_true": Rule(
        """select tablename || '.' || policyname from pg_policies
           where permissive = 'PERMISSIVE' and cmd <> 'SELECT' and 'true' in (qual, with_check)""",
        "create policy fault on public.profiles for update using (true)",
    ),
    "security_definer_function_executable": Rule(
        f"""select p.oid::regprocedure::text from pg_proc p where p.prosecdef and p.pronamespace {_OURS}
            and (has_function_privilege('anon', p.oid, 'execute')
              or has_function_privilege('authenticated', p.oid, 'execute'))""",
        "create function public.fault() returns int language sql security definer as 'select 1'",
    ),
}


def broken(connection: psycopg.Connection[Any], rule: Rule) -> set[str]:
    return {row[0] for row in connection.execute(rule.query)}


@pytest.mark.parametrize("name", RULES)
def test_the_schema_keeps_the_rule(migrated: psycopg.Connection[Any], name: str) -> None:
    """No object breaks the rule except the listed exceptions, each of which still does."""
    assert broken(migrated, RULES[name]) == set(RULES[name].exceptions)


@pytest.mark.parametrize("name", RULES)
def test_a_fault_is_found(migrated: psycopg.Connection[Any], name: str) -> None:
    """The object that breaks the rule is found in addition to the exceptions."""
    with migrated.transaction(force_rollback=True):
        migrated.execute(RULES[name].fault.encode())
        assert broken(migrated, RULES[name]) > set(RULES[name].exceptions)
