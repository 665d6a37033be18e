-- Live updates: who is studying and the feed of a space, broadcast by the database to the space's members (docs/clients.md).

-- A separate schema: the policy below is evaluated as the listening member, who has no access to `internal`. PostgREST does
-- not expose it.
create schema live;
grant usage on schema live to authenticated;

-- Whether the stack enables broadcasts (its parameter LiveUpdates), which it states in each call.
create function live.is_wanted() returns boolean
language sql stable set search_path = '' as $$
  select coalesce(nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-live-updates' = 'true', false)
    and to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null
$$;

-- A broadcast is a hint: if sending fails, the change that it announces is unaffected.
create function live.broadcast(p_space_id uuid, p_event text, p_payload jsonb) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform realtime.send(p_payload, p_event, 'space:' || p_space_id, true);
exception when others then
  raise warning 'a broadcast was not sent: %', sqlerrm;
end $$;

-- A feed entry, as returned by get_space_activity.
create function live.broadcast_activity() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if live.is_wanted() then
    perform live.broadcast(new.space_id, 'activity', jsonb_build_object(
      'activity_id', new.activity_id, 'activity_type', new.activity_type, 'user_id', new.user_id,
      'username', (select username from public.profiles where user_id = new.user_id),
      'details', new.details, 'occurred_at', to_char(new.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
  end if;
  return null;
end $$;

-- Broadcast the start or end of studying to every space of a user who shares it.
create function live.broadcast_presence() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if live.is_wanted() and exists (select from public.profiles where user_id = new.user_id and share_activity) then
    perform live.broadcast(space_id, 'presence', jsonb_build_object(
      'user_id', new.user_id, 'is_studying', new.status = 'active'))
    from public.space_members where user_id = new.user_id;
  end if;
  return null;
end $$;

create trigger studysync_live after insert on public.space_activity
  for each row execute function live.broadcast_activity();
create trigger studysync_live_start after insert on public.study_sessions
  for each row when (new.status = 'active') execute function live.broadcast_presence();
create trigger studysync_live_end after update of status on public.study_sessions
  for each row when (old.status is distinct from new.status) execute function live.broadcast_presence();

-- Members may listen to their spaces' channels; only the database may send.
create function live.may_listen(p_topic text) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select from public.space_members
    where user_id = (select auth.uid()) and 'space:' || space_id = p_topic)
$$;

-- Authorize listeners if the project has Realtime; call again if it is added later. Returns whether it has it.
create function live.install() returns boolean
language plpgsql set search_path = '' as $$
begin
  if to_regclass('realtime.messages') is null then
    return false;
  end if;
  drop policy if exists studysync_members_listen on realtime.messages;
  create policy studysync_members_listen on realtime.messages for select to authenticated
    using (extension = 'broadcast' and (select live.may_listen((select realtime.topic()))));
  return true;
exception when insufficient_privilege then
  raise warning 'Realtime is not ours to authorise: members cannot listen';
  return false;
end $$;

revoke all on all functions in schema live from public;
grant execute on function live.may_listen to authenticated;
select live.install();

select internal.lock_down();
