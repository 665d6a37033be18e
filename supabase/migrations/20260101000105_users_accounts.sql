-- Supabase Auth accounts: their sessions, confirmed addresses, and the export of their data. The tables of the schema auth
-- belong to Supabase Auth; we read them, and delete session rows to end sessions.

-- The user agent of a session's client: Supabase Auth only sees ours. Deleted with the session.
create table internal.auth_session_clients (
  session_id uuid primary key references auth.sessions (id) on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  user_agent text not null check (char_length(user_agent) <= 300)
);
comment on table internal.auth_session_clients is 'The user agent of each Supabase Auth session.';
create index auth_session_clients_user on internal.auth_session_clients (user_id);

create function public.describe_auth_session(p_user_id uuid, p_session_id uuid, p_user_agent text) returns void
language sql security definer set search_path = '' as $$
  insert into internal.auth_session_clients (session_id, user_id, user_agent)
  select s.id, s.user_id, p_user_agent from auth.sessions s
  join public.profiles p using (user_id) where s.id = p_session_id and s.user_id = p_user_id
  on conflict (session_id) do update set user_agent = excluded.user_agent
$$;
comment on function public.describe_auth_session is 'Store the user agent of a Supabase Auth session.';

-- The sessions of an account, most recently used first, at most 100; p_session_id is the caller's.
create function public.list_auth_sessions(p_user_id uuid, p_session_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'session_id', s.id, 'created_at', s.created_at, 'last_used_at', s.last_used_at, 'user_agent', c.user_agent,
    'current', s.id is not distinct from p_session_id) order by s.last_used_at desc, s.id), '[]')
  from (
    select id, created_at, coalesce(refreshed_at at time zone 'UTC', created_at) as last_used_at
    from auth.sessions where user_id = p_user_id order by 3 desc limit 100
  ) s left join internal.auth_session_clients c on c.session_id = s.id
$$;
comment on function public.list_auth_sessions is 'Sessions of an account, most recently used first.';

