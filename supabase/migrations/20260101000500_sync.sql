-- Offline sync: events that happened without a connection, applied exactly once, and what changed for a user since they
-- last looked (CONTRACT: "Offline sync").

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

-- What changed for a user, one row a thing: its last change. `seq` is handed out under a lock that lasts to the commit,
-- by triggers that run at the commit, so a later number is never visible before an earlier one.
create table public.user_changes (
  user_id uuid not null references public.profiles on delete cascade,
  kind text not null check (kind in ('session', 'xp', 'badge', 'membership', 'profile')),
  entity_id text not null,
  seq bigint not null,
  deleted boolean not null,
  changed_at timestamptz not null,
  primary key (user_id, kind, entity_id)
);
create index user_changes_seq on public.user_changes (user_id, seq);
create table public.user_change_counters (
  user_id uuid primary key references public.profiles on delete cascade,
  seq bigint not null
);
create policy own_changes on public.user_changes for select to authenticated using (user_id = (select auth.uid()));
create policy own_counter on public.user_change_counters for select to authenticated using (user_id = (select auth.uid()));

create function internal.note_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_row jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
  v_user uuid := (v_row ->> 'user_id')::uuid;
  v_seq bigint;
begin
  perform from public.profiles where user_id = v_user for key share;
  if not found then
    return null;  -- the account itself went
  end if;
  insert into public.user_change_counters as c (user_id, seq) values (v_user, 1)
  on conflict (user_id) do update set seq = c.seq + 1 returning seq into v_seq;
  insert into public.user_changes (user_id, kind, entity_id, seq, deleted, changed_at)
  values (v_user, tg_argv[0], coalesce(v_row ->> tg_argv[1], 'me'), v_seq, tg_op = 'DELETE', internal.clock())
  on conflict (user_id, kind, entity_id) do update
  set seq = excluded.seq, deleted = excluded.deleted, changed_at = excluded.changed_at;
  return null;
end $$;

create constraint trigger studysync_changes after insert or update of status on public.study_sessions
  deferrable initially deferred for each row execute function internal.note_change('session', 'session_id');
create constraint trigger studysync_changes after update of total_xp on public.user_stats
  deferrable initially deferred for each row execute function internal.note_change('xp', 'nothing');
create constraint trigger studysync_changes after insert or delete on public.user_badges
  deferrable initially deferred for each row execute function internal.note_change('badge', 'badge_key');
create constraint trigger studysync_changes after insert or update of role or delete on public.space_members
  deferrable initially deferred for each row execute function internal.note_change('membership', 'space_id');
create constraint trigger studysync_changes after insert or update on public.profiles
  deferrable initially deferred for each row execute function internal.note_change('profile', 'nothing');

create function internal.change_cursor(p_user_id uuid) returns bigint
language sql stable set search_path = '' as $$
  select coalesce((select seq from public.user_change_counters where user_id = p_user_id), 0)
$$;

-- Changes after p_after, oldest first, each with the thing as it stands now. A cursor that we cannot have made fails.
create function public.get_changes(p_user_id uuid, p_after bigint, p_limit integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_last bigint := internal.change_cursor(p_user_id);
begin
  if p_after < 0 or p_after > v_last then
    perform internal.fail('SS004', 'The cursor is not valid.', '{"field": "cursor"}');
  end if;
  return jsonb_build_object('last', v_last, 'changes', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'kind', c.kind, 'id', c.entity_id, 'seq', c.seq, 'deleted', c.deleted, 'changed_at', c.changed_at,
      'data', case when not c.deleted then internal.changed_thing(c) end) order by c.seq), '[]')
    from (
      select * from public.user_changes where user_id = p_user_id and seq > p_after order by seq limit p_limit + 1
    ) c));
end $$;

create function internal.changed_thing(c public.user_changes) returns jsonb
language sql stable set search_path = '' as $$
  select case c.kind
    when 'session' then (
      select internal.session_json(s) from public.study_sessions s where s.session_id::text = c.entity_id)
    when 'xp' then (
      select jsonb_build_object('total_xp', total_xp, 'level', level) from public.user_stats where user_id = c.user_id)
    when 'badge' then (
      select internal.badge_json(b) || jsonb_build_object('earned_at', u.earned_at)
      from public.user_badges u join public.badges b using (badge_key)
      where u.user_id = c.user_id and u.badge_key = c.entity_id)
    when 'membership' then (
      select internal.membership_json(m) from public.space_members m
      where m.user_id = c.user_id and m.space_id = c.entity_id::uuid)
    when 'profile' then (select internal.own_profile(p) from public.profiles p where p.user_id = c.user_id)
  end
$$;

-- What becomes of an event: applied, duplicate (what it asks for is so already) or rejected, with code and message.
create type internal.event_result as (status text, error_code text, message text);

create function internal.rejected(p_code text, p_message text) returns internal.event_result
language sql immutable set search_path = '' as $$ select ('rejected', p_code, p_message)::internal.event_result $$;

