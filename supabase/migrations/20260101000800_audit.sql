-- The audit trail: changes to user data, recorded in the same transaction; sign-ins; and denied requests, reported by the
-- API (studysync/refusals.py). Entries are kept for 30 days and never changed. The start and end of sessions are in their
-- own rows, so the trail combines both sources when it is read.

create type internal.audit_action as enum ('authentication', 'authorization', 'data_access', 'data_modification');
comment on type internal.audit_action is 'Categories of audit entries.';

-- A student has many entries, so rows are small: empty values are null, and the column order avoids padding.
create table public.audit_log (
  entry_id bigint generated always as identity,
  occurred_at timestamptz not null,
  -- Whose trail this is in: the actor's and the data owner's. Deleted with the account, like all personal data.
  user_id uuid not null references public.profiles on delete cascade,
  action internal.audit_action not null,
  success boolean not null,
  resource_id uuid,  -- null: the user
  operation text not null,
  resource_type text not null,
  route text,  -- if a request was denied
  changes jsonb,  -- by field: the new value, unless secret
  primary key (user_id, entry_id)
);
comment on table public.audit_log is 'Append-only audit trail of each user, kept for 30 days.';
-- For the purge. By hour, because equal values take very little space in an index.
create index audit_log_age on public.audit_log (date_trunc('hour', occurred_at at time zone 'UTC'));
create index audit_log_refusals on public.audit_log (user_id, entry_id) where not success;
create policy own_audit on public.audit_log for select to authenticated using (user_id = (select auth.uid()));

-- Append-only for everybody, including the service role. Rows are deleted after 30 days, or with their account.
create function internal.forbid_audit_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    if old.occurred_at < internal.clock() - interval '30 days'
       or not exists (select from public.profiles where user_id = old.user_id) then
      return old;
    end if;
  end if;
  raise exception 'the audit trail is append-only' using errcode = 'restrict_violation';
end $$;
create trigger audit_log_append_only before update or delete on public.audit_log
  for each row execute function internal.forbid_audit_change();
create trigger audit_log_no_truncate before truncate on public.audit_log
  for each statement execute function internal.forbid_audit_change();

-- p_resource_id null: the user's own profile or account.
create function internal.record_audit_entry(
  p_user_id uuid, p_operation text, p_resource_type text, p_resource_id uuid, p_changes jsonb) returns void
language sql set search_path = '' as $$
  insert into public.audit_log (user_id, action, operation, resource_type, resource_id, success, changes, occurred_at)
  select p_user_id, 'data_modification', p_operation, p_resource_type, p_resource_id, true, nullif(p_changes, '{}'),
         internal.clock()
$$;

