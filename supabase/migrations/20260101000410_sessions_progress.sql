-- Session progress: running totals, so that the cost of an event does not grow with the number before it (docs/contract.md:
-- "Sessions").

-- A client event to be recorded in its session: a sign of life, a break or a note.
create type internal.client_event as (
  session_id uuid, event_id uuid, event_type text, occurred_at timestamptz, claimed_at timestamptz, payload jsonb);
comment on type internal.client_event is 'An event of a client that is about to be recorded in its session.';

-- More than anyone needs in 12 hours at one event per second. Breaks have a lower limit, because each one recounts them all.
create function internal.max_session_events() returns integer
language sql immutable set search_path = '' as $$ select 50000 $$;

create function internal.max_session_breaks() returns integer
language sql immutable set search_path = '' as $$ select 2000 $$;

-- How far two clocks, or two batches from one clock, may differ before sessions count as overlapping.
create function internal.clock_tolerance() returns interval
language sql immutable set search_path = '' as $$ select interval '2 minutes' $$;

-- The time that counts after a sign of life, whether another one follows or not.
create function internal.credit_window(p_at timestamptz) returns tstzmultirange
language sql immutable set search_path = '' as $$
  select tstzmultirange(tstzrange(p_at, p_at + interval '5 minutes'))
$$;

-- The progress of a session that starts at p_at; its client claims p_claimed_at.
create function internal.initial_progress(p_at timestamptz, p_claimed_at timestamptz default null)
returns internal.session_progress
language sql immutable set search_path = '' as $$
  select row(internal.credit_window(p_at), '{}', 0, 0, true, 0, 0, 0, 0, 0, 0,
             abs(extract(epoch from p_claimed_at - p_at)), p_claimed_at, p_claimed_at)::internal.session_progress
$$;

-- The first p_seconds of the given time.
create function internal.first_seconds(p_time tstzmultirange, p_seconds numeric) returns tstzmultirange
language sql immutable set search_path = '' as $$
  select case when internal.seconds_of(p_time) <= p_seconds then p_time else (
    select coalesce(range_agg(tstzrange(lower(stretch), least(
      upper(stretch), lower(stretch) + make_interval(secs => (p_seconds - before)::float8)))), '{}')
    from (
      select stretch, coalesce(sum(extract(epoch from upper(stretch) - lower(stretch))) over (
               order by lower(stretch) rows between unbounded preceding and 1 preceding), 0) as before
      from unnest(p_time) stretch
    ) stretches
    where before < p_seconds) end
$$;

-- The countable time of a session from p_from until p_until: the time covered by signs of life, less breaks, within 24
-- hours; at most the first 12 hours of that.
create function internal.countable(p internal.session_progress, p_from timestamptz, p_until timestamptz) returns tstzmultirange
language sql immutable set search_path = '' as $$
  select internal.first_seconds(
    p.active_ranges * tstzmultirange(tstzrange(p_from, greatest(p_from, least(p_until, p_from + interval '24 hours')))) - p.break_ranges, 43200)
$$;

-- The same in whole seconds.
create function internal.credited_seconds(p internal.session_progress, p_from timestamptz, p_until timestamptz) returns integer
language sql immutable set search_path = '' as $$
  select floor(internal.seconds_of(internal.countable(p, p_from, p_until)))::integer
$$;

-- Breaks from their start and end events: each lasts from its start until the next start or end. A moment with both changes
-- nothing, whichever came first.
create function internal.breaks_between(p_at timestamptz[], p_types text[]) returns tstzmultirange
language sql immutable set search_path = '' as $$
  select coalesce(range_agg(tstzrange(at, until)) filter (where event_type = 'break_start'), '{}')
  from (
    select event_type, at, lead(at) over (order by at) as until
    from (
      select at, min(event_type) as event_type from unnest(p_at, p_types) turns (at, event_type)
      group by 1 having min(event_type) = max(event_type)
    ) moments
  ) turns
$$;

create function internal.session_breaks(p_session_id uuid) returns tstzmultirange
language sql stable set search_path = '' as $$
  select internal.breaks_between(array_agg(occurred_at), array_agg(event_type)) from public.session_events
  where session_id = p_session_id and event_type in ('break_start', 'break_end')
$$;

-- p_progress plus p_events, all from one session and ordered by time; breaks are not updated. p_last_at is the session's
-- last sign of life, p_last_heartbeat_at its last heartbeat.
create function internal.advance_progress(
  p_progress internal.session_progress, p_events internal.client_event[], p_last_at timestamptz,
  p_last_heartbeat_at timestamptz) returns internal.session_progress
language plpgsql immutable set search_path = '' as $$
declare
  v_added record;
