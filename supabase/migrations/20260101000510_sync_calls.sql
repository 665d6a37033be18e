-- Offline sync calls for clients and the schedule (docs/contract.md: "Offline sync").

-- How many seconds the clock of a batch's client is behind, and what this batch itself shows (null: nothing). A batch shows
-- its arrival time minus sent_at. Transit only ever adds to that, so the smallest value of the last day counts. An offset
-- larger than is likely is believed only if the newest event is as new as sent_at or lies in the future.
create function internal.clock_offset(
  p_user_id uuid, p_args jsonb, p_now timestamptz, out seconds integer, out shown integer)
language plpgsql stable set search_path = '' as $$
declare
  v_sent_at timestamptz := (p_args ->> 'sent_at')::timestamptz;
  v_seen integer := round(extract(epoch from p_now - v_sent_at));
  v_known integer := (
    select clock_offset from public.sync_clients
    where user_id = p_user_id and client_id = p_args ->> 'client_id' and clock_at > p_now - interval '24 hours');
  v_newest timestamptz := (
    select max((value ->> 'created_at')::timestamptz) from jsonb_array_elements(p_args -> 'events'));
  likely constant integer := 15 * 60;
begin
  if abs(v_seen) <= likely or v_newest > p_now + internal.clock_tolerance()
      or v_newest between v_sent_at - interval '5 minutes' and v_sent_at + interval '5 minutes' then
    shown := v_seen;
  end if;
  -- If the clock now seems right, it has been corrected.
  seconds := coalesce(case when abs(shown) <= likely and abs(v_known) > likely then shown else least(shown, v_known) end, 0);
end $$;

-- The outcomes of those sessions that are completed, each as `complete` returned it.
create function internal.completed_outcomes(p_user_id uuid, p_session_ids uuid[]) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(internal.session_outcome(s) order by s.ended_at), '[]') from public.study_sessions s
  where s.user_id = p_user_id and s.status = 'completed' and s.session_id = any (p_session_ids)
$$;

-- XP awarded by this call, not counting earlier payments: for the operators' metrics.
create function internal.xp_gained(p_before public.user_stats, p_after public.user_stats) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('xp_awarded', p_after.total_xp - p_before.total_xp,
                            'completed_count', p_after.completed_sessions - p_before.completed_sessions)
$$;

-- The events of a batch as sent: the first for each id and content.
create function internal.parse_batch(p_args jsonb, p_now timestamptz, p_offset integer) returns setof internal.sync_event
language sql stable set search_path = '' as $$
  select distinct on (value ->> 'event_id', value ->> 'fingerprint')
    (value ->> 'event_id')::uuid, (value ->> 'session_id')::uuid, value ->> 'event_type',
    coalesce(value -> 'payload', '{}'), (value ->> 'created_at')::timestamptz,
    (value ->> 'created_at')::timestamptz + make_interval(secs => p_offset),
    position::integer, p_args ->> 'client_id', value ->> 'fingerprint', value ->> 'error_code', value ->> 'message', p_now,
    null::uuid, false
  from jsonb_array_elements(p_args -> 'events') with ordinality events (value, position)
  order by value ->> 'event_id', value ->> 'fingerprint', position
$$;

-- An event whose id belongs to another event, to be stored under an id derived from its content.
create function internal.reused_event(p_event internal.sync_event) returns internal.sync_event
language sql immutable set search_path = '' as $$
  select row(md5(p_event.event_id::text || p_event.fingerprint)::uuid, p_event.session_id, p_event.event_type, p_event.payload, p_event.claimed_at, p_event.occurred_at,
             p_event.position, p_event.client_id, p_event.fingerprint, 'IDEMPOTENCY_KEY_REUSED', 'This event_id was used with another event.',
             p_event.received_at, p_event.event_id, false)::internal.sync_event
$$;

-- Whether a known event is the one that was sent, not another with the same id. Events of clients that send no ids are
-- matched by content (no fingerprint).
create function internal.same_event(p_known public.session_events, p_event internal.sync_event) returns boolean
language sql immutable set search_path = '' as $$
  select p_known.session_id = p_event.session_id and p_known.event_type = p_event.event_type
    and p_known.claimed_at = p_event.claimed_at
    and (p_event.fingerprint = ''
      or p_known.payload - '{focus_seconds,reason}'::text[] = p_event.payload - '{focus_seconds,reason}'::text[])
$$;

