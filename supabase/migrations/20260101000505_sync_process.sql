-- Judge and apply the events of batches (docs/contract.md: "Offline sync").

-- Record accepted signs of life, session by session.
create function internal.record_pending_events(p_pending internal.client_event[]) returns void
language sql volatile set search_path = '' as $$
  select internal.record_client_events(session_id, marks) from (
    select session_id, array_agg(
      row(session_id, event_id, event_type, occurred_at, claimed_at, payload)::internal.client_event
      order by occurred_at, ordinality) as marks
    from unnest(p_pending) with ordinality group by session_id) sessions
$$;

-- The events to judge with p_events: also up to 5,000 per call that wait for what these bring, and starts that waited for
-- another session to end.
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

-- Events in the order in which they happened. A session's start precedes its own events even if it seems slightly later.
-- Events at the same moment are grouped by session, earlier sessions first.
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

-- Store newly rejected events, up to the daily limit, and delete stored ones that are now applied. Returns {event_id: its
-- result}.
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

-- Whether a session has room for a sign of life in addition to its pending ones, p_pending: [events, breaks].
create function internal.capacity_result(p_session public.study_sessions, p_event_type text, p_pending jsonb) returns internal.event_result
language sql immutable set search_path = '' as $$
  select case when p_session.progress is null or internal.has_event_capacity(
                p_session, p_event_type, coalesce((p_pending ->> 0)::integer, 0), coalesce((p_pending ->> 1)::integer, 0))
              then internal.success_result()
              else internal.rejection_result('SESSION_EVENT_LIMIT', 'This session has reached its maximum number of events.') end
$$;

create function internal.count_mark(p_counts jsonb, p_session_id uuid, p_event_type text) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_set(p_counts, array[p_session_id::text], jsonb_build_array(
    coalesce((p_counts -> p_session_id::text ->> 0)::integer, 0) + 1,
    coalesce((p_counts -> p_session_id::text ->> 1)::integer, 0)
      + (p_event_type in ('break_start', 'break_end'))::integer))
$$;

-- Rerate sessions that their client completed and that received more signs of life, in order of their starts.
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

-- Whether the user has starts that wait for another session to end.
create function internal.has_waiting_starts(p_user_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from public.rejected_events
                 where user_id = p_user_id and event_type = 'start' and error_code is not null and waits)
$$;

-- Lock the spaces of the events' sessions before the session rows, in the same order as deleting spaces does.
create function internal.lock_event_spaces(p_user_id uuid, p_events internal.sync_event[]) returns void
language plpgsql set search_path = '' as $$
begin
  perform from public.spaces where space_id in (
    select s.space_id from public.study_sessions s join internal.events_to_judge(p_user_id, p_events) e using (session_id)
    where s.user_id = p_user_id)
  order by space_id for key share;
end $$;

-- The event as recorded in its session, never before the session's start.
create function internal.to_client_event(p_event internal.sync_event, p_session public.study_sessions)
returns internal.client_event
language sql immutable set search_path = '' as $$
  select row(p_event.session_id, p_event.event_id, p_event.event_type, greatest(p_event.occurred_at, p_session.started_at),
             p_event.claimed_at, p_event.payload)::internal.client_event
$$;

-- p_refused plus a rejected start, whose reason its session's other events inherit. A start without a session adds nothing.
create function internal.add_refused_start(p_refused jsonb, p_event internal.sync_event) returns jsonb
language sql immutable set search_path = '' as $$
  select case when p_event.event_type = 'start' and p_event.error_code is not null and p_event.session_id is not null
              then p_refused || jsonb_build_object(p_event.session_id, jsonb_build_object(
                'error_code', p_event.error_code, 'message', p_event.message))
              else p_refused end
$$;

-- Judge events in the order in which they happened, apply them and store the rejected ones. Signs of life are recorded
-- together, before any event that needs the session's progress. Completed sessions that received some are rerated at the
-- end. Returns {event_id: {"status", "error_code", "message"}}.
create function internal.process_events(p_user_id uuid, p_events internal.sync_event[], p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_account_at timestamptz := (select created_at from public.profiles where user_id = p_user_id);
  v_event internal.sync_event;
  v_session public.study_sessions;
  v_result internal.event_result;
  v_refused jsonb := jsonb '{}';  -- rejected starts, by session
  v_pending internal.client_event[] := array[]::internal.client_event[];
  v_counts jsonb := jsonb '{}';   -- pending events and breaks, by session
  v_rated uuid[] := array[]::uuid[];
  v_ended boolean := false;
  v_done internal.sync_event[] := array[]::internal.sync_event[];
  v_statuses text[] := array[]::text[];
begin
  perform internal.lock_event_spaces(p_user_id, p_events);
  for v_event in select * from internal.ordered_events(p_user_id, p_events) loop
    v_result := internal.event_error(v_event, v_account_at);
    if v_result is null then
      v_event.occurred_at := greatest(v_event.occurred_at, v_account_at);
      if v_event.event_type in ('start', 'complete', 'abandon') then
        perform internal.record_pending_events(v_pending);
        v_pending := array[]::internal.client_event[];
        v_counts := jsonb '{}';
      end if;
      select * into v_session from public.study_sessions where session_id = v_event.session_id and user_id = p_user_id;
      v_result := case when v_event.event_type = 'start' then internal.apply_start(p_user_id, v_event, p_mode)
                       when found then internal.order_error(v_session, v_event)
                       else internal.missing_session(p_user_id, v_event.session_id, v_refused) end;
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
        v_pending := v_pending || internal.to_client_event(v_event, v_session);
        v_counts := internal.count_mark(v_counts, v_session.session_id, v_event.event_type);
      end if;
    end if;
    -- A start may have ended the session that others wait for.
    v_ended := v_ended or (v_event.event_type = 'start' and v_result.status = 'applied');
    v_event.error_code := v_result.error_code;
    v_event.message := v_result.message;
    v_event.waits := v_result.waits;
    v_refused := internal.add_refused_start(v_refused, v_event);
    v_done := v_done || v_event;
    v_statuses := v_statuses || v_result.status;
  end loop;
  perform internal.record_pending_events(v_pending);
  perform internal.rate_again(v_rated, p_mode);
  return internal.record_results(p_user_id, v_done, v_statuses) || case
    when v_ended and internal.has_waiting_starts(p_user_id) then internal.process_events(p_user_id, '{}', p_mode)
    else jsonb '{}' end;
end $$;

-- After a session of the user has ended, judge the starts that waited for it again, with their sessions' events. Returns
-- results like process_events.
create function internal.judge_waiting(p_user_id uuid, p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
begin
  if internal.has_waiting_starts(p_user_id) then
    return internal.process_events(p_user_id, '{}', p_mode);
  end if;
  return jsonb '{}';
end $$;

select internal.lock_down();
