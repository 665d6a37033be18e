-- What becomes of a session's events once it has been over for a day: one compact row a session, readable for 90 days. An
-- hour of study is 64 events; as rows of their own they would take ten times the room.

-- Numbers of two bytes each, and those that need four: null in `small`, and in `large` in the same order.
create type internal.packed_numbers as (small smallint[], large integer[]);
comment on type internal.packed_numbers is 'Integers in two bytes each, with those that need four beside them.';

create table public.session_trails (
  session_id uuid primary key references public.study_sessions on delete cascade,
  archived_on date not null,
  event_types text not null,           -- a letter each, see internal.event_letters
  gaps internal.packed_numbers,        -- milliseconds since the one before it; the first: since the start of the session
  microseconds smallint[],             -- beyond these; null: of all none
  claims internal.packed_numbers,      -- the client's clock less the server's in milliseconds; one for all where all are alike
  claim_microseconds smallint[],
  event_ids uuid[],                    -- of all but heartbeats, see internal.archived_id
  payloads jsonb                       -- by number, of those that have one; null: none
);
comment on table public.session_trails is
  'Archived events of sessions that ended a day ago or earlier, one compact row per session.';
create index session_trails_age on public.session_trails (archived_on);

create table internal.event_letters (event_type text primary key, letter "char" not null unique);
comment on table internal.event_letters is 'The letter that stands for an event type in session_trails.';
insert into internal.event_letters (event_type, letter) values
  ('start', 's'), ('heartbeat', 'h'), ('focus_start', 'f'), ('focus_end', 'F'), ('break_start', 'b'), ('break_end', 'B'),
  ('note', 'n'), ('complete', 'c'), ('abandon', 'a');

-- The ids of heartbeats, which would be the largest part of a trail, are not kept: after a day a heartbeat is known by its
-- session and time, and shown with an id that is made of these.
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

-- The whole milliseconds of an interval of less than 24 days, and the microseconds beyond them.
create function internal.milliseconds(p_interval interval) returns integer
language sql immutable set search_path = '' as $$
  select case when p_interval is not null  -- least and greatest pass over nulls
    then least(2147483647, greatest(-2147483648, floor(extract(epoch from p_interval) * 1000)))::integer end
$$;

create function internal.microseconds(p_interval interval) returns smallint
language sql immutable set search_path = '' as $$
  select mod(mod(extract(epoch from p_interval) * 1000000, 1000) + 1000, 1000)::smallint
$$;

-- An array, or null where it says nothing: of nulls and zeros.
create function internal.null_if_zeros(p_numbers anyarray) returns anyarray
language sql immutable set search_path = '' as $$
  select case when exists (select from unnest(p_numbers) n where n <> 0) then p_numbers end
$$;

-- An array, or its only value where all are alike.
create function internal.collapse_constant(p_numbers anyarray) returns anyarray
language sql immutable set search_path = '' as $$
  select case when (select count(distinct n) = 1 and count(n) = count(*) from unnest(p_numbers) n)
              then p_numbers[1:1] else p_numbers end
$$;

-- Move the events of a session that has ended into its trail. Where a gap is too long for a trail they stay, and the trail,
-- empty, tells when they go.
create function internal.archive_session(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
declare
  v_in_trail boolean := false;
begin
  insert into public.session_trails
  select p_session.session_id, (internal.clock() at time zone 'UTC')::date, string_agg(letter, '' order by n),
    -- Gaps are never negative: so much less, two bytes reach over a minute.
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

-- The events in a session's trail, as they were but for the ids of heartbeats.
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

-- What a session whose events are in its trail is credited when nobody else was credited any of it.
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

-- Archive up to p_limit sessions that ended a day ago or longer; the schedule calls it until it returns 0. Users who are
-- locked are left to the next run.
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

-- Trails go 90 days after they were archived; what a session came to stays in its row.
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
