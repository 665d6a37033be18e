-- Study sessions: their tables and the JSON of a row (docs/contract.md: "Sessions").

-- Running totals of an active session, so that no event has to read those before it.
create type internal.session_progress as (
  active_ranges tstzmultirange,  -- union of the five minutes after each sign of life
  break_ranges tstzmultirange,
  events integer,              -- from the client
  breaks integer,              -- break starts and ends among them
  in_order boolean,            -- each later than all before it, by the server's clock and by the client's
  intervals integer,           -- between heartbeats: the count,
  interval_seconds float8,     -- the sum,
  interval_squares float8,     -- the sum of squares,
  rapid_intervals integer,     -- and the count under a second
  disordered_claims integer,   -- earlier than the claim before
  repeated_claims integer,     -- already claimed for the same event type
  skew_seconds float8,         -- the largest difference between claimed and server time
  first_claim timestamptz,
  last_claim timestamptz
);
comment on type internal.session_progress is
  'Running totals of an active session, so that no event has to read those before it.';

create table public.study_sessions (
  session_id uuid primary key,
  user_id uuid not null references public.profiles on delete cascade,
  space_id uuid references public.spaces on delete set null,
  started_at timestamptz not null,
  ended_at timestamptz,                   -- the end of the credited time
  counts_until timestamptz,               -- when signs of life stop counting, if not at ended_at
  last_activity_at timestamptz not null,  -- the last sign of life: start, heartbeat or another event
  last_heartbeat_at timestamptz,
  created_at timestamptz not null default internal.clock(),
  updated_at timestamptz not null default internal.clock(),
  silence_check_at timestamptz default '-infinity',  -- the next check by the schedule; null once the session has ended
  change_seq bigint,                      -- of the last change, see user_changes
  total_xp bigint,                        -- the user's total after payment
  client integer,                         -- hash of the offline client, see internal.client_hash
  duration_minutes smallint not null check (duration_minutes between 1 and 720),  -- planned
  focus_seconds integer not null default 0 check (focus_seconds between 0 and 43200),  -- credited time
  clipped_seconds integer not null default 0,  -- countable, but credited to other sessions
  xp_awarded integer not null default 0,
  current_streak integer,                 -- the user's streak after payment
  suspicion_score smallint not null default 0 check (suspicion_score between 0 and 100),
  flagged boolean not null default false,
  xp_withheld boolean not null default false,  -- flagged in strict mode: no XP is paid
  replayed boolean not null default false,    -- started offline and uploaded later
  background boolean not null default false,  -- still open beside a session that started later
  archived boolean not null default false,    -- its events are in session_trails
  credit_in_trail boolean not null default false,
  paid_early boolean not null default false,  -- paid before its client reported the end; that payment stays
  lost_space boolean not null default false,  -- its space was deleted; devices not yet notified
  status text not null default 'active' check (status in ('active', 'completed', 'abandoned')),
  subject text check (char_length(subject) between 1 and 100),
  efficiency numeric(5, 2) check (efficiency between 0 and 100),
  -- null: completed by the client; left: another session started; overlap: other sessions cover it completely.
  end_reason text check (end_reason in ('client', 'silent', 'left', 'overlap')),
  new_badges text[],
  -- Credited time. If null: derived from the trail if credit_in_trail is set; otherwise the whole time from start to end for
  -- a completed session, and never any for other sessions.
  credit tstzmultirange,
  progress internal.session_progress,             -- until its events are archived
  check ((status = 'active') = (ended_at is null)),
  check (ended_at >= started_at)
);
comment on table public.study_sessions is 'Study sessions, from start to outcome.';
-- One active session per user, however many starts arrive at once. Earlier sessions from an offline batch may still be open
-- beside it.
create unique index study_sessions_one_active on public.study_sessions (user_id)
  where status = 'active' and not background;
create index study_sessions_user on public.study_sessions (user_id, started_at);
create index study_sessions_changes on public.study_sessions (user_id, change_seq);
-- Heartbeats change no indexed column and so stay cheap; the schedule itself moves the time of its next check.
create index study_sessions_silent on public.study_sessions (silence_check_at) where status = 'active';
create index study_sessions_to_archive on public.study_sessions (updated_at) where status <> 'active' and not archived;
create index study_sessions_space on public.study_sessions (space_id) where space_id is not null;
create index study_sessions_lost_space on public.study_sessions (user_id) where lost_space;
create policy own_sessions on public.study_sessions for select to authenticated using (user_id = (select auth.uid()));

-- Events of active sessions and of sessions that ended within the last day; after that they move to session_trails.
create table public.session_events (
  user_id uuid not null references public.profiles on delete cascade,
  event_id uuid not null default gen_random_uuid(),
  session_id uuid not null references public.study_sessions on delete cascade,
  seq bigint generated always as identity,  -- order of arrival
  occurred_at timestamptz not null,         -- by the server's clock; the time that counts
  claimed_at timestamptz,                   -- by the client's clock; used for the suspicion score
  source text not null check (source in ('client', 'lifecycle')),
  event_type text not null check (event_type in (
    'start', 'heartbeat', 'focus_start', 'focus_end', 'break_start', 'break_end', 'note', 'complete', 'abandon')),
  payload jsonb not null default '{}',
  primary key (user_id, event_id)
);
comment on table public.session_events is 'Events of sessions that are active or ended within the last day.';
create index session_events_session on public.session_events (session_id, occurred_at, seq);
create index session_events_breaks on public.session_events (session_id, occurred_at, seq)
  where event_type in ('break_start', 'break_end');
