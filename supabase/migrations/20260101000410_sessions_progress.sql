-- The progress of a session: what each event adds to it, so that the work for an event does not grow with those before it
-- (docs/contract.md: "Sessions").

-- An event of the client on its way into its session: a sign of life, a break, a note.
create type internal.mark as (
  session_id uuid, event_id uuid, event_type text, occurred_at timestamptz, claimed_at timestamptz, payload jsonb);

-- More than anybody needs who sits 12 hours, at one event a second; and breaks, which are counted anew with each.
create function internal.max_session_events() returns integer
language sql immutable set search_path = '' as $$ select 50000 $$;

create function internal.max_session_breaks() returns integer
language sql immutable set search_path = '' as $$ select 2000 $$;

-- Two clocks, or two batches of one clock, may differ by this much before sessions count as overlapping.
create function internal.clock_tolerance() returns interval
language sql immutable set search_path = '' as $$ select interval '2 minutes' $$;

-- After a sign of life this much counts, whether another one comes or not.
create function internal.alive_after(p_at timestamptz) returns tstzmultirange
language sql immutable set search_path = '' as $$
  select tstzmultirange(tstzrange(p_at, p_at + interval '5 minutes'))
$$;

-- A session that begins at p_at, as its client claims at p_claimed_at.
create function internal.first_progress(p_at timestamptz, p_claimed_at timestamptz default null) returns internal.progress
language sql immutable set search_path = '' as $$
  select row(internal.alive_after(p_at), '{}', 0, 0, true, 0, 0, 0, 0, 0, 0,
             abs(extract(epoch from p_claimed_at - p_at)), p_claimed_at, p_claimed_at)::internal.progress
$$;

-- The first p_seconds of some time.
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

-- What counts of a session from p_from until p_until: what its signs of life cover, less breaks, within 24 hours; the first
-- 12 hours of that.
create function internal.countable(p internal.progress, p_from timestamptz, p_until timestamptz) returns tstzmultirange
language sql immutable set search_path = '' as $$
  select internal.first_seconds(
    p.alive * tstzmultirange(tstzrange(p_from, greatest(p_from, least(p_until, p_from + interval '24 hours')))) - p.away, 43200)
$$;

-- The same in whole seconds.
create function internal.credited_seconds(p internal.progress, p_from timestamptz, p_until timestamptz) returns integer
language sql immutable set search_path = '' as $$
  select floor(internal.seconds_of(internal.countable(p, p_from, p_until)))::integer
$$;

-- Breaks that begin and end at these moments: each from its beginning to the end or beginning that comes next. A moment that
-- has both changes nothing, whichever came first.
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

create function internal.breaks_of(p_session_id uuid) returns tstzmultirange
language sql stable set search_path = '' as $$
  select internal.breaks_between(array_agg(occurred_at), array_agg(event_type)) from public.session_events
  where session_id = p_session_id and event_type in ('break_start', 'break_end')
$$;

-- p with p_marks, all of one session and in the order of time; breaks aside. p_last_at is when the session last gave a sign
-- of life, p_last_beat_at when it last sent a heartbeat.
create function internal.add_marks(
  p internal.progress, p_marks internal.mark[], p_last_at timestamptz, p_last_beat_at timestamptz) returns internal.progress
language plpgsql immutable set search_path = '' as $$
declare
  n record;
begin
  select range_agg(tstzrange(at, at + interval '5 minutes')) as alive, count(*) as events,
         count(*) filter (where event_type in ('break_start', 'break_end')) as breaks,
         bool_and(at >= at_before and (claim is null or claim_before is null or claim > claim_before)) as in_order,
         count(beat) as beats, coalesce(sum(beat), 0) as beat_seconds, coalesce(sum(beat * beat), 0) as beat_squares,
         count(*) filter (where beat < 1) as rapid, max(abs(extract(epoch from claim - at))) as skew,
         min(claim) as first_claim, max(claim) as last_claim
  into n
  from (
    select m.event_type, m.occurred_at as at, m.claimed_at as claim,
           coalesce(lag(m.occurred_at) over walk, p_last_at) as at_before,
           greatest(p.last_claim, max(m.claimed_at) over before) as claim_before,
           case when m.event_type = 'heartbeat' then extract(epoch from m.occurred_at - coalesce(
             max(m.occurred_at) filter (where m.event_type = 'heartbeat') over before, p_last_beat_at))::float8 end as beat
    from unnest(p_marks) with ordinality m
    window walk as (order by m.ordinality), before as (walk rows between unbounded preceding and 1 preceding)
  ) marks;
  return row(
    p.alive + n.alive, p.away, p.events + n.events, p.breaks + n.breaks, p.in_order and n.in_order,
    p.beats + n.beats, p.beat_seconds + n.beat_seconds, p.beat_squares + n.beat_squares, p.rapid_beats + n.rapid,
    p.disordered, p.repeated, greatest(p.skew_seconds, n.skew), least(p.first_claim, n.first_claim),
    greatest(p.last_claim, n.last_claim))::internal.progress;
