-- Offline sync: events that happened without a connection, applied exactly once (CONTRACT: "Offline sync"). What is kept
-- of them, and how each is judged and applied; what clients and the schedule call is in the next migration.

-- Every event that a client ever sent, with what became of it, in the transaction that applied it. A repeat is answered
-- from here. Rejected ones are kept whole, so that they can be tried again.
create table public.sync_events (
  user_id uuid not null references public.profiles on delete cascade,
  event_id uuid not null,
  session_id uuid,                    -- null only where the client sent none
  event_type text,
  payload jsonb not null default '{}',
  claimed_at timestamptz,             -- by the client's clock
  occurred_at timestamptz,            -- the same, corrected by sent_at against the server's clock
  place integer not null,             -- in its batch
  client_id text,
  fingerprint text not null,          -- of what the client sent, to know a reused id from a repeat
  status text not null check (status in ('applied', 'rejected')),
  error_code text,
  message text,
  received_at timestamptz not null,
  primary key (user_id, event_id)
);
create index sync_events_rejected on public.sync_events (user_id, received_at desc, event_id) where status = 'rejected';
create index sync_events_client on public.sync_events (user_id, client_id);
create index sync_events_received on public.sync_events (received_at);
create policy own_sync_events on public.sync_events for select to authenticated using (user_id = (select auth.uid()));

-- What becomes of an event: applied, duplicate (what it asks for is so already) or rejected, with code and message.
create type internal.event_result as (status text, error_code text, message text);

create function internal.rejected(p_code text, p_message text) returns internal.event_result
language sql immutable set search_path = '' as $$ select ('rejected', p_code, p_message)::internal.event_result $$;

create function internal.done(p_status text default 'applied') returns internal.event_result
language sql immutable set search_path = '' as $$ select (p_status, null, null)::internal.event_result $$;

-- A session that the schedule gave up for silent may go on: its phone was only offline.
create function internal.was_given_up(s public.study_sessions) returns boolean
language sql immutable set search_path = '' as $$
  select s.status = 'abandoned' and s.outcome ->> 'reason' = 'silent'
$$;

-- Of two that overlap and are both undecided the first to be completed counts. What ended before is left out first, in
-- plain words, because known_end is looked at row by row and a student has thousands.
create function internal.overlaps_another(s public.study_sessions, p_until timestamptz) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from public.study_sessions o
    where o.user_id = s.user_id and o.session_id <> s.session_id
      and o.started_at < p_until and (o.ended_at is null or o.ended_at > s.started_at)
      and internal.known_end(o) > s.started_at
      and not (o.status = 'active' and o.replayed) and not internal.was_given_up(o))
$$;