-- The fields of p_new that differ from p_old.
create function internal.changed_fields(p_old jsonb, p_new jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(p_new)
  where value is distinct from p_old -> key and key <> 'updated_at'
$$;

create function internal.audit_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    perform internal.record_audit_entry(
      new.user_id, 'insert', 'profile', null, jsonb_build_object('username', new.username));
  else
    perform internal.record_audit_entry(new.user_id, 'update', 'profile', null,
                           internal.changed_fields(to_jsonb(old), to_jsonb(new)));
  end if;
  return null;
end $$;
create trigger studysync_audit after insert or update on public.profiles
  for each row execute function internal.audit_profile();

-- A space has no single owner's trail: its changes are recorded in the actor's.
create function internal.audit_space() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := internal.actor();
  v_changes jsonb;
begin
  if v_actor is null then
    return null;
  end if;
  if tg_op = 'DELETE' then
    perform internal.record_audit_entry(v_actor, 'delete', 'space', old.space_id, '{}');
    return null;
  end if;
  v_changes := case tg_op when 'INSERT' then jsonb_build_object('name', new.name, 'visibility', new.visibility)
               else internal.changed_fields(to_jsonb(old), to_jsonb(new)) - 'member_count' end;
  if v_changes ? 'invite_code' then
    v_changes := v_changes || '{"invite_code": "***"}';  -- it grants access
  end if;
  if v_changes <> '{}' then
    perform internal.record_audit_entry(v_actor, lower(tg_op), 'space', new.space_id, v_changes);
  end if;
  return null;
end $$;
create trigger studysync_audit after insert or delete or update of name, description, visibility, capacity, invite_code
  on public.spaces for each row execute function internal.audit_space();

-- A membership change is in the member's trail and, if somebody else made it, also in theirs.
create function internal.audit_membership() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := internal.actor();
  v_row public.space_members := case tg_op when 'DELETE' then old else new end;
  v_changes jsonb := case tg_op when 'DELETE' then '{}'::jsonb else jsonb_build_object('role', v_row.role) end;
begin
  if exists (select from public.profiles where user_id = v_row.user_id) then
    perform internal.record_audit_entry(v_row.user_id, lower(tg_op), 'membership', v_row.space_id, v_changes);
  end if;
  if v_actor <> v_row.user_id then
    perform internal.record_audit_entry(v_actor, lower(tg_op), 'membership', v_row.space_id,
                           v_changes || jsonb_build_object('member', v_row.user_id));
  end if;
  return null;
end $$;
create trigger studysync_audit after insert or delete on public.space_members
  for each row execute function internal.audit_membership();
create trigger studysync_audit_role after update of role on public.space_members
  for each row when (old.role is distinct from new.role) execute function internal.audit_membership();

-- Supabase Auth records each sign-in in the account. An account without a profile has no trail.
create function internal.audit_sign_in() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.audit_log (user_id, action, operation, resource_type, success, occurred_at)
  select p.user_id, 'authentication', 'sign_in', 'account', true, internal.clock()
  from public.profiles p where p.user_id = new.id;
  return null;
end $$;
create trigger studysync_audit_sign_in after update of last_sign_in_at on auth.users
  for each row when (old.last_sign_in_at is distinct from new.last_sign_in_at)
  execute function internal.audit_sign_in();

-- A request was denied. At most 20 per user and hour, so that repeated attempts fill no table; p_user_id null: no entry.
create function internal.record_audit_refusal(
  p_user_id uuid, p_action internal.audit_action, p_operation text, p_resource_type text, p_route text default null)
returns void
language sql set search_path = '' as $$
  insert into public.audit_log (user_id, action, operation, resource_type, route, success, occurred_at)
  select p.user_id, p_action, p_operation, p_resource_type, p_route, false, internal.clock()
  from public.profiles p
  where p.user_id = p_user_id and (
    select count(*) from (
      select a.occurred_at from public.audit_log a where a.user_id = p_user_id and not a.success
      order by a.entry_id desc limit 20) latest
    where latest.occurred_at > internal.clock() - interval '1 hour') < 20
$$;

create function public.record_refusal(p_user_id uuid, p_operation text, p_resource text) returns void
language sql security definer set search_path = '' as $$
  select internal.record_audit_refusal(p_user_id, 'authorization', p_operation, 'route', p_resource)
$$;
comment on function public.record_refusal is 'Record in a user''s audit trail that a request was denied.';

-- The address is only looked up, not stored; an unknown one leaves no entry.
create function public.record_failed_sign_in(p_email text) returns void
language sql security definer set search_path = '' as $$
  select internal.record_audit_refusal(u.id, 'authentication', 'sign_in', 'account')
  from auth.users u where u.email = lower(p_email)
$$;
comment on function public.record_failed_sign_in is
  'Record a failed sign-in in the audit trail of the account with this address.';

-- Starts and ends of a user's sessions, newest first, before (p_at, p_turn, p_session_id). At the same moment, an end (turn
-- 0) comes before another start (1), and a session of zero length ends after it started (2). Sessions follow one another, so
-- the latest entries come from those that started last.
create function internal.session_entries(p_user_id uuid, p_limit integer, p_at timestamptz, p_turn integer, p_session_id uuid)
returns table (occurred_at timestamptz, turn integer, session_id uuid, status text)
language sql stable set search_path = '' as $$
  select e.occurred_at, e.turn, s.session_id, e.status
  from (
    select * from public.study_sessions
    where user_id = p_user_id and started_at <= coalesce(p_at, 'infinity')
      and started_at > (select internal.clock()) - interval '31 days'
    order by started_at desc, session_id desc limit p_limit + 2
  ) s cross join lateral (values
    (s.started_at, 1, 'active'), (s.ended_at, case s.ended_at when s.started_at then 2 else 0 end, s.status)
  ) e (occurred_at, turn, status)
  where e.occurred_at > (select internal.clock()) - interval '30 days'
    and (p_at is null or (e.occurred_at, e.turn, s.session_id) < (p_at, p_turn, p_session_id))
  order by 1 desc, 2 desc, 3 desc limit p_limit
