-- The audit trail: what was done to whose data, by the transaction that did it; sign-ins; and refusals, as the API
-- tells them (studysync/refusals.py). Kept 30 days, changed by nobody.

create table public.audit_log (
  entry_id bigint generated always as identity primary key,
  -- Whose trail it is in: who did it, and whose data it was. Goes with the account, as everything personal does.
  user_id uuid not null references public.profiles on delete cascade,
  action text not null check (action in ('authentication', 'authorization', 'data_access', 'data_modification')),
  operation text not null,
  resource_type text not null,
  resource_id text,
  success boolean not null,
  changes jsonb not null default '{}',  -- by field: the new value, of what is not secret
  occurred_at timestamptz not null
);
create index audit_log_user on public.audit_log (user_id, entry_id desc);
create index audit_log_age on public.audit_log (occurred_at);
create policy own_audit on public.audit_log for select to authenticated using (user_id = (select auth.uid()));

-- Append-only for everybody, the service role too. Rows go when they are over 30 days old, or with their account.
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

create function internal.audit(
  p_user_id uuid, p_operation text, p_resource_type text, p_resource_id text, p_changes jsonb) returns void
language sql set search_path = '' as $$
  insert into public.audit_log
    (user_id, action, operation, resource_type, resource_id, success, changes, occurred_at)
  select p_user_id, 'data_modification', p_operation, p_resource_type, p_resource_id, true, p_changes, internal.clock()
$$;

-- The fields of p_new that p_old has otherwise.
create function internal.changed_fields(p_old jsonb, p_new jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(p_new)
  where value is distinct from p_old -> key and key <> 'updated_at'
$$;

create function internal.audit_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    perform internal.audit(new.user_id, 'insert', 'profile', new.user_id::text, jsonb_build_object('username', new.username));
  else
    perform internal.audit(new.user_id, 'update', 'profile', new.user_id::text,
                           internal.changed_fields(to_jsonb(old), to_jsonb(new)));
  end if;
  return null;
end $$;
create trigger studysync_audit after insert or update on public.profiles
  for each row execute function internal.audit_profile();

create function internal.audit_session() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.audit_log
    (user_id, action, operation, resource_type, resource_id, success, changes, occurred_at)
  values (new.user_id, 'data_modification', lower(tg_op), 'session', new.session_id::text, true,
          jsonb_build_object('status', new.status), internal.clock());
  return null;
end $$;
create trigger studysync_audit_begun after insert on public.study_sessions
  for each row execute function internal.audit_session();
create trigger studysync_audit_ended after update of status on public.study_sessions
  for each row when (old.status is distinct from new.status) execute function internal.audit_session();

-- A space belongs to nobody's trail alone: what happens to it stands in that of who did it.
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
    perform internal.audit(v_actor, 'delete', 'space', old.space_id::text, '{}');
    return null;
  end if;
  v_changes := case tg_op when 'INSERT' then jsonb_build_object('name', new.name, 'visibility', new.visibility)
               else internal.changed_fields(to_jsonb(old), to_jsonb(new)) - 'member_count' end;
  if v_changes ? 'invite_code' then
    v_changes := v_changes || '{"invite_code": "***"}';  -- it opens the door
  end if;
  if v_changes <> '{}' then
    perform internal.audit(v_actor, lower(tg_op), 'space', new.space_id::text, v_changes);
  end if;
  return null;
end $$;
create trigger studysync_audit after insert or delete or update of name, description, visibility, capacity, invite_code
  on public.spaces for each row execute function internal.audit_space();

-- A membership stands in its member's trail, and in that of whoever else changed it.
create function internal.audit_membership() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_actor uuid := internal.actor();
  v_row public.space_members := case tg_op when 'DELETE' then old else new end;
  v_changes jsonb := case tg_op when 'DELETE' then '{}'::jsonb else jsonb_build_object('role', v_row.role) end;
begin
  if exists (select from public.profiles where user_id = v_row.user_id) then
    perform internal.audit(v_row.user_id, lower(tg_op), 'membership', v_row.space_id::text, v_changes);
  end if;
  if v_actor <> v_row.user_id then
    perform internal.audit(v_actor, lower(tg_op), 'membership', v_row.space_id::text,
                           v_changes || jsonb_build_object('member', v_row.user_id));
  end if;
  return null;
end $$;
create trigger studysync_audit after insert or delete on public.space_members
  for each row execute function internal.audit_membership();
create trigger studysync_audit_role after update of role on public.space_members
  for each row when (old.role is distinct from new.role) execute function internal.audit_membership();

-- Supabase Auth notes each sign-in at the account. An account without a profile has no trail.
create function internal.audit_sign_in() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.audit_log (user_id, action, operation, resource_type, resource_id, success, occurred_at)
  select p.user_id, 'authentication', 'sign_in', 'account', p.user_id::text, true, internal.clock()
  from public.profiles p where p.user_id = new.id;
  return null;
end $$;
create trigger studysync_audit_sign_in after update of last_sign_in_at on auth.users
  for each row when (old.last_sign_in_at is distinct from new.last_sign_in_at)
  execute function internal.audit_sign_in();

-- Somebody was refused. At most 20 an hour of a user, so that whoever keeps trying fills no table; p_user_id null: none.
create function internal.audit_refusal(
  p_user_id uuid, p_action text, p_operation text, p_resource_type text, p_resource_id text) returns void
language sql set search_path = '' as $$
  insert into public.audit_log
    (user_id, action, operation, resource_type, resource_id, success, occurred_at)
  select p.user_id, p_action, p_operation, p_resource_type, p_resource_id, false, internal.clock()
  from public.profiles p
  where p.user_id = p_user_id and (
    select count(*) from (
      select from public.audit_log a
      where a.user_id = p_user_id and not a.success and a.occurred_at > internal.clock() - interval '1 hour'
      order by a.entry_id desc limit 20) recent) < 20
$$;

create function public.record_refusal(p_user_id uuid, p_operation text, p_resource text) returns void
language sql security definer set search_path = '' as $$
  select internal.audit_refusal(p_user_id, 'authorization', p_operation, 'route', p_resource)
$$;

-- The address is looked up here and not kept; one that nobody has leaves nothing.
create function public.record_failed_sign_in(p_email text) returns void
language sql security definer set search_path = '' as $$
  select internal.audit_refusal(u.id, 'authentication', 'sign_in', 'account', u.id::text)
  from auth.users u where u.email = lower(p_email)
$$;

-- The caller's own trail, newest first. p_after: the last entry of the page before. One row more than p_limit is
-- returned where there are more.
create function public.get_audit(p_user_id uuid, p_limit integer, p_after bigint default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'entry_id', entry_id, 'action', action, 'operation', operation, 'resource_type', resource_type,
    'resource_id', resource_id, 'success', success, 'changes', changes, 'occurred_at', occurred_at)
    order by entry_id desc), '[]')
  from (
    select * from public.audit_log
    where user_id = p_user_id and (p_after is null or entry_id < p_after)
    order by entry_id desc limit p_limit + 1
  ) a
$$;

create function public.purge_audit_log(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  select internal.purge('public.audit_log', 'occurred_at', interval '30 days', p_limit)
$$;

select internal.lock_down();
