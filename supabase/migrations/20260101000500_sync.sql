-- Offline sync: events that happened without a connection, applied exactly once (docs/contract.md: "Offline sync"). What is kept
-- of them, and how each is judged and applied.
-- An applied event is a row of session_events, and later a place in session_trails: a repeat is known by it.

-- Events that were rejected, kept so that their client can see why, and so that they can be tried again; and those that
-- were applied when they were, for whoever tries once more.
create table public.rejected_events (
  user_id uuid not null references public.profiles on delete cascade,
  event_id uuid not null,
  session_id uuid,                    -- null only where the client sent none
  event_type text,
  payload jsonb not null default '{}',
  claimed_at timestamptz,             -- by the client's clock
  occurred_at timestamptz,            -- the same, corrected by sent_at against the server's clock
  position integer not null,          -- in its batch
  client_id text,
  fingerprint text not null,          -- of what the client sent, to know a reused id from a repeat
  error_code text,                    -- null: applied when it was tried again
  message text,
  received_at timestamptz not null,
  primary key (user_id, event_id)
);
comment on table public.rejected_events is
  'Events of offline batches that were rejected, kept for their client to inspect and retry.';
create index rejected_events_newest on public.rejected_events (user_id, received_at desc, event_id)
  where error_code is not null;
create index rejected_events_waiting on public.rejected_events (user_id, session_id)
  where error_code = 'SESSION_NOT_FOUND';
create index rejected_events_age on public.rejected_events (received_at);
create policy own_rejected_events on public.rejected_events for select to authenticated
  using (user_id = (select auth.uid()));

-- What the server has from each client; of an account the hundred that were last heard of. A client without an id is ''.
create table public.sync_clients (
  user_id uuid not null references public.profiles on delete cascade,
  client_id text not null,
  last_synced_at timestamptz not null,
  last_event_at timestamptz,          -- by the client's clock
  applied_count bigint not null,
  primary key (user_id, client_id)
);
comment on table public.sync_clients is 'What the server has received from each client of a user.';
create policy own_clients on public.sync_clients for select to authenticated using (user_id = (select auth.uid()));

-- An event while it is judged: as rejected_events, without its user and before anything is decided.
create type internal.sync_event as (
  event_id uuid, session_id uuid, event_type text, payload jsonb, claimed_at timestamptz, occurred_at timestamptz,
  position integer, client_id text, fingerprint text, error_code text, message text, received_at timestamptz);
comment on type internal.sync_event is 'An event of an offline batch while it is processed.';

-- What becomes of an event: applied, duplicate (what it asks for is so already) or rejected, with code and message.
create type internal.event_result as (status text, error_code text, message text);
comment on type internal.event_result is 'The result of an event of an offline batch: applied, duplicate or rejected.';

create function internal.rejection_result(p_code text, p_message text) returns internal.event_result
language sql immutable set search_path = '' as $$ select ('rejected', p_code, p_message)::internal.event_result $$;

create function internal.success_result(p_status text default 'applied') returns internal.event_result
language sql immutable set search_path = '' as $$ select (p_status, null, null)::internal.event_result $$;