begin
  select range_agg(tstzrange(at, at + interval '5 minutes')) as active_ranges, count(*) as events,
         count(*) filter (where event_type in ('break_start', 'break_end')) as breaks,
         bool_and(at >= at_before and (claim is null or claim_before is null or claim > claim_before)) as in_order,
         count(gap) as intervals, coalesce(sum(gap), 0) as seconds, coalesce(sum(gap * gap), 0) as squares,
         count(*) filter (where gap < 1) as rapid, max(abs(extract(epoch from claim - at))) as skew,
         min(claim) as first_claim, max(claim) as last_claim
  into v_added
  from (
    select m.event_type, m.occurred_at as at, m.claimed_at as claim,
           coalesce(lag(m.occurred_at) over walk, p_last_at) as at_before,
           greatest(p_progress.last_claim, max(m.claimed_at) over before) as claim_before,
           case when m.event_type = 'heartbeat' then extract(epoch from m.occurred_at - coalesce(
             max(m.occurred_at) filter (where m.event_type = 'heartbeat') over before, p_last_heartbeat_at))::float8 end as gap
    from unnest(p_events) with ordinality m
    window walk as (order by m.ordinality), before as (walk rows between unbounded preceding and 1 preceding)
  ) events;
  return row(
    p_progress.active_ranges + v_added.active_ranges, p_progress.break_ranges, p_progress.events + v_added.events,
    p_progress.breaks + v_added.breaks, p_progress.in_order and v_added.in_order, p_progress.intervals + v_added.intervals,
    p_progress.interval_seconds + v_added.seconds, p_progress.interval_squares + v_added.squares,
    p_progress.rapid_intervals + v_added.rapid, p_progress.disordered_claims, p_progress.repeated_claims,
    greatest(p_progress.skew_seconds, v_added.skew), least(p_progress.first_claim, v_added.first_claim),
    greatest(p_progress.last_claim, v_added.last_claim))::internal.session_progress;
end $$;

-- Recalculate a session's progress from all its events: once for a session with out-of-order events or one that continues
-- after it had ended.
create function internal.recalculate_progress(p_session public.study_sessions) returns internal.session_progress
language plpgsql stable set search_path = '' as $$
declare
  v_first public.session_events;
  v_events internal.client_event[];
  v_progress internal.session_progress;
begin
  select * into v_first from public.session_events
  where session_id = p_session.session_id and event_type = 'start' order by seq limit 1;
  select array_agg(row(session_id, event_id, event_type, occurred_at, claimed_at, payload)::internal.client_event
                   order by occurred_at, seq)
  into v_events from public.session_events where session_id = p_session.session_id and source = 'client';
  v_progress := internal.initial_progress(p_session.started_at, v_first.claimed_at);
  if v_events is null then
    return v_progress;
  end if;
  v_progress := internal.advance_progress(v_progress, v_events, p_session.started_at, null);
  v_progress.break_ranges := internal.session_breaks(p_session.session_id);
  select count(*) filter (where claimed_at < claimed_before), count(*) - count(distinct (event_type, claimed_at))
  into v_progress.disordered_claims, v_progress.repeated_claims
  from (
    select event_type, claimed_at, lag(claimed_at) over (order by occurred_at, seq) as claimed_before
    from public.session_events
    where session_id = p_session.session_id and claimed_at is not null and event_type not in ('complete', 'abandon')
  ) claims;
  return v_progress;
end $$;

-- Running totals are exact if all events came in order; otherwise recalculate.
create function internal.exact_progress(p_session public.study_sessions) returns internal.session_progress
language plpgsql stable set search_path = '' as $$
begin
  if (p_session.progress).in_order then
    return p_session.progress;
  end if;
  return internal.recalculate_progress(p_session);
end $$;

-- Record client events of one session, ordered by time, and update the session; returns it. The caller decides what they
-- change in a session that has ended.
create function internal.record_client_events(p_session_id uuid, p_events internal.client_event[])
returns public.study_sessions
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_progress internal.session_progress;
  v_last timestamptz := p_events[cardinality(p_events)].occurred_at;
  v_last_heartbeat timestamptz := (select max(occurred_at) from unnest(p_events) where event_type = 'heartbeat');
begin
  select * into v_session from public.study_sessions where session_id = p_session_id;
  insert into public.session_events (user_id, event_id, session_id, source, event_type, occurred_at, claimed_at, payload)
  select v_session.user_id, event_id, v_session.session_id, 'client', event_type, occurred_at, claimed_at, payload
  from unnest(p_events) with ordinality order by ordinality;
  v_progress := internal.advance_progress(
    v_session.progress, p_events, v_session.last_activity_at, v_session.last_heartbeat_at);
  if v_progress.breaks > (v_session.progress).breaks then
    v_progress.break_ranges := internal.session_breaks(v_session.session_id);
  end if;
  update public.study_sessions set
    progress = v_progress, last_activity_at = greatest(last_activity_at, v_last),
    last_heartbeat_at = greatest(last_heartbeat_at, v_last_heartbeat),
    focus_seconds = case when status = 'active'
      then internal.credited_seconds(v_progress, started_at, greatest(last_activity_at, v_last)) else focus_seconds end,
    updated_at = internal.clock()
  where session_id = v_session.session_id returning * into v_session;
  return v_session;
end $$;

-- Whether a session has room for another event in addition to the given pending events and breaks.
create function internal.has_event_capacity(
  p_session public.study_sessions, p_event_type text, p_events integer, p_breaks integer)
returns boolean
language sql immutable set search_path = '' as $$
  select (p_session.progress).events + p_events < internal.max_session_events()
    and (p_event_type not in ('break_start', 'break_end')
      or (p_session.progress).breaks + p_breaks < internal.max_session_breaks())
$$;

-- Fail if an online session has no room for another event of this type.
create function internal.require_event_capacity(p_session public.study_sessions, p_event_type text) returns void
language plpgsql set search_path = '' as $$
begin
  if not internal.has_event_capacity(p_session, p_event_type, 0, 0) then
    perform internal.fail('SS041', 'This session has reached its maximum number of events.', jsonb_build_object(
      'max_events', internal.max_session_events(), 'max_breaks', internal.max_session_breaks()));
  end if;
end $$;

-- The time until which signs of life of a completed session count.
create function internal.counted_until(p_session public.study_sessions) returns timestamptz
language sql immutable set search_path = '' as $$
  select coalesce(p_session.counts_until, p_session.ended_at)
$$;

select internal.lock_down();
