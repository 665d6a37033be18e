-- Offline sync: events that happened without a connection, applied exactly once (CONTRACT: "Offline sync"). What is kept
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
  place integer not null,             -- in its batch
  client_id text,
  fingerprint text not null,          -- of what the client sent, to know a reused id from a repeat
  error_code text,                    -- null: applied when it was tried again
  message text,
  received_at timestamptz not null,
  primary key (user_id, event_id)
);
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
create policy own_clients on public.sync_clients for select to authenticated using (user_id = (select auth.uid()));

-- An event while it is judged: as rejected_events, without its user and before anything is decided.
create type internal.sync_event as (
  event_id uuid, session_id uuid, event_type text, payload jsonb, claimed_at timestamptz, occurred_at timestamptz,
  place integer, client_id text, fingerprint text, error_code text, message text, received_at timestamptz);

-- What becomes of an event: applied, duplicate (what it asks for is so already) or rejected, with code and message.
create type internal.event_result as (status text, error_code text, message text);

create function internal.rejected(p_code text, p_message text) returns internal.event_result
language sql immutable set search_path = '' as $$ select ('rejected', p_code, p_message)::internal.event_result $$;

create function internal.done(p_status text default 'applied') returns internal.event_result
language sql immutable set search_path = '' as $$ select (p_status, null, null)::internal.event_result $$;

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
create function internal.apply_start(p_user_id uuid, e internal.sync_event, p_mode text) returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  s public.study_sessions;
  v_space uuid := (e.payload ->> 'space_id')::uuid;
  v_at timestamptz;
  v_background boolean;
begin
  select * into s from public.study_sessions where session_id = e.session_id;
  if found and s.user_id = p_user_id then
    return internal.done('duplicate');
  elsif found then
    return internal.rejected('CONFLICT', 'This session_id is taken.');
  end if;
  v_at := internal.start_beside(p_user_id, e.session_id, e.occurred_at);
  if v_at is null then
    return internal.rejected('SESSION_OVERLAP', 'The session overlaps another one.');
  end if;
  -- Who has left the space meanwhile studied all the same; the session is theirs alone.
  perform internal.keep_space(v_space);
  if not internal.is_member(v_space, p_user_id) then
    v_space := null;
  end if;
  v_background := internal.make_way(p_user_id, v_at, p_mode);
  if v_background is null then
    return internal.rejected('SESSION_ALREADY_ACTIVE', 'Another session was active then.');
  end if;
  insert into public.study_sessions
    (session_id, user_id, space_id, subject, duration_minutes, started_at, last_activity_at, replayed, background,
     progress, silence_check_at)
  values (e.session_id, p_user_id, v_space, e.payload ->> 'subject',
          coalesce((e.payload ->> 'duration_minutes')::integer, 25), v_at, v_at, true, v_background,
          internal.first_progress(v_at, e.claimed_at), internal.clock() + interval '60 minutes')
  on conflict (session_id) do nothing;
  if not found then  -- somebody else has taken it this very moment
    return internal.rejected('CONFLICT', 'This session_id is taken.');
  end if;
  perform internal.note_activity(v_space, p_user_id, 'session_started', jsonb_build_object('session_id', e.session_id));
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (e.event_id, e.session_id, p_user_id, 'lifecycle', 'start', v_at, e.claimed_at, e.payload);
  return internal.done();
end $$;

