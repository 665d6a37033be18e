-- How sessions end: what time they are credited, how they are judged and paid, and what the spaces are told (docs/contract.md:
-- "Sessions").

-- What a day's credited time, number of sessions and bonuses add to the score: more than somebody studies who sleeps, more
-- often than somebody sits down, and bonuses that only sessions made to measure reach.
create function internal.day_suspicion(p_focus_seconds integer, p_sessions integer, p_bonus_xp integer) returns integer
language sql immutable set search_path = '' as $$
  select case when p_focus_seconds > 16 * 3600 then 40 when p_focus_seconds > 14 * 3600 then 20 else 0 end
    + case when p_sessions > 120 then 40 when p_sessions > 60 then 20 else 0 end
    + case when p_bonus_xp > 250 then 20 else 0 end
$$;

-- How little a session looks like somebody studying, 0-100, when it is completed at p_ended_at and its client claims
-- p_claimed_at. Each signal has a weight; none alone but a gross one holds a session even in strict mode (25). Forgiveness
-- grows with streak and XP, at most 60 %.
create function internal.suspicion_score(
  p_session public.study_sessions, p_ended_at timestamptz, p_claimed_at timestamptz)
returns integer
language plpgsql stable set search_path = '' as $$
declare
  v_progress internal.session_progress := internal.exact_progress(p_session);
  v_mean float8 := v_progress.interval_seconds / nullif(v_progress.intervals, 0);
  v_skew float8 := greatest(v_progress.skew_seconds, abs(extract(epoch from p_claimed_at - p_ended_at)));
  v_until timestamptz := greatest(v_progress.last_claim, p_claimed_at);
  v_day public.study_days;
  v_raw integer;
begin
  select * into v_day from public.study_days n where n.user_id = p_session.user_id
    and n.day = (p_ended_at at time zone (
      select timezone from public.profiles where user_id = p_session.user_id))::date;
  v_raw := least(24, 8 * (v_progress.disordered_claims + coalesce(p_claimed_at < v_progress.last_claim, false)::integer))
    + least(24, 8 * v_progress.repeated_claims)
    + least(40, 4 * v_progress.rapid_intervals)
    + case when v_progress.intervals >= 12 and 0.02 * 0.02 >
             (v_progress.interval_squares - v_progress.intervals * v_mean * v_mean) / (v_progress.intervals - 1)
           then 20 else 0 end
    + case when v_skew > 3600 then 20 when v_skew > 300 then 10 else 0 end
    -- What was replayed has been refused already where it overlaps, and by corrected times.
    + case when not p_session.replayed and internal.has_completed_session_between(
        p_session, v_progress.first_claim + internal.clock_tolerance(), v_until - internal.clock_tolerance())
        then 30 else 0 end
    + internal.day_suspicion(coalesce(v_day.focus_seconds, 0)
        + internal.credited_seconds(v_progress, p_session.started_at, p_ended_at),
        coalesce(v_day.sessions, 0) + 1, coalesce(v_day.bonus_xp, 0));
  return (select ceil(least(100, v_raw) * (1 - least(0.6, u.best_streak * 0.01 + u.total_xp / 20000.0)))
          from public.user_stats u where u.user_id = p_session.user_id);
end $$;