-- The events of a batch that were applied before, and whether they are the same.
create function internal.applied_events(p_user_id uuid, p_events internal.sync_event[])
returns table (batch_position integer, same boolean)
language sql stable set search_path = '' as $$
  with candidates as materialized (
    select e::internal.sync_event as event, e.event_id as known_as from unnest(p_events) e
    union all
    select e, internal.archived_id(e.session_id, e.claimed_at) from unnest(p_events) e where e.event_type = 'heartbeat'
  ), archived as materialized (
    select a.* from public.study_sessions s cross join lateral internal.archived_events(s) a
    where s.user_id = p_user_id and s.archived and s.session_id in (select session_id from unnest(p_events))
  )
  select (c.event).position, internal.same_event(k, c.event) from candidates c
  join public.session_events k on k.user_id = p_user_id and k.event_id = c.known_as
  union all
  select (c.event).position, internal.same_event(
    row(k.user_id, k.event_id, k.session_id, k.seq, k.occurred_at, k.claimed_at, k.source, k.event_type,
        k.payload)::public.session_events, c.event)
  from candidates c join archived k on k.event_id = c.known_as
$$;

-- The known results of a batch's events, {position: {"status", "error_code", "message"}}: applied before, or rejected.
create function internal.known_results(p_user_id uuid, p_events internal.sync_event[]) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(position, case when same
    then jsonb_build_object('status', status, 'error_code', error_code, 'message', message)
    else jsonb_build_object('status', 'rejected', 'error_code', 'IDEMPOTENCY_KEY_REUSED',
                            'message', 'This event_id was used with another event.') end), '{}')
  from (
    select e.position, case when k.error_code is null then 'duplicate' else 'rejected' end as status, k.error_code, k.message,
           -- An event that had been applied before is matched by content.
           k.fingerprint = e.fingerprint or k.fingerprint = '-' and (k.session_id, k.event_type, k.claimed_at, k.payload)
             = (e.session_id, e.event_type, e.claimed_at, e.payload) as same
    from unnest(p_events) e join public.rejected_events k on k.user_id = p_user_id and k.event_id = e.event_id
    union all
    select a.batch_position, 'duplicate', null, null, a.same from internal.applied_events(p_user_id, p_events) a
  ) known
$$;

-- Charge a batch to the account's quota. Returns its events; those that can never be applied keep their payload only up to
-- 256 KiB a day.
create function internal.consume_batch_quota(p_user_id uuid, p_events internal.sync_event[])
returns internal.sync_event[]
language plpgsql set search_path = '' as $$
declare
  v_useless bigint;
  v_before bigint;
begin
  select coalesce(sum(octet_length(payload::text)) filter (where error_code is not null), 0) into v_useless
  from unnest(p_events);
  select internal.consume_quota(
    p_user_id, count(*)::integer, coalesce(sum(octet_length(payload::text)) filter (where error_code is null), 0)::bigint,
    count(*) filter (where event_type = 'start')::integer, v_useless) into v_before
  from unnest(p_events);
  if v_before + v_useless <= 256 * 1024 then
    return p_events;
  end if;
  return array(
    select row(event_id, session_id, event_type, case when error_code is null then payload else '{}' end, claimed_at,
               occurred_at, position, client_id, fingerprint, error_code, message, received_at, sent_as, waits)::internal.sync_event
    from unnest(p_events));
end $$;

-- Record what the server received from a client and what its clock showed (null: nothing). Keeps the account's hundred most
-- recently seen clients.
create function internal.record_client(
  p_user_id uuid, p_client_id text, p_applied bigint, p_last_event_at timestamptz, p_now timestamptz,
  p_offset integer default null, p_shown integer default null) returns void
language sql volatile set search_path = '' as $$
  insert into public.sync_clients as c (user_id, client_id, last_synced_at, last_event_at, applied_count, clock_offset, clock_at)
  values (p_user_id, coalesce(p_client_id, ''), p_now, p_last_event_at, p_applied, p_shown,
          case when p_shown is not null then p_now end)
  on conflict (user_id, client_id) do update set
    last_synced_at = excluded.last_synced_at, last_event_at = greatest(c.last_event_at, excluded.last_event_at),
    applied_count = c.applied_count + excluded.applied_count,
    -- Remember only the offset in use, and when it was last seen.
    clock_offset = case when p_shown = p_offset then p_shown else c.clock_offset end,
    clock_at = case when p_shown = p_offset then p_now else c.clock_at end;
  delete from public.sync_clients where user_id = p_user_id and client_id in (
    select client_id from public.sync_clients where user_id = p_user_id order by last_synced_at desc offset 100)
$$;

