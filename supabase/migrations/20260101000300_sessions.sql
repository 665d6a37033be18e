-- Study sessions: what is kept of them, what time they are credited, how they are judged, and how they end (CONTRACT:
-- "Sessions"). What clients and the schedule call is in the next migration.

create table public.study_sessions (
  session_id uuid primary key,
  user_id uuid not null references public.profiles on delete cascade,
  space_id uuid,
  subject text check (char_length(subject) between 1 and 100),
  duration_minutes integer not null check (duration_minutes between 1 and 720),  -- as planned
  status text not null default 'active' check (status in ('active', 'completed', 'abandoned')),
  started_at timestamptz not null,
  ended_at timestamptz,
  last_activity_at timestamptz not null,  -- the last sign of life: start, heartbeat or another event
  last_heartbeat_at timestamptz,
  focus_seconds integer not null default 0 check (focus_seconds between 0 and 43200),  -- credited time
  efficiency numeric(5, 2) check (efficiency between 0 and 100),
  suspicion_score integer not null default 0 check (suspicion_score between 0 and 100),
  flagged boolean not null default false,
  held boolean not null default false,    -- flagged in strict mode: pays nothing
  replayed boolean not null default false,    -- begun offline and told of afterwards
  background boolean not null default false,  -- replayed, and still open beside a session that began later
  outcome jsonb,                          -- the answer to completing or abandoning it, given again to a repeat
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((status = 'active') = (ended_at is null)),
  check (ended_at >= started_at)
);
-- One active session a user, however many starts come at once. What an offline batch tells of the time before it may
-- still be open beside it.
create unique index study_sessions_one_active on public.study_sessions (user_id)
  where status = 'active' and not background;
create index study_sessions_user on public.study_sessions (user_id, started_at desc, session_id desc);
create index study_sessions_silent on public.study_sessions (last_activity_at) where status = 'active';
create policy own_sessions on public.study_sessions for select to authenticated using (user_id = (select auth.uid()));

create table public.session_events (
  event_id uuid primary key default gen_random_uuid(),
  seq bigint generated always as identity,  -- the order of arrival
  session_id uuid not null references public.study_sessions on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  source text not null check (source in ('client', 'lifecycle')),
  event_type text not null check (event_type in (
    'start', 'heartbeat', 'focus_start', 'focus_end', 'break_start', 'break_end', 'note', 'complete', 'abandon')),
  occurred_at timestamptz not null,         -- by the server's clock, what counts
  claimed_at timestamptz,                   -- by the client's clock, what feeds the suspicion score
  payload jsonb not null default '{}'
);
create index session_events_session on public.session_events (session_id, occurred_at, seq);
create index session_events_user on public.session_events (user_id);
create policy own_events on public.session_events for select to authenticated using (user_id = (select auth.uid()));

create function internal.session_json(s public.study_sessions) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'session_id', s.session_id, 'status', s.status, 'subject', s.subject, 'space_id', s.space_id,
    'duration_minutes', s.duration_minutes, 'started_at', s.started_at, 'ended_at', s.ended_at,
    'last_heartbeat_at', s.last_heartbeat_at, 'focus_seconds', s.focus_seconds, 'efficiency', s.efficiency,
    'xp_awarded', coalesce((s.outcome ->> 'xp_awarded')::integer, 0),
    'suspicion_score', s.suspicion_score, 'flagged', s.flagged)
$$;

create function internal.event_json(e public.session_events) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'event_id', e.event_id, 'session_id', e.session_id, 'event_type', e.event_type, 'source', e.source,
    'occurred_at', e.occurred_at, 'timestamp', e.claimed_at, 'payload', e.payload)
$$;

-- The caller's own session; another user's does not exist for them.
create function internal.own_session(p_user_id uuid, p_session_id uuid) returns public.study_sessions
language plpgsql stable set search_path = '' as $$
declare
  s public.study_sessions;