create policy own_events on public.session_events for select to authenticated using (user_id = (select auth.uid()));

create function internal.session_json(p_session public.study_sessions) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'session_id', p_session.session_id, 'status', p_session.status, 'subject', p_session.subject, 'space_id', p_session.space_id,
    'duration_minutes', p_session.duration_minutes, 'started_at', p_session.started_at, 'ended_at', p_session.ended_at,
    'last_heartbeat_at', p_session.last_heartbeat_at, 'focus_seconds', p_session.focus_seconds, 'clipped_seconds', p_session.clipped_seconds,
    'efficiency', p_session.efficiency, 'xp_awarded', p_session.xp_awarded, 'suspicion_score', p_session.suspicion_score, 'flagged', p_session.flagged)
$$;

-- The response to completing or abandoning an ended session: its outcome, the same for every repeat.
create function internal.session_outcome(p_session public.study_sessions) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'session_id', p_session.session_id, 'status', p_session.status, 'reason', p_session.end_reason, 'ended_at', p_session.ended_at,
    'focus_seconds', p_session.focus_seconds, 'clipped_seconds', p_session.clipped_seconds, 'xp_awarded', p_session.xp_awarded)
  || case p_session.status when 'completed' then jsonb_build_object(
    'xp_breakdown', (
      select coalesce(jsonb_object_agg(source, amount), '{}') from (
        select internal.counted_source(source, rates) as source, sum(amount) as amount from public.xp_ledger
        where session_id = p_session.session_id group by 1) paid
      where amount <> 0),
    'total_xp', p_session.total_xp, 'level', 1 + p_session.total_xp / 100,
    'leveled_up', p_session.total_xp / 100 > (p_session.total_xp - p_session.xp_awarded) / 100,
    'current_streak', p_session.current_streak, 'new_badges', to_jsonb(coalesce(p_session.new_badges, '{}')),
    'suspicion_score', p_session.suspicion_score, 'flagged', p_session.flagged, 'held', p_session.xp_withheld) else '{}' end
$$;

create function internal.event_json(p_event public.session_events) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'event_id', p_event.event_id, 'session_id', p_event.session_id, 'event_type', p_event.event_type,
    'source', p_event.source,
    'occurred_at', p_event.occurred_at, 'timestamp', p_event.claimed_at, 'payload', p_event.payload)
$$;

-- The caller's own session; other users' sessions are reported as missing.
create function internal.own_session(p_user_id uuid, p_session_id uuid) returns public.study_sessions
language plpgsql stable set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  select * into v_session from public.study_sessions where session_id = p_session_id and user_id = p_user_id;
  if not found then
    perform internal.fail('SS001', 'No such session.');
  end if;
  return v_session;
end $$;

-- The schedule notifies a student's devices when a session loses its space. The user who deletes a space must not wait for
-- everyone who ever studied there.
create function internal.mark_lost_space() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.lost_space := true;
  return new;
end $$;
create trigger studysync_lost_space before update of space_id on public.study_sessions
  for each row when (old.space_id is not null and new.space_id is null) execute function internal.mark_lost_space();

create function internal.require_active(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  if p_session.status <> 'active' then
    perform internal.fail('SS021', 'This session is not active any more.',
                          jsonb_build_object('session_id', p_session.session_id, 'status', p_session.status));
  end if;
end $$;

-- The current time for an active session, in milliseconds; finer precision only takes space. Never before its last sign of
-- life: if the server's clock was set back, the session would otherwise end before it started.
create function internal.session_now(p_session public.study_sessions) returns timestamptz
language sql volatile set search_path = '' as $$
  select greatest(date_trunc('milliseconds', internal.clock()), p_session.last_activity_at)
$$;

-- When a session becomes silent without another sign of life: 60 minutes after its last one. The events of a replayed
-- session lie in the past and more may still arrive, so there the 60 minutes start at the last arrival.
create function internal.silent_from(p_session public.study_sessions) returns timestamptz
language sql immutable set search_path = '' as $$
  select interval '60 minutes'
    + greatest(p_session.last_activity_at, case when p_session.replayed then p_session.updated_at end)
$$;

create function internal.is_silent(p_session public.study_sessions) returns boolean
language sql volatile set search_path = '' as $$
  select p_session.status = 'active' and internal.silent_from(p_session) < internal.clock()
$$;

-- Whether the user is studying in this session now.
create function internal.is_running(p_session public.study_sessions) returns boolean
language sql volatile set search_path = '' as $$
  select p_session.status = 'active' and not p_session.background
    and p_session.last_activity_at >= internal.clock() - interval '60 minutes'
$$;

select internal.lock_down();