-- One result per sent event, in the order sent: a new event (of p_sent) gets its own result; a repeat within the batch or a
-- known event is a duplicate; the same id with other content is rejected.
create function internal.batch_results(p_args jsonb, p_sent internal.sync_event[], p_known jsonb, p_new jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('event_id', s.event_id) || case
    when events.value ->> 'fingerprint' <> s.fingerprint then jsonb_build_object(
      'status', 'rejected', 'error_code', 'IDEMPOTENCY_KEY_REUSED', 'message', 'This event_id was used with another event.')
    when result.value ->> 'status' = 'applied' and (events.position <> s.position or p_known ? s.event_id::text)
      then result.value || '{"status": "duplicate"}'
    else result.value end order by events.position)
  from jsonb_array_elements(p_args -> 'events') with ordinality events (value, position)
  join unnest(p_sent) s on s.event_id = (events.value ->> 'event_id')::uuid
  cross join lateral (
    select coalesce(p_new -> s.event_id::text, p_known -> s.event_id::text) as value) result
$$;

-- Sort a batch's events: `sent` has each id once, `known` the results of those sent before, by id, `fresh` the new ones, and
-- `reused` those under another event's id.
create function internal.sort_batch(
  p_user_id uuid, p_events internal.sync_event[], out sent internal.sync_event[], out known jsonb,
  out fresh internal.sync_event[], out reused internal.sync_event[])
language plpgsql stable set search_path = '' as $$
declare
  v_known_places jsonb := internal.known_results(p_user_id, p_events);
begin
  -- If one id has several contents, the known one counts, otherwise the first.
  sent := array(
    select distinct on (event_id) e from unnest(p_events) e
    order by event_id, v_known_places -> position::text ->> 'error_code' is not distinct from 'IDEMPOTENCY_KEY_REUSED', position);
  known := (
    select coalesce(jsonb_object_agg(event_id, v_known_places -> position::text), '{}') from unnest(sent)
    where v_known_places ? position::text);
  fresh := array(select e from unnest(sent) e where not known ? e.event_id::text);
  reused := array(
    select r from unnest(p_events) e cross join lateral internal.reused_event(e) r
    where (v_known_places -> e.position::text ->> 'error_code' = 'IDEMPOTENCY_KEY_REUSED'
           or e.position not in (select position from unnest(sent)))
      and not exists (select from public.rejected_events k where k.user_id = p_user_id and k.event_id = r.event_id));
end $$;

-- {"events": [{"event_id", "session_id", "event_type", "payload", "created_at", "fingerprint", "error_code"?, "message"?}],
-- "client_id"?, "sent_at"?, "mode"}. The service has validated the events: an invalid one has an error_code and is only
-- stored. Events, effects and outcomes commit or roll back in one transaction.
create function public.sync_offline(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_before public.user_stats := internal.lock_user(p_user_id);
  v_after public.user_stats;
  v_now timestamptz := internal.clock();
  v_clock record := internal.clock_offset(p_user_id, p_args, v_now);
  v_batch record := internal.sort_batch(
    p_user_id, array(select e from internal.parse_batch(p_args, v_now, v_clock.seconds) e));
  v_sent internal.sync_event[] := v_batch.sent;
  v_fresh internal.sync_event[];
  v_sessions uuid[];
  v_new jsonb;
  v_results jsonb;
begin
  v_fresh := internal.consume_batch_quota(p_user_id, v_batch.fresh || v_batch.reused);
  -- A start may bring in the rest of its session and end the active one.
  v_sessions := array(
    select session_id from unnest(v_sent)
    union
    select session_id from public.study_sessions where user_id = p_user_id and status = 'active' and not background
    except
    select session_id from public.study_sessions
    where user_id = p_user_id and status = 'completed' and session_id in (select session_id from unnest(v_sent)));
  -- Judge waiting events again: their session may have started online.
  v_new := internal.process_events(p_user_id, v_fresh || array(
    select internal.judged_anew(k) from public.rejected_events k
    where k.user_id = p_user_id and k.waits and k.event_id in (select event_id from unnest(v_sent))), p_args ->> 'mode');
  v_results := internal.batch_results(p_args, v_sent, v_batch.known, v_new);
  perform internal.record_client(
    p_user_id, p_args ->> 'client_id',
    (select count(*) from unnest(v_fresh) where v_new -> event_id::text ->> 'status' <> 'rejected'),
    (select max(claimed_at) from unnest(v_sent)), v_now, v_clock.seconds, v_clock.shown);

  select * into v_after from public.user_stats where user_id = p_user_id;
  return internal.xp_gained(v_before, v_after) || jsonb_build_object(
    'synced_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'applied'),
    'duplicate_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'duplicate'),
    'rejected_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'rejected'),
    'results', v_results, 'clock_offset_seconds', v_clock.seconds,
    -- Change numbers are assigned at commit, so from here on the client also sees the changes of this batch.
    'last', internal.change_cursor(p_user_id),
    'sessions', internal.completed_outcomes(p_user_id, v_sessions || array(
      select session_id from unnest(v_sent) where event_type in ('start', 'complete')
      union
      select session_id from public.study_sessions
      where user_id = p_user_id and session_id in (select session_id from unnest(v_fresh)))));
end $$;
comment on function public.sync_offline is 'Apply a batch of offline events in one transaction.';

create function internal.rejected_json(p_event public.rejected_events) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'event_id', coalesce(p_event.sent_as, p_event.event_id), 'session_id', p_event.session_id,
    'event_type', p_event.event_type, 'event_payload', p_event.payload,
    'created_at', p_event.claimed_at, 'client_id', p_event.client_id, 'received_at', p_event.received_at,
    'status', case when p_event.error_code is null then 'applied' else 'rejected' end,
    'error_code', p_event.error_code, 'message', p_event.message)
