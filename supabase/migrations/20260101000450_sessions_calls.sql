-- Session calls for clients and the schedule (docs/contract.md: "Sessions").

-- The response to a start; a repeat at any later time gets the same.
create function internal.session_started_json(p_session public.study_sessions) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'session_id', p_session.session_id, 'status', 'active', 'started_at', p_session.started_at,
    'subject', p_session.subject,
    'space_id', p_session.space_id, 'duration_minutes', p_session.duration_minutes,
    'planned_end_at', p_session.started_at + make_interval(mins => p_session.duration_minutes))
$$;

-- The response to a start whose session already exists: the first response again, unless the session belongs to another user
-- or the request differs.
create function internal.repeated_start(p_user_id uuid, p_session public.study_sessions, p_args jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  if p_session.user_id <> p_user_id then
    perform internal.fail('SS003', 'This session_id is taken.', '{"field": "session_id"}');
  elsif (p_session.duration_minutes, coalesce(p_session.subject, '')) is distinct from
        ((p_args ->> 'duration_minutes')::integer, coalesce(p_args ->> 'subject', ''))
      -- If its space is deleted, a session continues without it and no longer refers to it.
      or p_session.space_id is distinct from (
        select p.space_id from public.spaces p where p.space_id = (p_args ->> 'space_id')::uuid) then
    perform internal.fail('SS005', 'This session_id was used with another request.', '{"field": "session_id"}');
  end if;
  return internal.session_started_json(p_session);
end $$;

-- Make way for a session that starts now: a silent one is closed, one recorded offline moves to the background. Fails if the
-- user is already studying.
create function internal.free_active_session(p_user_id uuid, p_mode text) returns void
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  select * into v_session from public.study_sessions where user_id = p_user_id and status = 'active' and not background;
  if found and internal.is_silent(v_session) then
    perform internal.close_silent_session(v_session, p_mode);
  elsif found and not internal.is_running(v_session) then
    update public.study_sessions set background = true where session_id = v_session.session_id;
  elsif found then
    perform internal.fail(
      'SS020', 'Another session is active.', jsonb_build_object('session_id', v_session.session_id));
  end if;
end $$;

-- {"event_id", "session_id", "event_type", "timestamp"?, "payload"?}: one client event, timestamped by the server. An
-- existing event is left unchanged, so that a call can be retried if its response was lost.
create function public.record_session_event(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_event public.session_events;
  v_payload jsonb := coalesce(p_args -> 'payload', '{}');
begin
  perform internal.lock_user(p_user_id);
  v_session := internal.own_session(p_user_id, (p_args ->> 'session_id')::uuid);
  select * into v_event from public.session_events
  where user_id = p_user_id and event_id = (p_args ->> 'event_id')::uuid;
  if not found then
    perform internal.require_active(v_session);
    perform internal.require_event_capacity(v_session, p_args ->> 'event_type');
    perform internal.consume_quota(p_user_id, 1, octet_length(v_payload::text));
    v_session := internal.record_client_events(v_session.session_id, array[row(
      v_session.session_id, p_args ->> 'event_id', p_args ->> 'event_type', internal.session_now(v_session),
      date_trunc('milliseconds', (p_args ->> 'timestamp')::timestamptz), v_payload)::internal.client_event]);
    select * into v_event from public.session_events
    where user_id = p_user_id and event_id = (p_args ->> 'event_id')::uuid;
  end if;
  return internal.event_json(v_event) || jsonb_build_object(
    'focus_seconds', v_session.focus_seconds, 'last_heartbeat_at', v_session.last_heartbeat_at,
    'status', v_session.status);
end $$;
comment on function public.record_session_event is 'Record a heartbeat or another event of an active session.';

-- The caller's session to end as p_status: it must be active, have that status already, or be covered by others.
create function internal.lock_session_to_end(p_user_id uuid, p_args jsonb, p_status text) returns public.study_sessions
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  perform internal.lock_user(p_user_id);
  v_session := internal.own_session(p_user_id, (p_args ->> 'session_id')::uuid);
  if v_session.status <> p_status and not (p_status = 'completed' and coalesce(v_session.end_reason = 'overlap', false)) then
    perform internal.require_active(v_session);
  end if;
  return v_session;
end $$;

create function public.get_session(p_user_id uuid, p_session_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select internal.session_json(internal.own_session(p_user_id, p_session_id))
$$;
comment on function public.get_session is 'One of the caller''s sessions.';

create function public.get_active_session(p_user_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  select * into v_session from public.study_sessions where user_id = p_user_id and status = 'active' and not background;
  if not found or not internal.is_running(v_session) then
    perform internal.fail('SS001', 'No session is active.');
  end if;
  return internal.session_json(v_session);
end $$;
comment on function public.get_active_session is 'The caller''s active session.';

-- Newest first, after (p_after_started_at, p_after_id). One extra row if there are more than p_limit.
create function public.list_sessions(
  p_user_id uuid, p_status text, p_limit integer,
  p_after_started_at timestamptz default null, p_after_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.session_json(s) order by s.started_at desc, s.session_id desc), '[]')
  from (
    select * from public.study_sessions
    where user_id = p_user_id and (p_status is null or status = p_status and not (p_status = 'active' and background))
      and started_at <= coalesce(p_after_started_at, 'infinity')  -- for the index scan
      and (started_at, session_id) < (
        coalesce(p_after_started_at, 'infinity'), coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    order by started_at desc, session_id desc limit p_limit + 1
  ) s
$$;
comment on function public.list_sessions is 'A page of the caller''s sessions, newest first.';

-- Oldest first, after (p_after_at, p_after_seq). One extra row if there are more than p_limit.
create function public.get_session_events(
  p_user_id uuid, p_session_id uuid, p_limit integer default 1000,
  p_after_at timestamptz default null, p_after_seq bigint default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.event_json(e) || jsonb_build_object('seq', e.seq) order by e.occurred_at, e.seq), '[]')
  from internal.own_session(p_user_id, p_session_id) s
  cross join lateral (
    select * from internal.session_event_history(s)
    where (occurred_at, seq) > (coalesce(p_after_at, '-infinity'), coalesce(p_after_seq, 0))
    order by occurred_at, seq limit p_limit + 1
  ) e
$$;
comment on function public.get_session_events is 'A page of a session''s events, oldest first.';

-- Notify the devices of up to p_limit students whose sessions have lost their space; the schedule calls it until it returns
-- 0. Locked users are left to the next run.
create function public.announce_lost_spaces(p_limit integer default 100) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_users uuid[] := array(
    select user_id from public.user_stats where user_id in (
      select user_id from public.study_sessions where lost_space limit p_limit)
    order by user_id for update skip locked);
begin
  perform internal.declare_changes(v_users);
  update public.study_sessions set lost_space = false where lost_space and user_id = any (v_users);
  return cardinality(v_users);
end $$;
comment on function public.announce_lost_spaces is 'Notify devices of sessions whose space was deleted.';

-- The members of a space and who is studying. Sessions know who is studying; spaces do not.
create function public.get_space_members(p_user_id uuid, p_space_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'user_id', m.user_id, 'username', p.username, 'role', m.role, 'joined_at', m.joined_at, 'xp', u.total_xp,
    'is_studying', (p.share_activity or m.user_id = p_user_id) and exists (
      select from public.study_sessions a
      where a.user_id = m.user_id and a.status = 'active' and internal.is_running(a)))
    order by internal.role_rank(m.role) desc, m.joined_at, m.user_id), '[]')
  from internal.authorize_space(p_user_id, p_space_id, 'members') s
  join public.space_members m on m.space_id = s.space_id
  join public.profiles p on p.user_id = m.user_id
  join public.user_stats u on u.user_id = m.user_id
$$;
comment on function public.get_space_members is 'Members of a space, their XP, and who is studying now.';

select internal.lock_down();
