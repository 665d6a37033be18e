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
  sent_as uuid,                       -- the id that it was sent with, where that is another event's
  waits boolean not null,             -- it is judged again when something else comes or ends
  primary key (user_id, event_id)
);
comment on table public.rejected_events is
  'Events of offline batches that were rejected, kept for their client to inspect and retry.';
create index rejected_events_newest on public.rejected_events (user_id, received_at desc, event_id)
  where error_code is not null;
create index rejected_events_waiting on public.rejected_events (user_id, session_id) where waits;
create index rejected_events_starts on public.rejected_events (user_id, session_id)
  where event_type = 'start' and error_code is not null;
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
  clock_offset integer,               -- by how many seconds its clock was behind, when that was last seen
  clock_at timestamptz,
  primary key (user_id, client_id)
);
comment on table public.sync_clients is 'What the server has received from each client of a user.';
create policy own_clients on public.sync_clients for select to authenticated using (user_id = (select auth.uid()));

-- An event while it is judged: as rejected_events, without its user and before anything is decided.
create type internal.sync_event as (
  event_id uuid, session_id uuid, event_type text, payload jsonb, claimed_at timestamptz, occurred_at timestamptz,
  position integer, client_id text, fingerprint text, error_code text, message text, received_at timestamptz,
  sent_as uuid, waits boolean);

-- A rejected event that is to be judged anew.
create function internal.judged_anew(p_rejected public.rejected_events) returns internal.sync_event
language sql immutable set search_path = '' as $$
  select row(p_rejected.event_id, p_rejected.session_id, p_rejected.event_type, p_rejected.payload, p_rejected.claimed_at, p_rejected.occurred_at, p_rejected.position, p_rejected.client_id,
             p_rejected.fingerprint, null, null, p_rejected.received_at, p_rejected.sent_as, false)::internal.sync_event
$$;

-- What becomes of an event: applied, duplicate (what it asks for is so already) or rejected, with code and message; and
-- whether it waits for something else.
create type internal.event_result as (status text, error_code text, message text, waits boolean);

create function internal.rejection_result(p_code text, p_message text, p_waits boolean default false) returns internal.event_result
language sql immutable set search_path = '' as $$ select ('rejected', p_code, p_message, p_waits)::internal.event_result $$;

create function internal.success_result(p_status text default 'applied') returns internal.event_result
language sql immutable set search_path = '' as $$ select (p_status, null, null, false)::internal.event_result $$;

-- Make way for a session that began at p_at: returns whether another one holds the position of the active session and the
-- new one goes beside it. Fails (null) when one that runs online has gone on since; one that has not was left behind, and
-- ended with its last sign of life.
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
  elsif internal.is_silent(v_session) then
    perform internal.close_silent_session(v_session, p_mode);
    return false;
  elsif v_session.last_activity_at <= p_at then
    perform internal.close_session(v_session, v_session.last_activity_at, 'left', p_mode);
    return false;
  end if;
  return null;
end $$;

-- What tells the sessions of one client from those of another; null for one that says no name.
create function internal.client_hash(p_client_id text) returns integer
language sql immutable set search_path = '' as $$ select hashtext(p_client_id) $$;