create function internal.done(p_status text default 'applied') returns internal.event_result
language sql immutable set search_path = '' as $$ select (p_status, null, null)::internal.event_result $$;

-- Until when a session is known to have gone on: one that runs online until now and further; of one that is replayed,
-- the rest may still be on its way, perhaps from another phone, and only what has come is known.
create function internal.known_end(s public.study_sessions) returns timestamptz
language sql immutable set search_path = '' as $$
  select coalesce(s.ended_at, case when s.replayed then s.last_activity_at else 'infinity' end)
$$;

create function internal.overlaps_another(s public.study_sessions, p_until timestamptz) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from public.study_sessions o
    where o.user_id = s.user_id and o.session_id <> s.session_id
      and o.started_at < p_until and internal.known_end(o) > s.started_at)
$$;

-- Two clocks, or two batches of one clock, may differ by this much before sessions count as overlapping.
create function internal.clock_tolerance() returns interval
language sql immutable set search_path = '' as $$ select interval '2 minutes' $$;

-- When a session of p_user_id that seems to begin at p_at began: after the session before it, when that reaches only a
-- little beyond p_at; null when they truly overlap.
create function internal.start_beside(p_user_id uuid, p_at timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select case when coalesce(max(internal.known_end(o)), p_at) <= p_at + internal.clock_tolerance()
              then greatest(p_at, coalesce(max(internal.known_end(o)), p_at)) end
  from public.study_sessions o
  where o.user_id = p_user_id and o.started_at <= p_at and internal.known_end(o) > p_at
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
    and o.started_at < p_at and internal.known_end(o) > s.started_at
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
          coalesce((e.payload ->> 'duration_minutes')::integer, 25), v_at, v_at, true, v_background, internal.clock());
  perform internal.note_activity(v_space, e.user_id, 'session_started', jsonb_build_object('session_id', e.session_id));
  insert into public.session_events (session_id, user_id, source, event_type, occurred_at, claimed_at)
  values (e.session_id, e.user_id, 'lifecycle', 'start', v_at, e.claimed_at);
  return internal.done();
end $$;

-- A session that the schedule gave up for silent may go on: its phone was only offline.
create function internal.was_given_up(s public.study_sessions) returns boolean
language sql immutable set search_path = '' as $$
  select s.status = 'abandoned' and s.outcome ->> 'reason' = 'silent'
$$;

create function internal.reopen(s public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
begin
  update public.study_sessions set status = 'active', ended_at = null, outcome = null, replayed = true,
    background = true, updated_at = internal.clock()
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

-- By how much a client's times are corrected. A clock within half a minute is right, the rest is how long the batch was
-- under way; and whole seconds, so that batches of the same clock are corrected alike.
create function internal.clock_correction(p_difference interval) returns interval
language sql immutable set search_path = '' as $$
  select case when abs(extract(epoch from p_difference)) < 30 then interval '0'
              else coalesce(make_interval(secs => round(extract(epoch from p_difference))::double precision), interval '0') end
$$;

-- The sessions of these ids that are completed, each as `complete` answered it.
create function internal.completed_outcomes(p_user_id uuid, p_session_ids uuid[]) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(s.outcome order by s.ended_at), '[]') from public.study_sessions s
  where s.user_id = p_user_id and s.status = 'completed' and s.session_id = any (p_session_ids)
$$;