-- Free the place of the active session for one that began at p_at: returns whether another one keeps it and the new one
-- runs in the background. Fails (null) when a session that runs online was active then.
create function internal.displace_active_session(p_user_id uuid, p_at timestamptz, p_mode text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  select * into v_session from public.study_sessions where user_id = p_user_id and status = 'active' and not background;
  if not found then
    return false;
  elsif v_session.started_at > p_at then
    return true;
  elsif v_session.replayed then
    update public.study_sessions set background = true where session_id = v_session.session_id;
    return false;
  elsif v_session.last_activity_at < p_at - interval '60 minutes' then
    perform internal.close_silent_session(v_session, p_mode);
    return false;
  end if;
  return null;
end $$;

-- Begin a session that was begun offline.
create function internal.apply_start(p_user_id uuid, p_event internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_space uuid := (p_event.payload ->> 'space_id')::uuid;
  v_at timestamptz;
  v_background boolean;
begin
  select * into v_session from public.study_sessions where session_id = p_event.session_id;
  if found and v_session.user_id = p_user_id then
    return internal.success_result('duplicate');
  elsif found then
    return internal.rejection_result('CONFLICT', 'This session_id is taken.');
  end if;
  v_at := internal.non_overlapping_start(p_user_id, p_event.session_id, p_event.occurred_at);
  if v_at is null then
    return internal.rejection_result('SESSION_OVERLAP', 'The session overlaps another one.');
  end if;
  -- Who has left the space meanwhile studied all the same; the session is theirs alone.
  perform internal.lock_space_against_deletion(v_space);
  if not internal.is_member(v_space, p_user_id) then
    v_space := null;
  end if;
  v_background := internal.displace_active_session(p_user_id, v_at, p_mode);
  if v_background is null then
    return internal.rejection_result('SESSION_ALREADY_ACTIVE', 'Another session was active then.');
  end if;
  insert into public.study_sessions
    (session_id, user_id, space_id, subject, duration_minutes, started_at, last_activity_at, replayed, background,
     progress, silence_check_at)
  values (p_event.session_id, p_user_id, v_space, p_event.payload ->> 'subject',
          coalesce((p_event.payload ->> 'duration_minutes')::integer, 25), v_at, v_at, true, v_background,
          internal.initial_progress(v_at, p_event.claimed_at), internal.clock() + interval '60 minutes')
  on conflict (session_id) do nothing;
  if not found then  -- somebody else has taken it this very moment
    return internal.rejection_result('CONFLICT', 'This session_id is taken.');
  end if;
  perform internal.record_activity(
    v_space, p_user_id, 'session_started', jsonb_build_object('session_id', p_event.session_id));
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (p_event.event_id, p_event.session_id, p_user_id, 'lifecycle', 'start', v_at, p_event.claimed_at,
          p_event.payload);
  return internal.success_result();
end $$;

create function internal.reopen_session(p_session public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
begin
  if p_session.archived then
    perform internal.unarchive_session(p_session);
  end if;
  update public.study_sessions set status = 'active', ended_at = null, end_reason = null, replayed = true,
    background = exists (
      select from public.study_sessions o
      where o.user_id = p_session.user_id and o.status = 'active' and not o.background),
    progress = internal.recalculate_progress(p_session), silence_check_at = internal.clock() + interval '60 minutes',
    updated_at = internal.clock()
  where session_id = p_session.session_id returning * into p_session;
  return p_session;
end $$;

-- What is wrong with an event of a session that is there, before what it asks for is looked at; null: nothing.
create function internal.event_error(p_session public.study_sessions, p_event internal.sync_event)
returns internal.event_result
language plpgsql stable set search_path = '' as $$
begin
  if p_session.session_id is null then
    return internal.rejection_result('SESSION_NOT_FOUND', 'The start of this session has not arrived.');
  elsif (p_session.status = 'completed' and p_event.event_type = 'complete')
      or (p_session.status = 'abandoned' and p_event.event_type = 'abandon') then
    return internal.success_result('duplicate');
  elsif p_event.occurred_at < p_session.started_at - internal.clock_tolerance() then
    return internal.rejection_result('EVENT_BEFORE_START', 'The event lies before the start of its session.');
  elsif p_session.status <> 'active' and not internal.can_be_reopened(p_session) then
    return internal.rejection_result('SESSION_NOT_ACTIVE', 'This session is not active any more.');
  end if;
  return null;
end $$;

-- End a session that is there as the event says.
create function internal.apply_end(p_session public.study_sessions, p_event internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  -- Corrected clocks of two batches differ by how long each was under way.
  v_at timestamptz := internal.non_overlapping_end(p_session, greatest(p_event.occurred_at, p_session.started_at));
begin
  if v_at is null then
    return internal.rejection_result('SESSION_OVERLAP', 'The session overlaps another one.');
  elsif p_session.status <> 'active' then
    p_session := internal.reopen_session(p_session);
  end if;
  if p_event.event_type = 'complete' then
    perform internal.record_completion(
      p_session, v_at, p_event.claimed_at, (p_event.payload ->> 'efficiency')::numeric, p_mode, null, p_event.event_id,
      p_event.payload);
  else
    perform internal.record_abandonment(
      p_session, v_at, 'client', p_event.event_id, p_event.claimed_at, p_event.payload);
  end if;
  return internal.success_result();
end $$;

-- What is wrong with the time of an event of an account that has been there since p_account_at; null: nothing.
create function internal.time_error(p_event internal.sync_event, p_account_at timestamptz) returns internal.event_result
language plpgsql immutable set search_path = '' as $$
begin
  if p_event.occurred_at > p_event.received_at + internal.clock_tolerance() then
    return internal.rejection_result('EVENT_IN_FUTURE', 'The event lies in the future.');
  elsif p_event.occurred_at < p_event.received_at - interval '30 days' then
    return internal.rejection_result('EVENT_TOO_OLD', 'The event is older than 30 days.');
  elsif p_event.occurred_at < p_account_at - internal.clock_tolerance() then
    return internal.rejection_result('EVENT_BEFORE_ACCOUNT', 'The event lies before the account was made.');
  end if;
  return null;
end $$;

-- Record signs of life that were judged, session by session.
create function internal.record_pending_events(p_pending internal.client_event[]) returns void
language sql volatile set search_path = '' as $$
  select internal.record_client_events(session_id, marks) from (
    select session_id, array_agg(
      row(session_id, event_id, event_type, occurred_at, claimed_at, payload)::internal.client_event
      order by occurred_at, ordinality) as marks
    from unnest(p_pending) with ordinality group by session_id) sessions
$$;

-- The events to judge with p_events, in the order in which they happened: also those that were waiting for a session's
-- start, up to 500 a call.
create function internal.ordered_events(p_user_id uuid, p_events internal.sync_event[])
returns setof internal.sync_event
language sql stable set search_path = '' as $$
  select q.* from (
    select * from unnest(p_events)
    union all
    (select w.event_id, w.session_id, w.event_type, w.payload, w.claimed_at, w.occurred_at, w.position, w.client_id,
            w.fingerprint, w.error_code, w.message, w.received_at
     from public.rejected_events w
     where w.user_id = p_user_id and w.error_code = 'SESSION_NOT_FOUND'
       and w.session_id in (
         select session_id from unnest(p_events) where event_type = 'start'
         union
         select s.session_id from public.study_sessions s join unnest(p_events) p using (session_id)
         where s.user_id = p_user_id)
       and not exists (select from unnest(p_events) p where p.event_id = w.event_id)
     order by w.occurred_at, w.received_at, w.position limit 500)
  ) q
  order by q.occurred_at, q.received_at, q.position
$$;

-- Whether a session has room for a sign of life beside those that are pending.
create function internal.capacity_result(
  p_session public.study_sessions, p_event internal.sync_event, p_pending internal.client_event[])
returns internal.event_result
language sql immutable set search_path = '' as $$
  select case when internal.has_event_capacity(p_session, p_event.event_type, count(*)::integer,
                                     count(*) filter (where event_type in ('break_start', 'break_end'))::integer)
              then internal.success_result()
              else internal.rejection_result('SESSION_EVENT_LIMIT',
                'This session has taken all the events that a session takes.') end
  from unnest(p_pending) where session_id = p_session.session_id
$$;

-- Keep the events that were rejected, up to the day's bound, and forget those that were and are applied now. Returns
-- {event_id: its result}.
create function internal.record_results(p_user_id uuid, p_events internal.sync_event[], p_statuses text[]) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_new internal.sync_event[] := array(
    select e from unnest(p_events) e where e.error_code is not null
      and not exists (select from public.rejected_events k where k.user_id = p_user_id and k.event_id = e.event_id));
begin
  delete from public.rejected_events k using unnest(p_events, p_statuses) as d (
    event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint, error_code,
    message, received_at, status)
  where k.user_id = p_user_id and k.event_id = d.event_id and d.status <> 'rejected';
  update public.rejected_events k set error_code = e.error_code, message = e.message
  from unnest(p_events) e
  where k.user_id = p_user_id and k.event_id = e.event_id and k.error_code is distinct from e.error_code;
  insert into public.rejected_events
    (user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint,
     error_code, message, received_at)
  select p_user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint,
         error_code, message, received_at
  from unnest(v_new) limit internal.reserve_rejections(p_user_id, cardinality(v_new));
  return (
    select coalesce(jsonb_object_agg(d.event_id, jsonb_build_object(
      'status', d.status, 'error_code', d.error_code, 'message', d.message)), '{}')
    from unnest(p_events, p_statuses) as d (
      event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint, error_code,
      message, received_at, status));
end $$;

-- Apply events in the order in which they happened and keep those that are rejected. Signs of life are recorded together,
-- before anything that asks how far a session has come. Returns {event_id: {"status", "error_code", "message"}}.
create function internal.process_events(p_user_id uuid, p_events internal.sync_event[], p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_account_at timestamptz := (select created_at from public.profiles where user_id = p_user_id);
  v_event internal.sync_event;
  v_session public.study_sessions;
  v_result internal.event_result;
  v_pending internal.client_event[] := array[]::internal.client_event[];
  v_done internal.sync_event[] := array[]::internal.sync_event[];
  v_statuses text[] := array[]::text[];
begin
  -- Before the sessions' own rows, in the order in which whoever deletes a space takes them.
  perform from public.spaces where space_id in (
    select o.space_id from public.study_sessions o join unnest(p_events) p using (session_id) where o.user_id = p_user_id)
  order by space_id for key share;
  for v_event in select * from internal.ordered_events(p_user_id, p_events) loop
    if v_event.error_code is distinct from 'SESSION_NOT_FOUND' and v_event.error_code is not null then
      v_result := internal.rejection_result(v_event.error_code, v_event.message);
    else
      v_result := internal.time_error(v_event, v_account_at);
    end if;
    if v_result is null then
      v_event.occurred_at := least(greatest(v_event.occurred_at, v_account_at), v_event.received_at);
      if v_event.event_type in ('start', 'complete', 'abandon') and cardinality(v_pending) > 0 then
        perform internal.record_pending_events(v_pending);
        v_pending := '{}';
      end if;
      if v_event.event_type = 'start' then
        v_result := internal.apply_start(p_user_id, v_event, p_mode);
      else
        select * into v_session from public.study_sessions
        where session_id = v_event.session_id and user_id = p_user_id;
        v_result := internal.event_error(v_session, v_event);
      end if;
    end if;
    if v_result is null and v_event.event_type in ('complete', 'abandon') then
      v_result := internal.apply_end(v_session, v_event, p_mode);
    elsif v_result is null then
      if v_session.status <> 'active' then
        v_session := internal.reopen_session(v_session);
      end if;
      v_result := internal.capacity_result(v_session, v_event, v_pending);
      if v_result.status = 'applied' then
        v_pending := v_pending || row(
          v_event.session_id, v_event.event_id, v_event.event_type, greatest(v_event.occurred_at, v_session.started_at),
          v_event.claimed_at, v_event.payload)::internal.client_event;
      end if;
    end if;
    v_event.error_code := v_result.error_code;
    v_event.message := v_result.message;
    v_done := v_done || v_event;
    v_statuses := v_statuses || v_result.status;
  end loop;
  perform internal.record_pending_events(v_pending);
  return internal.record_results(p_user_id, v_done, v_statuses);
end $$;

select internal.lock_down();