create function internal.reopen(s public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
begin
  if s.archived then
    perform internal.unarchive_session(s);
  end if;
  update public.study_sessions set status = 'active', ended_at = null, end_reason = null, replayed = true,
    background = exists (
      select from public.study_sessions o where o.user_id = s.user_id and o.status = 'active' and not o.background),
    progress = internal.recount(s), silence_check_at = internal.clock() + interval '60 minutes',
    updated_at = internal.clock()
  where session_id = s.session_id returning * into s;
  return s;
end $$;

-- What is wrong with an event of a session that is there, before what it asks for is looked at; null: nothing.
create function internal.event_problem(s public.study_sessions, e internal.sync_event) returns internal.event_result
language plpgsql stable set search_path = '' as $$
begin
  if s.session_id is null then
    return internal.rejected('SESSION_NOT_FOUND', 'The start of this session has not arrived.');
  elsif (s.status = 'completed' and e.event_type = 'complete')
      or (s.status = 'abandoned' and e.event_type = 'abandon') then
    return internal.done('duplicate');
  elsif e.occurred_at < s.started_at - internal.clock_tolerance() then
    return internal.rejected('EVENT_BEFORE_START', 'The event lies before the start of its session.');
  elsif s.status <> 'active' and not internal.was_given_up(s) then
    return internal.rejected('SESSION_NOT_ACTIVE', 'This session is not active any more.');
  end if;
  return null;
end $$;

-- End a session that is there as the event says.
create function internal.apply_end(s public.study_sessions, e internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  -- Corrected clocks of two batches differ by how long each was under way.
  v_at timestamptz := internal.end_beside(s, greatest(e.occurred_at, s.started_at));
begin
  if v_at is null then
    return internal.rejected('SESSION_OVERLAP', 'The session overlaps another one.');
  elsif s.status <> 'active' then
    s := internal.reopen(s);
  end if;
  if e.event_type = 'complete' then
    perform internal.finish_session(
      s, v_at, e.claimed_at, (e.payload ->> 'efficiency')::numeric, p_mode, null, e.event_id, e.payload);
  else
    perform internal.drop_session(s, v_at, 'client', e.event_id, e.claimed_at, e.payload);
  end if;
  return internal.done();
end $$;

-- What is wrong with the time of an event of an account that has been there since p_account_at; null: nothing.
create function internal.time_problem(e internal.sync_event, p_account_at timestamptz) returns internal.event_result
language plpgsql immutable set search_path = '' as $$
begin
  if e.occurred_at > e.received_at + internal.clock_tolerance() then
    return internal.rejected('EVENT_IN_FUTURE', 'The event lies in the future.');
  elsif e.occurred_at < e.received_at - interval '30 days' then
    return internal.rejected('EVENT_TOO_OLD', 'The event is older than 30 days.');
  elsif e.occurred_at < p_account_at - internal.clock_tolerance() then
    return internal.rejected('EVENT_BEFORE_ACCOUNT', 'The event lies before the account was made.');
  end if;
  return null;
end $$;

-- Record signs of life that were judged, session by session.
create function internal.record_pending(p_pending internal.mark[]) returns void
language sql volatile set search_path = '' as $$
  select internal.record_marks(session_id, marks) from (
    select session_id, array_agg(row(session_id, event_id, event_type, occurred_at, claimed_at, payload)::internal.mark
                                 order by occurred_at, ordinality) as marks
    from unnest(p_pending) with ordinality group by session_id) sessions
$$;

-- The events to judge with p_events, in the order in which they happened: also those that were waiting for a session's
-- start, up to 500 a call.
create function internal.events_in_order(p_user_id uuid, p_events internal.sync_event[])
returns setof internal.sync_event
language sql stable set search_path = '' as $$
  select q.* from (
    select * from unnest(p_events)
    union all
    (select w.event_id, w.session_id, w.event_type, w.payload, w.claimed_at, w.occurred_at, w.place, w.client_id,
            w.fingerprint, w.error_code, w.message, w.received_at
     from public.rejected_events w
     where w.user_id = p_user_id and w.error_code = 'SESSION_NOT_FOUND'
       and w.session_id in (
         select session_id from unnest(p_events) where event_type = 'start'
         union
         select s.session_id from public.study_sessions s join unnest(p_events) p using (session_id)
         where s.user_id = p_user_id)
       and not exists (select from unnest(p_events) p where p.event_id = w.event_id)
     order by w.occurred_at, w.received_at, w.place limit 500)
  ) q
  order by q.occurred_at, q.received_at, q.place
$$;

-- Whether a session has room for a sign of life beside those that are pending.
create function internal.judge_mark(s public.study_sessions, e internal.sync_event, p_pending internal.mark[])
returns internal.event_result
language sql immutable set search_path = '' as $$
  select case when internal.has_room(s, e.event_type, count(*)::integer,
                                     count(*) filter (where event_type in ('break_start', 'break_end'))::integer)
              then internal.done()
              else internal.rejected('SESSION_EVENT_LIMIT', 'This session has taken all the events that a session takes.') end
  from unnest(p_pending) where session_id = s.session_id
$$;

-- Keep the events that were rejected, up to the day's bound, and forget those that were and are applied now. Returns {event_id: its result}.
create function internal.keep_results(p_user_id uuid, p_events internal.sync_event[], p_statuses text[]) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_new internal.sync_event[] := array(
    select e from unnest(p_events) e where e.error_code is not null
      and not exists (select from public.rejected_events k where k.user_id = p_user_id and k.event_id = e.event_id));
begin
  delete from public.rejected_events k using unnest(p_events, p_statuses) as d (
    event_id, session_id, event_type, payload, claimed_at, occurred_at, place, client_id, fingerprint, error_code, message,
    received_at, status)
  where k.user_id = p_user_id and k.event_id = d.event_id and d.status <> 'rejected';
  update public.rejected_events k set error_code = e.error_code, message = e.message
  from unnest(p_events) e
  where k.user_id = p_user_id and k.event_id = e.event_id and k.error_code is distinct from e.error_code;
  insert into public.rejected_events
    (user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, place, client_id, fingerprint,
     error_code, message, received_at)
  select p_user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, place, client_id, fingerprint,
         error_code, message, received_at
  from unnest(v_new) limit internal.kept_rejections(p_user_id, cardinality(v_new));
  return (
    select coalesce(jsonb_object_agg(d.event_id, jsonb_build_object(
      'status', d.status, 'error_code', d.error_code, 'message', d.message)), '{}')
    from unnest(p_events, p_statuses) as d (
      event_id, session_id, event_type, payload, claimed_at, occurred_at, place, client_id, fingerprint, error_code,
      message, received_at, status));
end $$;

-- Apply events in the order in which they happened and keep those that are rejected. Signs of life are recorded together,
-- before anything that asks how far a session has come. Returns {event_id: {"status", "error_code", "message"}}.
create function internal.process_events(p_user_id uuid, p_events internal.sync_event[], p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_account_at timestamptz := (select created_at from public.profiles where user_id = p_user_id);
  e internal.sync_event;
  s public.study_sessions;
  r internal.event_result;
  v_pending internal.mark[] := '{}';
  v_done internal.sync_event[] := '{}';
  v_statuses text[] := '{}';
begin
  -- Before the sessions' own rows, in the order in which whoever deletes a space takes them.
  perform from public.spaces where space_id in (
    select o.space_id from public.study_sessions o join unnest(p_events) p using (session_id) where o.user_id = p_user_id)
  order by space_id for key share;
  for e in select * from internal.events_in_order(p_user_id, p_events) loop
    if e.error_code is distinct from 'SESSION_NOT_FOUND' and e.error_code is not null then
      r := internal.rejected(e.error_code, e.message);
    else
      r := internal.time_problem(e, v_account_at);
    end if;
    if r is null then
      e.occurred_at := least(greatest(e.occurred_at, v_account_at), e.received_at);
      if e.event_type in ('start', 'complete', 'abandon') and cardinality(v_pending) > 0 then
        perform internal.record_pending(v_pending);
        v_pending := '{}';
      end if;
      if e.event_type = 'start' then
        r := internal.apply_start(p_user_id, e, p_mode);
      else
        select * into s from public.study_sessions where session_id = e.session_id and user_id = p_user_id;
        r := internal.event_problem(s, e);
      end if;
    end if;
    if r is null and e.event_type in ('complete', 'abandon') then
      r := internal.apply_end(s, e, p_mode);
    elsif r is null then
      if s.status <> 'active' then
        s := internal.reopen(s);
      end if;
      r := internal.judge_mark(s, e, v_pending);
      if r.status = 'applied' then
        v_pending := v_pending || row(e.session_id, e.event_id, e.event_type, greatest(e.occurred_at, s.started_at),
                                      e.claimed_at, e.payload)::internal.mark;
      end if;
    end if;
    e.error_code := r.error_code;
    e.message := r.message;
    v_done := v_done || e;
    v_statuses := v_statuses || r.status;
  end loop;
  perform internal.record_pending(v_pending);
  return internal.keep_results(p_user_id, v_done, v_statuses);
end $$;

select internal.lock_down();