$$;

-- Entries without a stored row have negative ids, which do not reflect their order.
create function internal.session_entry_id(p_session_id uuid, p_ended boolean) returns bigint
language sql immutable set search_path = '' as $$
  select -1 - ('x' || left(md5(p_session_id::text || p_ended), 13))::bit(52)::bigint
$$;

-- The caller's own trail, newest first: {"entries", "next": the position after the page, or null for the last one}. It
-- merges two ordered sources: table rows before entry p_before, and session entries before (p_at, p_turn, p_session_id). A
-- row written while the clock was set back sorts no later than the rows before it.
create function public.get_audit(
  p_user_id uuid, p_limit integer, p_before bigint default null,
  p_at timestamptz default null, p_turn integer default null, p_session_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  with kept as (
    select a.*, min(a.occurred_at) over (order by a.entry_id desc) as place from (
      select * from public.audit_log
      where user_id = p_user_id and entry_id < coalesce(p_before, 9223372036854775807)
      order by entry_id desc limit p_limit + 1
    ) a
  ), woven as (
    select k.place, k.entry_id, null::integer as turn, null::uuid as session_id, jsonb_build_object(
      'entry_id', k.entry_id, 'action', k.action, 'operation', k.operation, 'resource_type', k.resource_type,
      'resource_id', coalesce(k.route, (coalesce(k.resource_id, k.user_id))::text), 'success', k.success,
      'changes', coalesce(k.changes, '{}'), 'occurred_at', k.occurred_at) as entry
    from kept k
    union all
    select s.occurred_at, null, s.turn, s.session_id, jsonb_build_object(
      'entry_id', internal.session_entry_id(s.session_id, s.turn <> 1), 'action', 'data_modification',
      'operation', case s.turn when 1 then 'insert' else 'update' end, 'resource_type', 'session',
      'resource_id', s.session_id, 'success', true, 'changes', jsonb_build_object('status', s.status),
      'occurred_at', s.occurred_at)
    from internal.session_entries(p_user_id, p_limit + 1, p_at, p_turn, p_session_id) s
  ), page as (
    select *, row_number() over (order by place desc, turn desc nulls last, entry_id desc, session_id desc) as n from woven
  ), last as (
    select * from page where session_id is not null and n <= p_limit order by n desc limit 1
  )
  select jsonb_build_object(
    'entries', (select coalesce(jsonb_agg(entry order by n), '[]') from page where n <= p_limit),
    'next', case when exists (select from page where n > p_limit) then jsonb_build_array(
      coalesce((select min(entry_id) from page where n <= p_limit), p_before), coalesce((select place from last), p_at),
      coalesce((select turn from last), p_turn), coalesce((select session_id from last), p_session_id)) end)
$$;
comment on function public.get_audit is 'A page of the caller''s audit trail, newest first.';

-- Delete entries from hours that ended more than 30 days ago, at most p_limit.
create function public.purge_audit_log(p_limit integer default 10000) returns integer
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_hour timestamp := date_trunc('hour', (internal.clock() - interval '30 days') at time zone 'UTC');
  v_count integer;
begin
  delete from public.audit_log where ctid = any (array(
    select ctid from public.audit_log
    where date_trunc('hour', occurred_at at time zone 'UTC') < v_hour
    order by date_trunc('hour', occurred_at at time zone 'UTC') limit p_limit));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.purge_audit_log is 'Delete audit entries after 30 days, at most p_limit; returns how many.';

select internal.lock_down();