-- {"auth_session"}: end one of the account's sessions, including its refresh tokens.
create function public.end_auth_session(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_session_id uuid := (p_args ->> 'auth_session')::uuid;
begin
  perform internal.lock_user(p_user_id);
  delete from auth.sessions where id = v_session_id and user_id = p_user_id;
  if not found then
    perform internal.fail('SS001', 'No such session.');
  end if;
  return jsonb_build_object('session_id', v_session_id, 'ended', true);
end $$;
comment on function public.end_auth_session is 'End a session of the account.';

-- The mailbox that an account has confirmed. After a change of address it is unconfirmed again.
create table internal.confirmed_mailboxes (
  user_id uuid primary key references public.profiles on delete cascade,
  mailbox bytea not null,  -- see internal.mailbox_hash
  confirmed_at timestamptz not null
);
comment on table internal.confirmed_mailboxes is 'Hashes of the email addresses that accounts have confirmed.';

create function internal.has_confirmed_email(p_user_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from internal.confirmed_mailboxes c join auth.users u on u.id = c.user_id
    where c.user_id = p_user_id and c.mailbox = internal.mailbox_hash(u.email))
$$;

create function public.confirm_email(p_user_id uuid) returns void
language sql security definer set search_path = '' as $$
  insert into internal.confirmed_mailboxes (user_id, mailbox, confirmed_at)
  select id, internal.mailbox_hash(email), internal.clock() from auth.users where id = p_user_id and email is not null
  on conflict (user_id) do update set mailbox = excluded.mailbox, confirmed_at = excluded.confirmed_at
$$;
comment on function public.confirm_email is 'Record that the account has confirmed its current email address.';

-- The pending confirmation of an address, by its name in Supabase Auth; null if none is pending or there is no account.
create function public.awaited_confirmation(p_email text) returns text
language sql stable security definer set search_path = '' as $$
  select case when email_confirmed_at is null then 'signup' when email_change <> '' then 'email_change'
         when not internal.has_confirmed_email(id) then 'magiclink' end
  from auth.users where email = lower(p_email)
$$;
comment on function public.awaited_confirmation is 'The kind of confirmation pending for an email address, or null.';

-- An account with an unconfirmed address holds it for an hour, as long as its link is valid, and is deleted after a day.
-- Nobody has signed in to it.
create function internal.is_abandoned(p_user auth.users, p_age interval) returns boolean
language sql stable set search_path = '' as $$
  select p_user.email_confirmed_at is null and p_user.email is not null and p_user.last_sign_in_at is null
    and p_user.created_at < clock_timestamp() - p_age
$$;

create function public.drop_unconfirmed_account(p_email text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  delete from auth.users u where u.email = lower(p_email) and internal.is_abandoned(u, interval '1 hour');
  return found;
end $$;
comment on function public.drop_unconfirmed_account is
  'Delete the abandoned, unconfirmed account of an email address; returns whether there was one.';

create function internal.purge_unconfirmed_accounts(p_limit integer) returns integer
language plpgsql set search_path = '' as $$
declare
  v_count integer;
begin
  -- There are few new accounts, and their profiles are indexed by time.
  delete from auth.users where id in (
    select u.id from auth.users u
    where u.email_confirmed_at is null and internal.is_abandoned(u, interval '1 day') limit least(p_limit, 100));
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- A verified second factor applies to every session. Supabase Auth puts this flag into each token, so the functions know of
-- it without asking.
create function internal.mark_second_factor() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid := case tg_op when 'DELETE' then old.user_id else new.user_id end;
  v_has_factor boolean := exists (
    select from auth.mfa_factors where user_id = v_user_id and status = 'verified');
begin
  update auth.users
  set raw_app_meta_data = case when v_has_factor then coalesce(raw_app_meta_data, '{}') || '{"mfa": true}'
                          else raw_app_meta_data - 'mfa' end
  where id = v_user_id and v_has_factor is distinct from coalesce((raw_app_meta_data ->> 'mfa')::boolean, false);
  return null;
end $$;
create trigger studysync_second_factor after insert or delete or update of status on auth.mfa_factors
  for each row execute function internal.mark_second_factor();

-- The tables with data of a user, with their user columns and primary keys. Read from the catalog, so that new tables are
-- exported automatically.
create function internal.personal_tables() returns table (name text, relation regclass, owners text[], keys text[], types text[])
language sql stable set search_path = '' as $$
  select c.relname, c.oid::regclass, o.owners, k.keys, k.types
  from pg_class c
  cross join lateral (
    select array_agg(distinct a.attname::text) as owners from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and (a.attname = 'user_id' or exists (
      select from pg_constraint f
      where f.conrelid = c.oid and f.contype = 'f' and f.conkey = array[a.attnum]
        and f.confrelid in ('public.profiles'::regclass, 'auth.users'::regclass)))
  ) o
  cross join lateral (
    select array_agg(a.attname::text order by n) as keys, array_agg(format_type(a.atttypid, a.atttypmod) order by n) as types
    from pg_index i cross join lateral unnest(i.indkey) with ordinality u (attnum, n)
    join pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum
    where i.indrelid = c.oid and i.indisprimary
  ) k
  where c.relnamespace in ('public'::regnamespace, 'internal'::regnamespace) and c.relkind in ('r', 'p')
    and not c.relispartition and o.owners is not null
$$;

-- The data that Supabase Auth stores for an account, without credentials.
create function internal.export_auth_account(p_user_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('table', 'account', 'key', '[]'::jsonb, 'row', jsonb_build_object(
    'user_id', u.id, 'email', u.email, 'new_email', nullif(u.email_change, ''), 'created_at', u.created_at,
    'email_confirmed_at', u.email_confirmed_at, 'last_sign_in_at', u.last_sign_in_at,
    'user_metadata', u.raw_user_meta_data, 'app_metadata', u.raw_app_meta_data,
    'identities', (select coalesce(jsonb_agg(jsonb_build_object('provider', i.provider, 'identity_data', i.identity_data)), '[]')
                   from auth.identities i where i.user_id = u.id),
    'factors', (select coalesce(jsonb_agg(jsonb_build_object(
                  'factor_type', f.factor_type, 'status', f.status, 'created_at', f.created_at)), '[]')
                from auth.mfa_factors f where f.user_id = u.id),
    'sessions', public.list_auth_sessions(u.id, null)))), '[]')
  from auth.users u where u.id = p_user_id
$$;

-- All stored data of a user as [{"table", "key", "row"}]: the account, then each table ordered by name and key, after key
-- p_after of p_table. Hashes and codes that give their owner no access are exported as is.
create function public.export_account(p_user_id uuid, p_table text, p_after text[], p_limit integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_rows jsonb := case when p_table is null then internal.export_auth_account(p_user_id) else '[]'::jsonb end;
  v_more jsonb;
  v_table record;
begin
  for v_table in
    select *, (select string_agg(format('x.%I', k), ', ' order by n) from unnest(keys) with ordinality u (k, n)) as by_key,
      (select string_agg(format('x.%I::text', k), ', ' order by n) from unnest(keys) with ordinality u (k, n)) as key
    from internal.personal_tables() where p_table is null or p_table = 'account' or name >= p_table order by name
  loop
    exit when jsonb_array_length(v_rows) >= p_limit;
    execute format(
      'select coalesce(jsonb_agg(jsonb_build_object(''table'', %1$L, ''key'', key, ''row'', r) order by n), ''[]'') from ('
      'select array[%6$s] as key, to_jsonb(x) as r, row_number() over (order by %2$s) as n '
      'from %3$s x where (%4$s)%5$s order by %2$s limit $3) rows',
      v_table.name, v_table.by_key, v_table.relation,
      (select string_agg(format('x.%I = $1', o), ' or ') from unnest(v_table.owners) o),
      case when v_table.name = p_table then format(' and (%s) > (%s)', v_table.by_key, (
        select string_agg(format('$2[%s]::%s', n, ty), ', ' order by n) from unnest(v_table.types) with ordinality u (ty, n))) end, v_table.key)
    into v_more using p_user_id, p_after, p_limit - jsonb_array_length(v_rows);
    v_rows := v_rows || v_more;
  end loop;
  return v_rows;
end $$;
comment on function public.export_account is 'A page of all stored data of a user.';

select internal.lock_down();
