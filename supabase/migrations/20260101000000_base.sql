-- The foundation for every domain: the schema for helpers, how errors reach the client, and how the database is closed to
-- everybody but the service role. Each file uses only what it or an earlier one defines. Runs on PostgreSQL 15 to 18, on
-- hosted Supabase as the role `postgres`.

create schema if not exists extensions;
create extension if not exists pg_trgm with schema extensions;

-- Helpers. PostgREST exposes `public` only, so nothing in here can be called from outside.
create schema internal;
revoke all on schema internal from public, anon, authenticated;

-- The clock for every rule. Tests replace this one function; nothing else reads the time.
create function internal.clock() returns timestamptz
language sql volatile set search_path = '' as $$ select pg_catalog.clock_timestamp() $$;

-- Raise an error that is meant for the client. `core` maps the code to the contract (studysync/errors.py) and shows
-- p_message and p_detail unchanged; every other database error becomes INTERNAL_ERROR without its text.
create function internal.fail(p_code text, p_message text, p_detail jsonb default null) returns void
language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = p_code, message = p_message, detail = coalesce(p_detail::text, '');
end $$;

-- The readiness probe: the shortest round trip through PostgREST to the database.
create function public.ping() returns boolean
language sql stable set search_path = '' as $$ select true $$;
comment on function public.ping is 'Readiness probe: the shortest round trip to the database.';

-- A LIKE pattern that finds p_query anywhere, with its wildcards taken literally.
create function internal.contains_pattern(p_query text) returns text
language sql immutable set search_path = '' as $$
  select '%' || replace(replace(replace(p_query, '\', '\\'), '%', '\%'), '_', '\_') || '%'
$$;

-- Delete rows of p_table that are older than p_age by p_column, oldest first, at most p_limit. The schedule repeats the call
-- until it returns 0; each call stays well within any time limit. p_column has an index.
create function internal.purge(p_table regclass, p_column text, p_age interval, p_limit integer) returns integer
language plpgsql set search_path = '' as $$
declare
  v_count integer;
begin
  execute format(
    'delete from %1$s where ctid = any (array(select ctid from %1$s where %2$I < $1 order by %2$I limit $2))',
    p_table, p_column) using internal.clock() - p_age, p_limit;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Close everything in `public` to all but the service role: a client that could read its own rows through PostgREST could
-- also keep the database busy with filters, bypassing every limit of the API. Row-level security is the second line of
-- defense. Each file ends with this call, so that no new table or function is left open (hosted Supabase grants both to anon
-- and authenticated by default).
create function internal.lock_down() returns void
language plpgsql set search_path = '' as $$
declare
  v_table record;
  v_function record;
begin
  for v_table in
    select c.oid::regclass as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and pg_get_userbyid(c.relowner) = current_user
  loop
    execute format('alter table %s enable row level security', v_table.name);
    execute format('revoke all on %s from public, anon, authenticated', v_table.name);
    execute format('grant all on %s to service_role', v_table.name);
  end loop;
  for v_function in
    select p.oid::regprocedure as name, p.pronamespace from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
      and pg_get_userbyid(p.proowner) = current_user
  loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function.name);
    if v_function.pronamespace = 'public'::regnamespace then
      execute format('grant execute on function %s to service_role', v_function.name);
    end if;
  end loop;
end $$;

-- The database cancels a statement just before the API stops waiting for it (5 s, DATABASE_TIMEOUT_SECONDS). Anon and
-- authenticated have no rights, so their statements are short anyway. PostgREST applies a role's settings to each of its
-- requests.
do $$
begin
  alter role service_role set statement_timeout = '4500ms';
  alter role authenticated set statement_timeout = '1s';
  alter role anon set statement_timeout = '1s';
exception when insufficient_privilege then
  raise warning 'statement timeouts are not set: run "alter role ... set statement_timeout" as an administrator';
end $$;

select internal.lock_down();
