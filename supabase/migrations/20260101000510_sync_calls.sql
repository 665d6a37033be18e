-- What clients and the schedule ask of offline sync (CONTRACT: "Offline sync").

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

-- What a call paid, repeats of what was paid before aside: for the operators' figures.
create function internal.earned(p_before public.user_stats, p_after public.user_stats) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object('xp_awarded', p_after.total_xp - p_before.total_xp,
                            'completed_count', p_after.completed_sessions - p_before.completed_sessions)
$$;

-- {"events": [{"event_id", "session_id", "event_type", "payload", "created_at", "fingerprint", "error_code"?,
-- "message"?}], "client_id"?, "sent_at"?, "mode"}. Events come checked by the service: what it could not take has an
-- error_code and is only kept. One transaction: events, their effects and their outcomes stand or fall together.
create function public.sync_offline(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_before public.user_stats := internal.lock_user(p_user_id);
  v_after public.user_stats;
  v_now timestamptz := internal.clock();
  v_skew interval := internal.clock_correction(v_now - (p_args ->> 'sent_at')::timestamptz);
  v_fresh public.sync_events[];
  v_known jsonb;
  v_new jsonb;
  v_results jsonb;
  v_sessions uuid[];
begin
  with sent as (
    select (value ->> 'event_id')::uuid as event_id, value, (place)::integer as place,
           row_number() over (partition by value ->> 'event_id' order by place) as nth
    from jsonb_array_elements(p_args -> 'events') with ordinality events (value, place)
  ), known as (
    select k.event_id, k as event from public.sync_events k
    where k.user_id = p_user_id and k.event_id in (select event_id from sent)
  )
  select
    (select coalesce(jsonb_object_agg(event_id, null::text), '{}') from known),
    array_agg(case when k.event_id is not null then k.event else row(
      p_user_id, s.event_id, (s.value ->> 'session_id')::uuid, s.value ->> 'event_type',
      coalesce(s.value -> 'payload', '{}'), (s.value ->> 'created_at')::timestamptz,
      (s.value ->> 'created_at')::timestamptz + v_skew, s.place, p_args ->> 'client_id', s.value ->> 'fingerprint',
      'rejected', s.value ->> 'error_code', s.value ->> 'message', v_now)::public.sync_events end)
      -- What waits for its start is looked at once more: that may have come with more than could be taken at once.
      filter (where s.nth = 1 and (k.event_id is null or (k.event).error_code = 'SESSION_NOT_FOUND'))
  into v_known, v_fresh from sent s left join known k using (event_id);

  -- A start may bring the rest of its session along, and end another one that had fallen silent.
  v_sessions := array(
    select session_id from public.study_sessions where user_id = p_user_id and status = 'active'
    union
    select (value ->> 'session_id')::uuid from jsonb_array_elements(p_args -> 'events')
    except
    select session_id from public.study_sessions where user_id = p_user_id and status = 'completed');
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

  select * into v_after from public.user_stats where user_id = p_user_id;
  return internal.earned(v_before, v_after) || jsonb_build_object(
    'synced_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'applied'),
    'duplicate_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'duplicate'),
    'rejected_count', (select count(*) from jsonb_array_elements(v_results) r where r ->> 'status' = 'rejected'),
    'results', v_results,
    -- Numbers are handed out at the commit: from here on the client sees what this very batch changed, too.
    'last', internal.change_cursor(p_user_id),
    'sessions', internal.completed_outcomes(p_user_id, v_sessions || array(
      select (value ->> 'session_id')::uuid from jsonb_array_elements(p_args -> 'events')
      where value ->> 'event_type' in ('start', 'complete'))));
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
  v_before public.user_stats := internal.lock_user(p_user_id);
  v_after public.user_stats;
  e public.sync_events;
  v_code text;
begin
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
  select * into v_after from public.user_stats where user_id = p_user_id;
  return internal.earned(v_before, v_after) || internal.rejected_json(e) || jsonb_build_object(
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
create function public.purge_sync_events(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  select internal.purge('public.sync_events', 'received_at', interval '62 days', p_limit)
$$;

select internal.lock_down();