-- Tell the spaces: the session's own that it was completed, every one of the student's about a new badge.
create function internal.record_completion_activity(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  perform internal.record_activity(m.space_id, p_session.user_id, 'session_completed', jsonb_build_object(
    'session_id', p_session.session_id, 'focus_seconds', p_session.focus_seconds, 'xp_awarded', p_session.xp_awarded))
  from public.space_members m where m.space_id = p_session.space_id and m.user_id = p_session.user_id;
  perform internal.record_activity(m.space_id, p_session.user_id, 'badge_earned', jsonb_build_object('badge', badge))
  from public.space_members m, unnest(p_session.new_badges) badge
  where m.user_id = p_session.user_id;
end $$;

-- Complete an active session: credit its time, judge it, pay it, in the caller's transaction. The caller has locked
-- the user. p_claimed_at is what the client said, p_mode is soft or strict, p_reason why it was completed where nobody
-- asked for it, p_event_id and p_payload those of the event that an offline client sent.
create function internal.record_completion(
  p_session public.study_sessions, p_ended_at timestamptz, p_claimed_at timestamptz, p_efficiency numeric, p_mode text,
  p_reason text default null, p_event_id uuid default null, p_payload jsonb default '{}')
returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_focus integer := internal.credited_seconds(p_session.progress, p_session.started_at, p_ended_at);
  v_score integer;
  v_flagged boolean;
  v_pay jsonb;
begin
  perform internal.lock_space_against_deletion(p_session.space_id);
  v_score := internal.suspicion_score(p_session, p_ended_at, p_claimed_at);
  v_flagged := v_score >= case p_mode when 'strict' then 25 else 75 end;
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (coalesce(p_event_id, gen_random_uuid()), p_session.session_id, p_session.user_id, 'lifecycle', 'complete',
          p_ended_at, p_claimed_at, p_payload || jsonb_build_object('focus_seconds', v_focus));
  if v_flagged and p_mode = 'strict' then
    select jsonb_build_object('xp_awarded', 0, 'total_xp', total_xp) into v_pay
    from public.user_stats where user_id = p_session.user_id;
  else
    v_pay := internal.award_session(
      p_session.user_id, p_session.session_id, internal.lock_membership(p_session.space_id, p_session.user_id),
      v_focus, p_ended_at);
  end if;
  update public.study_sessions set
    status = 'completed', ended_at = p_ended_at, end_reason = p_reason, focus_seconds = v_focus, efficiency = p_efficiency,
    suspicion_score = v_score, flagged = v_flagged, xp_withheld = v_flagged and p_mode = 'strict',
    xp_awarded = (v_pay ->> 'xp_awarded')::integer, total_xp = (v_pay ->> 'total_xp')::bigint,
    current_streak = (
      select internal.current_streak(user_id, timezone) from public.profiles where user_id = p_session.user_id),
    new_badges = (select nullif(array_agg(badge), '{}') from jsonb_array_elements_text(v_pay -> 'new_badges') badge),
    progress = null, silence_check_at = null, updated_at = internal.clock()
  where session_id = p_session.session_id returning * into p_session;
  perform internal.record_completion_activity(p_session);
  return internal.session_outcome(p_session);
end $$;

create function internal.record_abandonment(
  p_session public.study_sessions, p_ended_at timestamptz, p_reason text, p_event_id uuid default null,
  p_claimed_at timestamptz default null, p_payload jsonb default '{}') returns jsonb
language plpgsql set search_path = '' as $$
begin
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (coalesce(p_event_id, gen_random_uuid()), p_session.session_id, p_session.user_id, 'lifecycle', 'abandon',
          p_ended_at, p_claimed_at, p_payload || jsonb_build_object('reason', p_reason));
  update public.study_sessions set
    status = 'abandoned', ended_at = p_ended_at, end_reason = p_reason,
    focus_seconds = internal.credited_seconds(p_session.progress, p_session.started_at, p_ended_at),
    progress = null, silence_check_at = null, updated_at = internal.clock()
  where session_id = p_session.session_id returning * into p_session;
  return internal.session_outcome(p_session);
end $$;

-- End a session that was silent for 60 minutes: completed when its credited time reaches 80 % of what was planned,
-- abandoned otherwise. It ended when its credit did, 5 minutes after its last sign of life or when the next one began,
-- not when somebody looked.
create function internal.close_silent_session(p_session public.study_sessions, p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_ended_at timestamptz := least(p_session.last_activity_at + interval '5 minutes', (
    select min(started_at) from public.study_sessions o
    where o.user_id = p_session.user_id and o.session_id <> p_session.session_id
      and o.started_at >= p_session.last_activity_at));
begin
  if internal.credited_seconds(p_session.progress, p_session.started_at, v_ended_at)
        >= 0.8 * 60 * p_session.duration_minutes
      and not internal.overlaps_other_session(p_session, v_ended_at) then
    return internal.record_completion(p_session, v_ended_at, null, null, p_mode, 'silent');
  end if;
  return internal.record_abandonment(p_session, v_ended_at, 'silent');
end $$;

select internal.lock_down();