$$;

-- Most recently received first, after (p_after_at, p_after_id). One extra row if there are more than p_limit.
create function public.get_rejected_events(
  p_user_id uuid, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.rejected_json(e) order by e.received_at desc, coalesce(e.sent_as, e.event_id), e.event_id), '[]')
  from (
    select * from public.rejected_events
    where user_id = p_user_id and error_code is not null and (
      p_after_id is null or received_at < p_after_at
      or (received_at = p_after_at and coalesce(sent_as, event_id) > p_after_id))
    order by received_at desc, coalesce(sent_as, event_id), event_id limit p_limit + 1
  ) e
$$;
comment on function public.get_rejected_events is 'A page of the caller''s rejected events, newest first.';

-- {"event_id", "mode"}: retry a rejected event, judged as on arrival, along with those that wait for it.
create function public.retry_rejected_event(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_before public.user_stats := internal.lock_user(p_user_id);
  v_after public.user_stats;
  v_event public.rejected_events;
  v_result jsonb;
begin
  select * into v_event from public.rejected_events
  where user_id = p_user_id and event_id = (p_args ->> 'event_id')::uuid;
  if not found then
    perform internal.fail('SS001', 'No such event.');
  end if;
  -- Events that the service could not read stay rejected; others are judged again.
  if v_event.error_code is not null and (v_event.waits or v_event.error_code not in ('VALIDATION_ERROR', 'IDEMPOTENCY_KEY_REUSED')) then
    v_result := internal.process_events(p_user_id, array[internal.judged_anew(v_event)], p_args ->> 'mode') -> v_event.event_id::text;
    v_event.error_code := v_result ->> 'error_code';
    v_event.message := v_result ->> 'message';
  end if;
  if v_result ->> 'status' <> 'rejected' then
    v_event.waits := false;
    insert into public.rejected_events select v_event.* on conflict do nothing;
    perform internal.record_client(p_user_id, v_event.client_id, 1, v_event.claimed_at, internal.clock());
  end if;
  select * into v_after from public.user_stats where user_id = p_user_id;
  return internal.xp_gained(v_before, v_after) || internal.rejected_json(v_event) || jsonb_build_object(
    'sessions', internal.completed_outcomes(p_user_id, array[v_event.session_id]));
end $$;
comment on function public.retry_rejected_event is 'Retry a rejected event.';

create function public.get_sync_status(p_user_id uuid, p_client_id text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'client_id', p_client_id, 'last_synced_at', max(last_synced_at), 'last_event_at', max(last_event_at),
    'applied_count', coalesce(sum(applied_count), 0),
    'rejected_count', (
      select count(*) from public.rejected_events
      where user_id = p_user_id and error_code is not null and (p_client_id is null or client_id = p_client_id)),
    'last', internal.change_cursor(p_user_id))
  from public.sync_clients where user_id = p_user_id and (p_client_id is null or client_id = p_client_id)
$$;
comment on function public.get_sync_status is 'What the server has received from the caller''s clients.';

-- Events older than 30 days are rejected for their age, so stored rejections are no longer needed after that.
create function public.purge_sync_events(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  select internal.purge('public.rejected_events', 'received_at', interval '32 days', p_limit)
$$;
comment on function public.purge_sync_events is
  'Delete rejected events after 32 days, at most p_limit; returns how many.';

select internal.lock_down();
