-- Session events are archived one day after the end: one compact row per session, readable for 90 days. An hour of study has
-- 64 events; stored as separate rows they would take ten times the space.

-- Two-byte numbers. Larger ones are null in `small` and listed in order in `large`.
create type internal.packed_numbers as (small smallint[], large integer[]);
comment on type internal.packed_numbers is 'Integers in two bytes each, with those that need four beside them.';

create table public.session_trails (
  session_id uuid primary key references public.study_sessions on delete cascade,
  archived_on date not null,
  event_types text not null,           -- one letter per event, see internal.event_letters
  gaps internal.packed_numbers,        -- milliseconds since the previous event; for the first, since the session's start
  microseconds smallint[],             -- in addition to these; null: all zero
  claims internal.packed_numbers,      -- client clock minus server clock in milliseconds; a single value if all are equal
  claim_microseconds smallint[],
  event_ids uuid[],                    -- except for heartbeats, see internal.archived_id
  payloads jsonb                       -- non-empty payloads by event number; null: none
);
comment on table public.session_trails is
  'Archived events of sessions that ended a day ago or earlier, one compact row per session.';
create index session_trails_age on public.session_trails (archived_on);

create table internal.event_letters (event_type text primary key, letter "char" not null unique);
comment on table internal.event_letters is 'The letter for each event type in session_trails.';
insert into internal.event_letters (event_type, letter) values
  ('start', 's'), ('heartbeat', 'h'), ('focus_start', 'f'), ('focus_end', 'F'), ('break_start', 'b'), ('break_end', 'B'),
  ('note', 'n'), ('complete', 'c'), ('abandon', 'a');

-- Heartbeat ids would take up most of a trail and are not stored. After a day a heartbeat is identified by its session and
-- time, and shown with an id derived from them.
create function internal.archived_id(p_session_id uuid, p_at timestamptz) returns uuid
language sql immutable set search_path = '' as $$
  select md5(p_session_id::text || extract(epoch from p_at)::text)::uuid
$$;

create function internal.pack(p_numbers integer[]) returns internal.packed_numbers
language sql immutable set search_path = '' as $$
  select row(array_agg(case when n between -32768 and 32767 then n end order by i),
             array_agg(n order by i) filter (where n not between -32768 and 32767))::internal.packed_numbers
  from unnest(p_numbers) with ordinality numbers (n, i)
$$;

create function internal.unpack(p_packed internal.packed_numbers) returns integer[]
language sql immutable set search_path = '' as $$
  select array_agg(coalesce(n, p_packed.large[nulls]) order by i)
  from (select n, i, count(*) filter (where n is null) over (order by i) as nulls
        from unnest(p_packed.small) with ordinality numbers (n, i)) numbers
$$;

-- The whole milliseconds of an interval shorter than 24 days, and the remaining microseconds.
create function internal.milliseconds(p_interval interval) returns integer
language sql immutable set search_path = '' as $$
  select case when p_interval is not null  -- least and greatest ignore nulls
    then least(2147483647, greatest(-2147483648, floor(extract(epoch from p_interval) * 1000)))::integer end
$$;

create function internal.microseconds(p_interval interval) returns smallint
language sql immutable set search_path = '' as $$
  select mod(mod(extract(epoch from p_interval) * 1000000, 1000) + 1000, 1000)::smallint
$$;

-- The array, or null if it has only nulls and zeros.
create function internal.null_if_zeros(p_numbers anyarray) returns anyarray
language sql immutable set search_path = '' as $$
  select case when exists (select from unnest(p_numbers) n where n <> 0) then p_numbers end
$$;

-- The array, or its single value if all are equal.
create function internal.collapse_constant(p_numbers anyarray) returns anyarray
language sql immutable set search_path = '' as $$
  select case when (select count(distinct n) = 1 and count(n) = count(*) from unnest(p_numbers) n)
              then p_numbers[1:1] else p_numbers end
$$;