-- {"events": [{"event_id", "session_id", "event_type", "payload", "created_at", "fingerprint", "error_code"?,
-- "message"?}], "client_id"?, "sent_at"?, "mode"}. Events come checked by the service: what it could not take has an
-- error_code and is only kept. One transaction: events, their effects and their outcomes stand or fall together.
create function public.sync_offline(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz;
  v_skew interval;
  v_fresh public.sync_events[];
  v_known jsonb;
  v_new jsonb;
  v_results jsonb;
begin
  perform internal.lock_user(p_user_id);
  v_now := internal.clock();
  v_skew := internal.clock_correction(v_now - (p_args ->> 'sent_at')::timestamptz);

  with sent as (
    select (value ->> 'event_id')::uuid as event_id, value, (place)::integer as place,
           row_number() over (partition by value ->> 'event_id' order by place) as nth
    from jsonb_array_elements(p_args -> 'events') with ordinality events (value, place)
  ), known as (
    select k.* from public.sync_events k where k.user_id = p_user_id and k.event_id in (select event_id from sent)
  )
  select
    (select coalesce(jsonb_object_agg(event_id, jsonb_build_object(
       'status', case status when 'applied' then 'duplicate' else status end, 'error_code', error_code,
       'message', message, 'fingerprint', fingerprint)), '{}') from known),
    array_agg(row(
      p_user_id, s.event_id, (s.value ->> 'session_id')::uuid, s.value ->> 'event_type',
      coalesce(s.value -> 'payload', '{}'), (s.value ->> 'created_at')::timestamptz,
      (s.value ->> 'created_at')::timestamptz + v_skew, s.place, p_args ->> 'client_id', s.value ->> 'fingerprint',
      'rejected', s.value ->> 'error_code', s.value ->> 'message', v_now)::public.sync_events)
      filter (where s.nth = 1 and not exists (select from known k where k.event_id = s.event_id))
  into v_known, v_fresh from sent s;

  v_new := internal.process_events(p_user_id, coalesce(v_fresh, '{}'), p_args ->> 'mode');
  -- What was known and waiting may have been applied along with them.
  select coalesce(jsonb_object_agg(event_id, jsonb_build_object(
    'status', case status when 'applied' then 'duplicate' else status end, 'error_code', error_code,
    'message', message, 'fingerprint', fingerprint)), '{}') into v_known
  from public.sync_events
  where user_id = p_user_id and event_id in (select jsonb_object_keys(v_known)::uuid);

  -- In the order sent: a fresh event has its result; its repeat in the batch and a known one are duplicates of it, and
  -- the same id with other content is neither.
  select jsonb_agg(jsonb_build_object('event_id', event_id) || case
    when fingerprint <> coalesce(v_known -> event_id ->> 'fingerprint', first_fingerprint) then jsonb_build_object(
      'status', 'rejected', 'error_code', 'IDEMPOTENCY_KEY_REUSED', 'message', 'This event_id was used with another event.')
    when v_known ? event_id then (v_known -> event_id) - 'fingerprint'
    when nth > 1 and v_new -> event_id ->> 'status' = 'applied' then
      (v_new -> event_id) || '{"status": "duplicate"}'
    else v_new -> event_id end order by place)
  into v_results
  from (
    select value ->> 'event_id' as event_id, value ->> 'fingerprint' as fingerprint, place,
           row_number() over batch as nth, first_value(value ->> 'fingerprint') over batch as first_fingerprint
    from jsonb_array_elements(p_args -> 'events') with ordinality events (value, place)
    window batch as (partition by value ->> 'event_id' order by place)
  ) sent;

  return jsonb_build_object(
    'synced_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'applied'),
    'duplicate_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'duplicate'),
    'rejected_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'rejected'),
    'results', v_results,
    -- Numbers are handed out at the commit: from here on the client sees what this very batch changed, too.
    'last', internal.change_cursor(p_user_id),
    'sessions', internal.completed_outcomes(p_user_id, array(
      select (value ->> 'session_id')::uuid from jsonb_array_elements(p_args -> 'events')
      where value ->> 'event_type' = 'complete')));
end $$;

create function internal.rejected_json(e public.sync_events) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'event_id', e.event_id, 'session_id', e.session_id, 'event_type', e.event_type, 'event_payload', e.payload,
    'created_at', e.claimed_at, 'client_id', e.client_id, 'received_at', e.received_at,
    'status', e.status, 'error_code', e.error_code, 'message', e.message)
$$;

-- Last received first, from after (p_after_at, p_after_id). One row more than p_limit where there are more.
create function public.get_rejected_events(
  p_user_id uuid, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.rejected_json(e) order by e.received_at desc, e.event_id), '[]')
  from (
    select * from public.sync_events
    where user_id = p_user_id and status = 'rejected' and (
      p_after_id is null or received_at < p_after_at or (received_at = p_after_at and event_id > p_after_id))
    order by received_at desc, event_id limit p_limit + 1
  ) e
$$;

-- {"event_id", "mode"}: try a rejected event again, judged as when it came. What waited for it comes with it.
create function public.retry_rejected_event(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  e public.sync_events;
  v_code text;
begin
  perform internal.lock_user(p_user_id);
  select * into e from public.sync_events where user_id = p_user_id and event_id = (p_args ->> 'event_id')::uuid;
  if not found then
    perform internal.fail('SS001', 'No such event.');
  end if;
  v_code := e.error_code;
  -- What the service could not even read stays as it is; the rest is judged anew.
  if e.status = 'rejected' and v_code <> 'VALIDATION_ERROR' then
    e.error_code := null;
    perform internal.process_events(p_user_id, array[e], p_args ->> 'mode');
    select * into e from public.sync_events where user_id = p_user_id and event_id = e.event_id;
  end if;
  return internal.rejected_json(e) || jsonb_build_object(
    'sessions', internal.completed_outcomes(p_user_id, array[e.session_id]));
end $$;

create function public.get_sync_status(p_user_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'client_id', p_client_id, 'last_synced_at', max(received_at), 'last_event_at', max(claimed_at),
    'applied_count', count(*) filter (where status = 'applied'),
    'rejected_count', count(*) filter (where status = 'rejected'),
    'last', internal.change_cursor(p_user_id))
  from public.sync_events where user_id = p_user_id and (p_client_id is null or client_id = p_client_id)
$$;

-- An event that is older than 30 days is refused for its age, so what is known of it is needed no longer.
create function public.purge_sync_events() returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_count integer;
begin
  delete from public.sync_events where received_at < internal.clock() - interval '62 days';
  get diagnostics v_count = row_count;
  return v_count;
end $$;

select internal.lock_down();