end $$;

-- The progress of a session from all of its events: once in the life of a session whose events came out of order, or that
-- goes on after it had ended.
create function internal.recount(s public.study_sessions) returns internal.progress
language plpgsql stable set search_path = '' as $$
declare
  v_first public.session_events;
  v_marks internal.mark[];
  p internal.progress;
begin
  select * into v_first from public.session_events
  where session_id = s.session_id and event_type = 'start' order by seq limit 1;
  select array_agg(row(session_id, event_id, event_type, occurred_at, claimed_at, payload)::internal.mark
                   order by occurred_at, seq)
  into v_marks from public.session_events where session_id = s.session_id and source = 'client';
  p := internal.first_progress(s.started_at, v_first.claimed_at);
  if v_marks is null then
    return p;
  end if;
  p := internal.add_marks(p, v_marks, s.started_at, null);
  p.away := internal.breaks_of(s.session_id);
  select count(*) filter (where claimed_at < claimed_before), count(*) - count(distinct (event_type, claimed_at))
  into p.disordered, p.repeated
  from (
    select event_type, claimed_at, lag(claimed_at) over (order by occurred_at, seq) as claimed_before
    from public.session_events
    where session_id = s.session_id and claimed_at is not null and event_type not in ('complete', 'abandon')
  ) claims;
  return p;
end $$;

-- What was carried forward is exact where all came in order; where it did not, everything is counted.
create function internal.exact_progress(s public.study_sessions) returns internal.progress
language plpgsql stable set search_path = '' as $$
begin
  if (s.progress).in_order then
    return s.progress;
  end if;
  return internal.recount(s);
end $$;

-- Record events of one session's client, in the order of time, and bring the session up to them; returns it. What they make of
-- a session that has ended is decided by whoever calls.
create function internal.record_marks(p_session_id uuid, p_marks internal.mark[]) returns public.study_sessions
language plpgsql set search_path = '' as $$
declare
  s public.study_sessions;
  p internal.progress;
  v_last timestamptz := p_marks[cardinality(p_marks)].occurred_at;
  v_last_beat timestamptz := (select max(occurred_at) from unnest(p_marks) where event_type = 'heartbeat');
begin
  select * into s from public.study_sessions where session_id = p_session_id;
  insert into public.session_events (user_id, event_id, session_id, source, event_type, occurred_at, claimed_at, payload)
  select s.user_id, event_id, s.session_id, 'client', event_type, occurred_at, claimed_at, payload
  from unnest(p_marks) with ordinality order by ordinality;
  p := internal.add_marks(s.progress, p_marks, s.last_activity_at, s.last_heartbeat_at);
  if p.breaks > (s.progress).breaks then
    p.away := internal.breaks_of(s.session_id);
  end if;
  update public.study_sessions set
    progress = p, last_activity_at = greatest(last_activity_at, v_last),
    last_heartbeat_at = greatest(last_heartbeat_at, v_last_beat),
    focus_seconds = case when status = 'active'
      then internal.credited_seconds(p, started_at, greatest(last_activity_at, v_last)) else focus_seconds end,
    updated_at = internal.clock()
  where session_id = s.session_id returning * into s;
  return s;
end $$;

-- Whether a session has room for another event, beside so many events and breaks that are on their way.
create function internal.has_room(s public.study_sessions, p_event_type text, p_events integer, p_breaks integer)
returns boolean
language sql immutable set search_path = '' as $$
  select (s.progress).events + p_events < internal.max_session_events()
    and (p_event_type not in ('break_start', 'break_end')
      or (s.progress).breaks + p_breaks < internal.max_session_breaks())
$$;

-- Fail where a session that runs online has no room for another event of this type.
create function internal.require_room(s public.study_sessions, p_event_type text) returns void
language plpgsql set search_path = '' as $$
begin
  if not internal.has_room(s, p_event_type, 0, 0) then
    perform internal.fail('SS041', 'This session has taken all the events that a session takes.', jsonb_build_object(
      'max_events', internal.max_session_events(), 'max_breaks', internal.max_session_breaks()));
  end if;
end $$;

select internal.lock_down();