-- Move the events of an ended session into its trail. If a gap is too long for a trail, they stay, and an empty trail
-- records when to delete them.
create function internal.archive_session(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
declare
  v_in_trail boolean := false;
begin
  insert into public.session_trails
  select p_session.session_id, (internal.clock() at time zone 'UTC')::date, string_agg(letter, '' order by n),
    -- Gaps are never negative: shifted by this much, two bytes hold more than a minute.
    internal.pack(array_agg(internal.milliseconds(gap) - 32768 order by n)),
    internal.null_if_zeros(array_agg(internal.microseconds(gap) order by n)),
    case when count(claim) > 0 then internal.pack(internal.collapse_constant(
      array_agg(internal.milliseconds(claim) order by n))) end,
    case when count(claim) > 0 then internal.collapse_constant(
      internal.null_if_zeros(array_agg(internal.microseconds(claim) order by n))) end,
    array_agg(event_id order by n) filter (where event_type <> 'heartbeat'),
    jsonb_object_agg(n, payload) filter (where payload <> '{}')
  from (
    select e.event_id, e.event_type, l.letter::text, e.payload, e.claimed_at - e.occurred_at as claim,
           row_number() over walk as n,
           e.occurred_at - coalesce(lag(e.occurred_at) over walk, p_session.started_at) as gap
    from public.session_events e join internal.event_letters l using (event_type)
    where e.session_id = p_session.session_id window walk as (order by e.occurred_at, e.seq)
  ) events
  having max(gap) < interval '20 days' and coalesce(max(abs(extract(epoch from claim))), 0) < 20 * 86400;
  if found then
    delete from public.session_events where session_id = p_session.session_id;
    v_in_trail := p_session.status = 'completed' and coalesce(
      p_session.credit = internal.countable(p_session.progress, p_session.started_at, internal.counted_until(p_session)), false);
  else
    insert into public.session_trails (session_id, archived_on, event_types)
    select p_session.session_id, (internal.clock() at time zone 'UTC')::date, ''
    where exists (select from public.session_events where session_id = p_session.session_id);
  end if;
  update public.study_sessions set
    archived = true, progress = null, credit = case when not v_in_trail then credit end, credit_in_trail = v_in_trail
  where session_id = p_session.session_id;
end $$;

-- The events in a session's trail, unchanged except for the ids of heartbeats.
create function internal.archived_events(p_session public.study_sessions) returns setof public.session_events
language sql stable set search_path = '' as $$
  with trail as (
    select t.*, internal.unpack(t.gaps) as milliseconds, internal.unpack(t.claims) as claimed
    from public.session_trails t where t.session_id = p_session.session_id
  ), events as (
    select l.event_type, e.n, t.event_ids[count(*) filter (where l.event_type <> 'heartbeat') over walk] as event_id,
           t.payloads,
           p_session.started_at + make_interval(
             secs => sum(e.ms + 32768 + coalesce(e.us, 0) / 1000.0) over walk::float8 / 1000) as occurred_at,
           make_interval(secs => (
             (case cardinality(t.claimed) when 1 then t.claimed[1] else t.claimed[e.n] end)
             + coalesce(case cardinality(t.claim_microseconds) when 1 then t.claim_microseconds[1]
                        else t.claim_microseconds[e.n] end, 0) / 1000.0)::float8 / 1000) as claim
    from trail t
    cross join lateral unnest(string_to_array(t.event_types, null), t.milliseconds, t.microseconds)
      with ordinality e (letter, ms, us, n)
    join internal.event_letters l on l.letter = e.letter::"char"
    window walk as (order by e.n)
  )
  select p_session.user_id,
    case event_type when 'heartbeat'
                    then internal.archived_id(p_session.session_id, coalesce(occurred_at + claim, occurred_at))
                    else event_id end,
    p_session.session_id, n, occurred_at, occurred_at + claim,
    case when event_type in ('start', 'complete', 'abandon') then 'lifecycle' else 'client' end,
    event_type, coalesce(payloads -> n::text, '{}')
  from events
$$;

-- The credit of an archived session if no other session took any of its time.
create function internal.archived_credit(p_session public.study_sessions) returns tstzmultirange
language plpgsql stable set search_path = '' as $$
declare
  p internal.session_progress := internal.initial_progress(p_session.started_at);
begin
  select p.active_ranges + coalesce(range_agg(tstzrange(e.occurred_at, e.occurred_at + interval '5 minutes')), '{}'),
         internal.breaks_between(array_agg(e.occurred_at) filter (where e.event_type in ('break_start', 'break_end')),
                                 array_agg(e.event_type) filter (where e.event_type in ('break_start', 'break_end')))
  into p.active_ranges, p.break_ranges from internal.archived_events(p_session) e where e.source = 'client';
  return internal.countable(p, p_session.started_at, internal.counted_until(p_session));
end $$;

create function internal.session_event_history(p_session public.study_sessions) returns setof public.session_events
language sql stable set search_path = '' as $$
  select * from public.session_events where session_id = p_session.session_id
  union all
  select * from internal.archived_events(p_session) where p_session.archived
$$;

-- Archive up to p_limit sessions that ended a day ago or earlier; the schedule calls it until it returns 0. Locked users are
-- left to the next run.
create function public.archive_sessions(p_limit integer default 500) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_count integer := 0;
begin
  for v_session in
    select * from public.study_sessions
    where status <> 'active' and not archived and updated_at < internal.clock() - interval '1 day'
    order by updated_at limit p_limit
  loop
    perform from public.user_stats where user_id = v_session.user_id for update skip locked;
    continue when not found;
    select * into v_session from public.study_sessions
    where session_id = v_session.session_id and status <> 'active' and not archived;
    if found then
      perform internal.archive_session(v_session);
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end $$;
comment on function public.archive_sessions is
  'Archive the events of up to p_limit sessions that ended a day ago or earlier; returns how many.';

-- Trails are deleted 90 days after archiving; a session's outcome stays in its row.
create function public.purge_session_trails(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  with gone as (
    delete from public.session_trails where ctid = any (array(
      select ctid from public.session_trails where archived_on < (internal.clock() at time zone 'UTC')::date - 90
      order by archived_on limit p_limit))
    returning session_id
  ), with_them as (
    delete from public.session_events e using gone where e.session_id = gone.session_id
  )
  select count(*)::integer from gone
$$;
comment on function public.purge_session_trails is
  'Delete archived events after 90 days, at most p_limit sessions; returns how many.';

select internal.lock_down();