-- Begin a session that was begun offline.
create function internal.apply_start(p_user_id uuid, p_event internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_space uuid := (p_event.payload ->> 'space_id')::uuid;
  v_background boolean;
begin
  select * into v_session from public.study_sessions where session_id = p_event.session_id;
  if found and v_session.user_id = p_user_id then
    return internal.success_result('duplicate');
  elsif found then
    return internal.rejection_result('CONFLICT', 'This session_id is taken.');
  end if;
  -- Who has left the space meanwhile studied all the same; the session is theirs alone.
  perform internal.lock_space_against_deletion(v_space);
  if not internal.is_member(v_space, p_user_id) then
    v_space := null;
  end if;
  v_background := internal.displace_active_session(p_user_id, p_event.occurred_at, p_mode);
  if v_background is null then
    return internal.rejection_result('SESSION_ALREADY_ACTIVE', 'Another session is active and has gone on since.', true);
  end if;
  insert into public.study_sessions
    (session_id, user_id, space_id, subject, duration_minutes, started_at, last_activity_at, replayed, background, client,
     progress, silence_check_at)
  values (p_event.session_id, p_user_id, v_space, p_event.payload ->> 'subject',
          coalesce((p_event.payload ->> 'duration_minutes')::integer, 25), p_event.occurred_at, p_event.occurred_at, true, v_background,
          internal.client_hash(p_event.client_id), internal.initial_progress(p_event.occurred_at, p_event.claimed_at),
          internal.clock() + interval '60 minutes')
  on conflict (session_id) do nothing;
  if not found then  -- somebody else has taken it this very moment
    return internal.rejection_result('CONFLICT', 'This session_id is taken.');
  end if;
  perform internal.record_activity(
    v_space, p_user_id, 'session_started', jsonb_build_object('session_id', p_event.session_id), p_event.occurred_at);
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (p_event.event_id, p_event.session_id, p_user_id, 'lifecycle', 'start', p_event.occurred_at, p_event.claimed_at, p_event.payload);
  return internal.success_result();
end $$;

-- Whether a session has ended only because nothing more was heard of it.
create function internal.is_assumed_over(p_session public.study_sessions) returns boolean
language sql immutable set search_path = '' as $$
  select p_session.status <> 'active' and p_session.end_reason is not null and p_session.end_reason in ('silent', 'left')
$$;

-- The session as it takes events: one that was assumed to be over goes on.
create function internal.reopen_session(p_session public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
begin
  p_session := internal.unarchive_session(p_session);
  if not internal.is_assumed_over(p_session) then
    return p_session;
  end if;
  delete from public.session_events
  where session_id = p_session.session_id and source = 'lifecycle' and payload ->> 'reason' in ('silent', 'left');
  update public.study_sessions set
    status = 'active', ended_at = null, end_reason = null, counts_until = null, credit = internal.credit_of(p_session),
    replayed = true, background = exists (
      select from public.study_sessions o where o.user_id = p_session.user_id and o.status = 'active' and not o.background),
    silence_check_at = internal.clock() + interval '60 minutes', updated_at = internal.clock()
  where session_id = p_session.session_id returning * into p_session;
  return p_session;
end $$;

-- Why an event's session is not there: its start has not arrived, or was rejected.
create function internal.missing_session(p_user_id uuid, p_session_id uuid, p_refused jsonb) returns internal.event_result
language plpgsql stable set search_path = '' as $$
declare
  v_start jsonb := coalesce(p_refused -> p_session_id::text, (
    select jsonb_build_object('error_code', error_code, 'message', message) from public.rejected_events
    where user_id = p_user_id and session_id = p_session_id and event_type = 'start' and error_code is not null limit 1));
begin
  if v_start is null then
    return internal.rejection_result('SESSION_NOT_FOUND', 'The start of this session has not arrived.', true);
  end if;
  return internal.rejection_result(
    v_start ->> 'error_code', 'The start of this session was rejected: ' || (v_start ->> 'message'), true);
end $$;

-- What is decided of an event of a session that is there before what it asks for is looked at; null: nothing.
create function internal.event_error(p_session public.study_sessions, p_event internal.sync_event) returns internal.event_result
language plpgsql stable set search_path = '' as $$
begin
  if p_event.occurred_at < p_session.started_at - internal.clock_tolerance() then
    return internal.rejection_result('EVENT_BEFORE_START', 'The event lies before the start of its session.');
  end if;
  return null;
end $$;

-- End a session as the event says. A completion stands before an abandonment, whichever came first.
create function internal.apply_end(p_session public.study_sessions, p_event internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  v_was_over boolean := p_session.status = case p_event.event_type when 'complete' then 'completed' else 'abandoned' end;
begin
  p_session := internal.unarchive_session(p_session);
  if p_event.event_type = 'abandon' then
    perform internal.record_abandonment(p_session, p_event.occurred_at, 'client', p_event.event_id, p_event.claimed_at, p_event.payload);
  elsif internal.record_completion(
      p_session, p_event.occurred_at, p_event.claimed_at, (p_event.payload ->> 'efficiency')::numeric, p_mode, null, p_event.event_id, p_event.payload) is null then
    if p_session.status = 'active' or internal.is_assumed_over(p_session) then
      perform internal.record_abandonment(p_session, p_event.occurred_at, 'overlap');
    end if;
    return internal.rejection_result('SESSION_OVERLAP', 'Other sessions cover this one.', true);
  end if;
  return internal.success_result(case when v_was_over then 'duplicate' else 'applied' end);
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

-- The events to judge with p_events: also those that wait for what these bring, up to 5,000 a call, and starts that waited
-- for another session's end.
create function internal.events_to_judge(p_user_id uuid, p_events internal.sync_event[]) returns setof internal.sync_event
language sql stable set search_path = '' as $$
  with begun as (
    select session_id from unnest(p_events) where event_type = 'start'
    union
    select session_id from public.rejected_events
    where user_id = p_user_id and event_type = 'start' and error_code is not null and waits
    union
    select s.session_id from public.study_sessions s
    where s.user_id = p_user_id and s.session_id in (select session_id from unnest(p_events))
  )
  select * from unnest(p_events)
  union all
  (select (internal.judged_anew(w)).* from public.rejected_events w
   where w.user_id = p_user_id and w.waits and w.session_id in (select session_id from begun)
     and w.event_id not in (select event_id from unnest(p_events))
   order by w.occurred_at, w.received_at, w.position limit 5000)
$$;

-- Events in the order in which they happened. A session's start stands before its own events also where it seems a little
-- later; what happened in one moment is told session by session, those that began first before the others.
create function internal.ordered_events(p_user_id uuid, p_events internal.sync_event[]) returns setof internal.sync_event
language sql stable set search_path = '' as $$
  with began as (
    select e as event, coalesce(s.started_at, min(e.occurred_at) filter (where e.event_type = 'start') over one) as began
    from internal.events_to_judge(p_user_id, p_events) e
    left join public.study_sessions s on s.session_id = e.session_id
    window one as (partition by e.session_id)
  ), turns as (
    select b.*, case when (event).event_type <> 'start' then (event).occurred_at else least(
        (event).occurred_at, min((event).occurred_at) filter (
          where (event).occurred_at >= began - internal.clock_tolerance()) over (partition by (event).session_id)) end as turn,
      case (event).event_type when 'start' then 0 when 'complete' then 2 when 'abandon' then 2 else 1 end as rank
    from began b
  )
  select (event).* from turns
  order by turn, began nulls last, (event).session_id, rank, (event).occurred_at, (event).received_at, (event).position,
           (event).event_id
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
  delete from public.rejected_events k using unnest(p_events) e
  where k.user_id = p_user_id and k.event_id = e.event_id and e.error_code is null;
  update public.rejected_events k set error_code = e.error_code, message = e.message, waits = e.waits
  from unnest(p_events) e
  where k.user_id = p_user_id and k.event_id = e.event_id
    and (k.error_code, k.message, k.waits) is distinct from (e.error_code, e.message, e.waits);
  insert into public.rejected_events
    (user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint,
     error_code, message, received_at, sent_as, waits)
  select p_user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint,
         error_code, message, received_at, sent_as, coalesce(waits, false)
  from unnest(v_new) limit internal.reserve_rejections(p_user_id, cardinality(v_new));
  return (
    select coalesce(jsonb_object_agg(e.event_id, jsonb_build_object(
      'status', p_statuses[n], 'error_code', e.error_code, 'message', e.message)), '{}')
    from unnest(p_events) with ordinality as e (
      event_id, session_id, event_type, payload, claimed_at, occurred_at, position, client_id, fingerprint, error_code, message,
      received_at, sent_as, waits, n));
end $$;

-- Judge events in the order in which they happened, apply them, and keep those that are rejected. Signs of life are recorded
-- together, before anything that asks how far a session has come, and completed sessions that got some are rated again in
-- the end. Returns {event_id: {"status", "error_code", "message"}}.
create function internal.process_events(p_user_id uuid, p_events internal.sync_event[], p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_account_at timestamptz := (select created_at from public.profiles where user_id = p_user_id);
  v_event internal.sync_event;
  v_session public.study_sessions;
  v_result internal.event_result;
  v_refused jsonb := '{}';   -- starts, by session
  v_pending internal.client_event[] := '{}';
  v_counts jsonb := '{}';    -- of pending events and breaks, by session
  v_rated uuid[] := '{}';
  v_ended boolean := false;
  v_done internal.sync_event[] := '{}';
  v_statuses text[] := '{}';
begin
  -- Before the sessions' own rows, in the order in which whoever deletes a space takes them.
  perform from public.spaces where space_id in (
    select o.space_id from public.study_sessions o join internal.events_to_judge(p_user_id, p_events) p using (session_id)
    where o.user_id = p_user_id)
  order by space_id for key share;
  for v_event in select * from internal.ordered_events(p_user_id, p_events) loop
    v_result := case when v_event.error_code is not null then internal.rejection_result(v_event.error_code, v_event.message)
              else internal.time_error(v_event, v_account_at) end;
    if v_result is null then
      v_event.occurred_at := greatest(v_event.occurred_at, v_account_at);
      if v_event.event_type in ('start', 'complete', 'abandon') and cardinality(v_pending) > 0 then
        perform internal.record_pending_events(v_pending);
        v_pending := '{}';
        v_counts := '{}';
      end if;
      if v_event.event_type = 'start' then
        v_result := internal.apply_start(p_user_id, v_event, p_mode);
      else
        select * into v_session from public.study_sessions where session_id = v_event.session_id and user_id = p_user_id;
        v_result := case when found then internal.event_error(v_session, v_event)
                  else internal.missing_session(p_user_id, v_event.session_id, v_refused) end;
      end if;
    end if;
    if v_result is null and v_event.event_type in ('complete', 'abandon') then
      v_result := internal.apply_end(v_session, v_event, p_mode);
      v_ended := true;
    elsif v_result is null then
      v_result := internal.capacity_result(v_session, v_event.event_type, v_counts -> v_session.session_id::text);
      if v_result.status = 'applied' then
        if v_session.progress is null or internal.is_assumed_over(v_session) then
          v_session := internal.reopen_session(v_session);
        end if;
        if v_session.status = 'completed' and not v_session.session_id = any (v_rated) then
          v_rated := v_rated || v_session.session_id;
        end if;
        v_pending := v_pending || row(v_event.session_id, v_event.event_id, v_event.event_type, greatest(v_event.occurred_at, v_session.started_at),
                                      v_event.claimed_at, v_event.payload)::internal.client_event;
        v_counts := internal.count_mark(v_counts, v_session.session_id, v_event.event_type);
      end if;
    end if;
    v_event.error_code := v_result.error_code;
    v_event.message := v_result.message;
    v_event.waits := v_result.waits;
    if v_event.event_type = 'start' and v_result.status = 'rejected' then
      v_refused := v_refused || jsonb_build_object(v_event.session_id, jsonb_build_object('error_code', v_result.error_code, 'message', v_result.message));
    end if;
    v_done := v_done || v_event;
    v_statuses := v_statuses || v_result.status;
  end loop;
  perform internal.record_pending_events(v_pending);
  perform internal.rate_again(v_rated, p_mode);
  return internal.record_results(p_user_id, v_done, v_statuses) || case
    when v_ended then internal.judge_waiting(p_user_id, p_mode) else '{}' end;
end $$;

-- Whether a session has room for a sign of life beside those that are pending, p_pending of it: [events, breaks].
create function internal.capacity_result(p_session public.study_sessions, p_event_type text, p_pending jsonb) returns internal.event_result
language sql immutable set search_path = '' as $$
  select case when p_session.progress is null or internal.has_event_capacity(
                p_session, p_event_type, coalesce((p_pending ->> 0)::integer, 0), coalesce((p_pending ->> 1)::integer, 0))
              then internal.success_result()
              else internal.rejection_result('SESSION_EVENT_LIMIT', 'This session has taken all the events that a session takes.') end
$$;

create function internal.count_mark(p_counts jsonb, p_session_id uuid, p_event_type text) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_set(p_counts, array[p_session_id::text], jsonb_build_array(
    coalesce((p_counts -> p_session_id::text ->> 0)::integer, 0) + 1,
    coalesce((p_counts -> p_session_id::text ->> 1)::integer, 0)
      + (p_event_type in ('break_start', 'break_end'))::integer))
$$;

-- Rate sessions again that their client has completed and that got more signs of life, in the order in which they began.
create function internal.rate_again(p_session_ids uuid[], p_mode text) returns void
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  for v_session in
    select * from public.study_sessions where session_id = any (p_session_ids) and status = 'completed' and end_reason is null
    order by started_at, session_id
  loop
    perform internal.record_completion(v_session, internal.counted_until(v_session), null, null, p_mode, p_record => false);
  end loop;
end $$;

-- A session of the user has ended: judge the starts anew that waited for it, and their sessions' events. Returns their results
-- as process_events does.
create function internal.judge_waiting(p_user_id uuid, p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
begin
  if exists (select from public.rejected_events
             where user_id = p_user_id and event_type = 'start' and error_code is not null and waits) then
    return internal.process_events(p_user_id, '{}', p_mode);
  end if;
  return '{}';
end $$;

select internal.lock_down();