-- When a session of p_user_id that seems to begin at p_at began: after the session before it, when that reaches only a
-- little beyond p_at; null when they truly overlap.
create function internal.start_beside(p_user_id uuid, p_at timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select case when coalesce(max(internal.known_end(o)), p_at) <= p_at + internal.clock_tolerance()
              then greatest(p_at, coalesce(max(internal.known_end(o)), p_at)) end
  from public.study_sessions o
  where o.user_id = p_user_id and o.started_at <= p_at and (o.ended_at is null or o.ended_at > p_at)
    and internal.known_end(o) > p_at
    and not (o.status = 'active' and not o.replayed)
$$;

-- When a session that seems to end at p_at ended: before the next one began, when that was only a little before p_at;
-- null when it truly overlaps another.
create function internal.end_beside(s public.study_sessions, p_at timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select case when coalesce(min(o.started_at), p_at) >= greatest(s.started_at, p_at - internal.clock_tolerance())
              then coalesce(min(o.started_at), p_at) end
  from public.study_sessions o
  where o.user_id = s.user_id and o.session_id <> s.session_id
    and o.started_at < p_at and (o.ended_at is null or o.ended_at > s.started_at)
    and internal.known_end(o) > s.started_at
    and not (o.status = 'active' and o.replayed) and not internal.was_given_up(o)
$$;

-- Make way for a session that began at p_at: returns whether another one holds the place of the active session and the
-- new one goes beside it. Fails (null) when a session that runs online was active then.
create function internal.make_way(p_user_id uuid, p_at timestamptz, p_mode text) returns boolean
language plpgsql set search_path = '' as $$
declare
  s public.study_sessions;
begin
  select * into s from public.study_sessions where user_id = p_user_id and status = 'active' and not background;
  if not found then
    return false;
  elsif s.started_at > p_at then
    return true;
  elsif s.replayed then
    update public.study_sessions set background = true where session_id = s.session_id;
    return false;
  elsif s.last_activity_at < p_at - interval '60 minutes' then
    perform internal.close_silent_session(s, p_mode);
    return false;
  end if;
  return null;
end $$;

-- Begin a session that was begun offline.
create function internal.apply_start(e public.sync_events, p_mode text) returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  s public.study_sessions;
  v_space uuid := (e.payload ->> 'space_id')::uuid;
  v_at timestamptz;
  v_background boolean;
begin
  select * into s from public.study_sessions where session_id = e.session_id;
  if found and s.user_id = e.user_id then
    return internal.done('duplicate');
  elsif found then
    return internal.rejected('CONFLICT', 'This session_id is taken.');
  end if;
  v_at := internal.start_beside(e.user_id, e.occurred_at);
  if v_at is null then
    return internal.rejected('SESSION_OVERLAP', 'The session overlaps another one.');
  end if;
  -- Who has left the space meanwhile studied all the same; the session is theirs alone.
  perform internal.keep_space(v_space);
  if not internal.is_member(v_space, e.user_id) then
    v_space := null;
  end if;
  v_background := internal.make_way(e.user_id, v_at, p_mode);
  if v_background is null then
    return internal.rejected('SESSION_ALREADY_ACTIVE', 'Another session was active then.');
  end if;
  insert into public.study_sessions
    (session_id, user_id, space_id, subject, duration_minutes, started_at, last_activity_at, replayed, background,
     updated_at)
  values (e.session_id, e.user_id, v_space, e.payload ->> 'subject',
          coalesce((e.payload ->> 'duration_minutes')::integer, 25), v_at, v_at, true, v_background, internal.clock())
  on conflict (session_id) do nothing;
  if not found then  -- somebody else has taken it this very moment
    return internal.rejected('CONFLICT', 'This session_id is taken.');
  end if;
  perform internal.note_activity(v_space, e.user_id, 'session_started', jsonb_build_object('session_id', e.session_id));
  insert into public.session_events (session_id, user_id, source, event_type, occurred_at, claimed_at)
  values (e.session_id, e.user_id, 'lifecycle', 'start', v_at, e.claimed_at);
  return internal.done();
end $$;

create function internal.reopen(s public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
begin
  update public.study_sessions set status = 'active', ended_at = null, outcome = null, replayed = true,
    background = exists (
      select from public.study_sessions o where o.user_id = s.user_id and o.status = 'active' and not o.background),
    updated_at = internal.clock()
  where session_id = s.session_id returning * into s;
  return s;
end $$;

create function internal.apply_event(e public.sync_events, p_mode text) returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  s public.study_sessions;
  v_at timestamptz;
begin
  if e.occurred_at > e.received_at + internal.clock_tolerance() then
    return internal.rejected('EVENT_IN_FUTURE', 'The event lies in the future.');
  elsif e.occurred_at < e.received_at - interval '30 days' then
    return internal.rejected('EVENT_TOO_OLD', 'The event is older than 30 days.');
  end if;
  e.occurred_at := least(e.occurred_at, e.received_at);
  if e.event_type = 'start' then
    return internal.apply_start(e, p_mode);
  end if;

  select * into s from public.study_sessions where session_id = e.session_id and user_id = e.user_id;
  if not found then
    return internal.rejected('SESSION_NOT_FOUND', 'The start of this session has not arrived.');
  elsif (s.status = 'completed' and e.event_type = 'complete')
      or (s.status = 'abandoned' and e.event_type = 'abandon') then
    return internal.done('duplicate');
  elsif e.occurred_at < s.started_at - internal.clock_tolerance() then
    return internal.rejected('EVENT_BEFORE_START', 'The event lies before the start of its session.');
  end if;
  -- Corrected clocks of two batches differ by how long each was under way.
  v_at := greatest(e.occurred_at, s.started_at);
  if s.status <> 'active' and not internal.was_given_up(s) then
    return internal.rejected('SESSION_NOT_ACTIVE', 'This session is not active any more.');
  elsif e.event_type in ('complete', 'abandon') then
    v_at := internal.end_beside(s, v_at);
    if v_at is null then
      return internal.rejected('SESSION_OVERLAP', 'The session overlaps another one.');
    end if;
  end if;
  if s.status <> 'active' then
    s := internal.reopen(s);
  end if;
  if e.event_type = 'complete' then
    perform internal.finish_session(s, v_at, e.claimed_at, (e.payload ->> 'efficiency')::numeric, p_mode);
  elsif e.event_type = 'abandon' then
    perform internal.drop_session(s, v_at, 'client');
  else
    insert into public.session_events (session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
    values (s.session_id, e.user_id, 'client', e.event_type, v_at, e.claimed_at, e.payload);
  end if;
  return internal.done();
end $$;

-- Bring a running session up to the last of its events.
create function internal.note_signs_of_life(p_user_id uuid, p_session_id uuid) returns void
language sql volatile set search_path = '' as $$
  update public.study_sessions s set
    last_activity_at = greatest(s.last_activity_at, signs.latest),
    last_heartbeat_at = greatest(s.last_heartbeat_at, signs.latest_heartbeat),
    updated_at = internal.clock()
  from (
    select max(occurred_at) as latest, max(occurred_at) filter (where event_type = 'heartbeat') as latest_heartbeat
    from public.session_events where session_id = p_session_id
  ) signs
  where s.session_id = p_session_id and s.user_id = p_user_id and s.status = 'active'
$$;

-- Apply events in the order in which they happened and keep what became of each. With a session's start come the events
-- that were waiting for it, up to 500 a call. Returns {event_id: {"status", "error_code", "message"}} for those in p_events.
create function internal.process_events(p_user_id uuid, p_events public.sync_events[], p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_step record;
  e public.sync_events;
  v_result internal.event_result;
  v_done public.sync_events[] := '{}';
  v_statuses text[] := '{}';
begin
  -- Before the sessions' own rows, in the order in which whoever deletes a space takes them.
  perform from public.spaces where space_id in (
    select s.space_id from public.study_sessions s join unnest(p_events) p using (session_id) where s.user_id = p_user_id)
  order by space_id for key share;
  for v_step in
    select q::public.sync_events as event, coalesce(
      lead(q.session_id) over walk <> q.session_id or lead(q.event_type) over walk in ('start', 'complete', 'abandon'),
      true) as ends_run
    from (select * from unnest(p_events)
    union all
    (select w.* from public.sync_events w
     where w.user_id = p_user_id and w.status = 'rejected' and w.error_code = 'SESSION_NOT_FOUND'
       and w.session_id in (
         select session_id from unnest(p_events) where event_type = 'start'
         union
         select s.session_id from public.study_sessions s join unnest(p_events) p using (session_id)
         where s.user_id = p_user_id)
       and not exists (select from unnest(p_events) p where p.event_id = w.event_id)
     order by w.occurred_at, w.received_at, w.place limit 500)) q
    window walk as (order by q.occurred_at, q.received_at, q.place)
    order by q.occurred_at, q.received_at, q.place
  loop
    e := v_step.event;
    if e.error_code is null or e.error_code = 'SESSION_NOT_FOUND' then
      v_result := internal.apply_event(e, p_mode);
    else
      v_result := internal.rejected(e.error_code, e.message);
    end if;
    e.status := case when v_result.status = 'rejected' then 'rejected' else 'applied' end;
    e.error_code := v_result.error_code;
    e.message := v_result.message;
    v_done := v_done || e;
    v_statuses := v_statuses || v_result.status;
    -- Once for a run of heartbeats and breaks, before anything that asks how far the session has come.
    if v_step.ends_run and e.event_type not in ('start', 'complete', 'abandon') then
      perform internal.note_signs_of_life(e.user_id, e.session_id);
    end if;
  end loop;
  insert into public.sync_events select * from unnest(v_done)
  on conflict (user_id, event_id) do update
  set status = excluded.status, error_code = excluded.error_code, message = excluded.message;
  update public.study_sessions set focus_seconds = internal.session_focus_seconds(session_id, last_activity_at)
  where user_id = p_user_id and status = 'active' and session_id in (select session_id from unnest(v_done));
  return (
    select coalesce(jsonb_object_agg(d.event_id, jsonb_build_object(
      'status', status, 'error_code', d.error_code, 'message', d.message)), '{}')
    from rows from (unnest(v_done), unnest(v_statuses)) as d (
      user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, place, client_id, fingerprint,
      kept_status, error_code, message, received_at, status));
end $$;

select internal.lock_down();