begin
  select * into s from public.study_sessions where session_id = p_session_id and user_id = p_user_id;
  if not found then
    perform internal.fail('SS001', 'No such session.');
  end if;
  return s;
end $$;

-- Until when a session is known to have gone on: one that runs online until now and further; of one that is replayed,
-- the rest may still be on its way, perhaps from another phone, and only what has come is known. The last five minutes of
-- one that was closed for its silence are only assumed.
create function internal.known_end(s public.study_sessions) returns timestamptz
language sql immutable set search_path = '' as $$
  select case when s.outcome ->> 'reason' = 'silent' or (s.ended_at is null and s.replayed) then s.last_activity_at
              else coalesce(s.ended_at, 'infinity') end
$$;

create function internal.require_active(s public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  if s.status <> 'active' then
    perform internal.fail('SS021', 'This session is not active any more.',
                          jsonb_build_object('session_id', s.session_id, 'status', s.status));
  end if;
end $$;

-- Credited time up to p_until, in whole seconds: from start, less breaks, and less silence beyond the first 5 minutes
-- of a gap between two signs of life; at most 12 hours.
create function internal.session_focus_seconds(p_session_id uuid, p_until timestamptz) returns integer
language sql stable set search_path = '' as $$
  with marks as (
    select row_number() over (order by occurred_at, seq) as n, occurred_at as at, event_type
    from public.session_events
    where session_id = p_session_id and occurred_at <= p_until and event_type not in ('complete', 'abandon')
  ), stretches as (
    select coalesce(lead(at) over walk, p_until) - at as length,
           coalesce(max(n) filter (where event_type = 'break_start') over walk, 0)
             > coalesce(max(n) filter (where event_type = 'break_end') over walk, 0) as on_break
    from marks window walk as (order by n)
  )
  select least(43200, coalesce(floor(sum(
    case when on_break then 0 else least(extract(epoch from length), 300) end)), 0))::integer
  from stretches
$$;

-- Two clocks, or two batches of one clock, may differ by this much before sessions count as overlapping.
create function internal.clock_tolerance() returns interval
language sql immutable set search_path = '' as $$ select interval '2 minutes' $$;

-- How little a session looks like somebody studying, 0-100. Each signal has a weight; none alone but a gross one holds
-- a session even in strict mode (25). Forgiveness grows with streak and XP, at most 60 %.
create function internal.suspicion_score(s public.study_sessions, p_ended_at timestamptz) returns integer
language sql stable set search_path = '' as $$
  with client as (
    select e.event_type, e.occurred_at, e.claimed_at, e.seq,
           -- By the time at which they happened: batches may arrive in any order.
           lag(e.claimed_at) over (order by e.occurred_at, e.seq) as claimed_before,
           e.occurred_at - lag(e.occurred_at) over (
             partition by e.event_type order by e.occurred_at, e.seq) as since_same_type
    from public.session_events e
    where e.session_id = s.session_id and (e.source = 'client' or e.claimed_at is not null)
  ), heartbeats as (
    select count(*) as intervals, stddev_samp(extract(epoch from since_same_type)) as spread,
           count(*) filter (where since_same_type < interval '1 second') as impossible
    from client where event_type = 'heartbeat' and since_same_type is not null
  ), claims as (
    select count(*) filter (where claimed_at < claimed_before) as disordered,
           count(claimed_at) - count(distinct (event_type, claimed_at)) filter (where claimed_at is not null) as repeated,
           max(abs(extract(epoch from claimed_at - occurred_at))) as skew,
           min(claimed_at) as first_claim, max(claimed_at) as last_claim
    from client
  ), day as (
    select coalesce(sum(o.focus_seconds), 0) + internal.session_focus_seconds(s.session_id, p_ended_at) as focus_seconds
    from public.study_sessions o
    where o.user_id = s.user_id and o.session_id <> s.session_id and o.status = 'completed'
      and o.ended_at > p_ended_at - interval '24 hours' and o.ended_at <= p_ended_at
  ), signals as (
    select least(24, 8 * c.disordered) + least(24, 8 * c.repeated)
      + least(40, 4 * h.impossible)
      + case when h.intervals >= 12 and h.spread < 0.02 then 20 else 0 end
      + case when c.skew > 3600 then 20 when c.skew > 300 then 10 else 0 end
      -- What was replayed has been refused already where it overlaps, and by corrected times.
      + case when not s.replayed and exists (
          select from public.study_sessions o
          where o.user_id = s.user_id and o.session_id <> s.session_id and o.status = 'completed'
            and o.started_at < c.last_claim - internal.clock_tolerance() and o.ended_at > c.first_claim
            and internal.known_end(o) > c.first_claim + internal.clock_tolerance()) then 30 else 0 end
      + case when d.focus_seconds > 16 * 3600 then 40 when d.focus_seconds > 14 * 3600 then 20 else 0 end as raw
    from claims c, heartbeats h, day d
  )
  select ceil(least(100, g.raw) * (1 - least(0.6, u.best_streak * 0.01 + u.total_xp / 20000.0)))::integer
  from signals g, public.user_stats u where u.user_id = s.user_id
$$;

-- Put an end to a session's row as p_outcome says, and keep that for whoever asks again; returns it.
create function internal.end_session(s public.study_sessions, p_efficiency numeric, p_outcome jsonb) returns jsonb
language sql volatile set search_path = '' as $$
  update public.study_sessions set
    status = p_outcome ->> 'status', ended_at = (p_outcome ->> 'ended_at')::timestamptz,
    focus_seconds = (p_outcome ->> 'focus_seconds')::integer, efficiency = p_efficiency,
    suspicion_score = coalesce((p_outcome ->> 'suspicion_score')::integer, suspicion_score),
    flagged = coalesce((p_outcome ->> 'flagged')::boolean, flagged),
    held = coalesce((p_outcome ->> 'held')::boolean, held),
    outcome = p_outcome || jsonb_build_object('session_id', session_id), updated_at = internal.clock()
  where session_id = s.session_id
  returning outcome
$$;

-- Complete an active session: credit its time, judge it, pay it, and keep the answer, in the caller's transaction.
-- The caller holds the user's line. p_claimed_at is what the client said, p_mode is soft or strict, p_reason why it was
-- completed where nobody asked for it.
create function internal.finish_session(
  s public.study_sessions, p_ended_at timestamptz, p_claimed_at timestamptz, p_efficiency numeric, p_mode text,
  p_reason text default null)
returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_focus integer := internal.session_focus_seconds(s.session_id, p_ended_at);
  v_score integer;
  v_flagged boolean;
  v_pay jsonb;
  v_outcome jsonb;
begin
  perform internal.keep_space(s.space_id);
  insert into public.session_events (session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (s.session_id, s.user_id, 'lifecycle', 'complete', p_ended_at, p_claimed_at,
          jsonb_build_object('focus_seconds', v_focus));
  v_score := internal.suspicion_score(s, p_ended_at);
  v_flagged := v_score >= case p_mode when 'strict' then 25 else 75 end;
  if v_flagged and p_mode = 'strict' then
    select jsonb_build_object('xp_awarded', 0, 'xp_breakdown', '{}'::jsonb, 'total_xp', total_xp,
                              'level', level, 'leveled_up', false, 'new_badges', '[]'::jsonb)
    into v_pay from public.user_stats where user_id = s.user_id;
  else
    v_pay := internal.pay_session(s.user_id, s.session_id, s.space_id, v_focus, p_ended_at);
  end if;
  v_outcome := internal.end_session(s, p_efficiency, v_pay || jsonb_build_object(
    'status', 'completed', 'reason', p_reason, 'ended_at', p_ended_at, 'focus_seconds', v_focus,
    'suspicion_score', v_score, 'flagged', v_flagged, 'held', v_flagged and p_mode = 'strict',
    'current_streak', (select internal.current_streak(s.user_id, timezone) from public.profiles where user_id = s.user_id)));
  perform internal.note_completion(s, v_outcome);
  return v_outcome;
end $$;

-- Tell the spaces: the session's own that it was completed, every one of the student's about a new badge.
create function internal.note_completion(s public.study_sessions, p_outcome jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  perform internal.note_activity(m.space_id, s.user_id, 'session_completed', jsonb_build_object(
    'session_id', s.session_id, 'focus_seconds', p_outcome -> 'focus_seconds', 'xp_awarded', p_outcome -> 'xp_awarded'))
  from public.space_members m where m.space_id = s.space_id and m.user_id = s.user_id;
  perform internal.note_activity(m.space_id, s.user_id, 'badge_earned', jsonb_build_object('badge', badge))
  from public.space_members m, jsonb_array_elements_text(p_outcome -> 'new_badges') badge
  where m.user_id = s.user_id;
end $$;

create function internal.drop_session(s public.study_sessions, p_ended_at timestamptz, p_reason text) returns jsonb
language plpgsql set search_path = '' as $$
begin
  insert into public.session_events (session_id, user_id, source, event_type, occurred_at, payload)
  values (s.session_id, s.user_id, 'lifecycle', 'abandon', p_ended_at, jsonb_build_object('reason', p_reason));
  return internal.end_session(s, null, jsonb_build_object(
    'status', 'abandoned', 'ended_at', p_ended_at, 'xp_awarded', 0, 'reason', p_reason,
    'focus_seconds', internal.session_focus_seconds(s.session_id, p_ended_at)));
end $$;

-- End a session that was silent for 60 minutes: completed when its credited time reaches 80 % of what was planned,
-- abandoned otherwise. It ended when its credit did, 5 minutes after its last sign of life or when the next one began,
-- not when somebody looked.
create function internal.close_silent_session(s public.study_sessions, p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_ended_at timestamptz := least(s.last_activity_at + interval '5 minutes', (
    select min(started_at) from public.study_sessions o
    where o.user_id = s.user_id and o.session_id <> s.session_id and o.started_at >= s.last_activity_at));
begin
  if internal.session_focus_seconds(s.session_id, v_ended_at) >= 0.8 * 60 * s.duration_minutes
      and not internal.overlaps_another(s, v_ended_at) then
    return internal.finish_session(s, v_ended_at, null, null, p_mode, 'silent');
  end if;
  return internal.drop_session(s, v_ended_at, 'silent');
end $$;

-- Now, as an active session sees it: not before its last sign of life, should the server's clock have been set back. It
-- could not be ended otherwise, because it would have ended before it began.
create function internal.session_now(s public.study_sessions) returns timestamptz
language sql volatile set search_path = '' as $$
  select greatest(internal.clock(), s.last_activity_at)
$$;

-- Silent for 60 minutes. Of a replayed session, what it did lies in the past and the rest may be on its way: there the
-- minutes count from when something last arrived.
create function internal.is_silent(s public.study_sessions) returns boolean
language sql volatile set search_path = '' as $$
  select s.status = 'active'
    and greatest(s.last_activity_at, case when s.replayed then s.updated_at end) < internal.clock() - interval '60 minutes'
$$;

-- Whether a session is what the user is doing now.
create function internal.is_running(s public.study_sessions) returns boolean
language sql volatile set search_path = '' as $$
  select s.status = 'active' and not s.background and s.last_activity_at >= internal.clock() - interval '60 minutes'
$$;

-- A session that was begun offline may turn out to have been beside another one; then it takes no more.
create function internal.require_alone(s public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  if s.replayed and internal.overlaps_another(s, internal.clock()) then
    perform internal.fail('SS003', 'This session overlaps another one.', jsonb_build_object('session_id', s.session_id));
  end if;
end $$;

select internal.lock_down();
