-- How sessions end: their credited time, suspicion score, payment and space activity (docs/contract.md: "Sessions").

-- The points that a day adds to the score: for more study time than leaves room for sleep, for an implausible number of
-- sessions, and for bonuses that only tailored sessions reach.
create function internal.day_suspicion(p_focus_seconds numeric, p_sessions integer, p_bonus_xp integer) returns integer
language sql immutable set search_path = '' as $$
  select case when p_focus_seconds > 16 * 3600 then 40 when p_focus_seconds > 14 * 3600 then 20 else 0 end
    + case when p_sessions > 120 then 40 when p_sessions > 60 then 20 else 0 end
    + case when p_bonus_xp > 250 then 20 else 0 end
$$;

-- How unlikely it is that somebody really studied, 0-100, if the session is completed at p_ended_at and its client claims
-- p_claimed_at. Each signal has a weight; no single one holds a session unless it is gross, even in strict mode (25).
-- Forgiveness grows with streak and XP, to at most 60 %.
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
  select * into v_day from public.study_days n
  where n.user_id = p_session.user_id and n.day = (select internal.study_day(p_session.user_id, p_ended_at));
  v_raw := least(24, 8 * (v_progress.disordered_claims + coalesce(p_claimed_at < v_progress.last_claim, false)::integer))
    + least(24, 8 * v_progress.repeated_claims)
    + least(40, 4 * v_progress.rapid_intervals)
    + case when v_progress.intervals >= 12 and (v_progress.interval_squares - v_progress.intervals * v_mean * v_mean) / (v_progress.intervals - 1) < 0.02 * 0.02
           then 20 else 0 end
    + case when v_skew > 3600 then 20 when v_skew > 300 then 10 else 0 end
    -- Replayed sessions are clipped where they overlap, using corrected times.
    + case when not p_session.replayed and internal.has_completed_session_between(
        p_session, v_progress.first_claim + internal.clock_tolerance(), v_until - internal.clock_tolerance()) then 30 else 0 end
    + internal.day_suspicion(coalesce(v_day.focus_seconds, 0)
        + internal.credited_seconds(v_progress, p_session.started_at, p_ended_at), coalesce(v_day.sessions, 0) + 1, coalesce(v_day.bonus_xp, 0));
  return (select ceil(least(100, v_raw) * (1 - least(0.6, u.best_streak * 0.01 + u.total_xp / 20000.0)))
          from public.user_stats u where u.user_id = p_session.user_id);
end $$;

-- Record activity: a completion in the session's space, a new badge in every space of the student.
create function internal.record_completion_activity(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  perform internal.record_activity(m.space_id, p_session.user_id, 'session_completed', jsonb_build_object(
    'session_id', p_session.session_id, 'focus_seconds', p_session.focus_seconds, 'xp_awarded', p_session.xp_awarded),
    case when p_session.replayed then p_session.ended_at end)
  from public.space_members m where m.space_id = p_session.space_id and m.user_id = p_session.user_id;
  perform internal.record_activity(m.space_id, p_session.user_id, 'badge_earned', jsonb_build_object('badge', badge))
  from public.space_members m, unnest(p_session.new_badges) badge
  where m.user_id = p_session.user_id;
end $$;

-- Record how a session ended and delete any assumed end. p_reason: why it ended, if nobody asked for it.
create function internal.record_end(
  p_session public.study_sessions, p_type text, p_at timestamptz, p_reason text, p_event_id uuid, p_claimed_at timestamptz,
  p_payload jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  delete from public.session_events
  where session_id = p_session.session_id and source = 'lifecycle' and payload ->> 'reason' in ('silent', 'left', 'overlap');
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (coalesce(p_event_id, gen_random_uuid()), p_session.session_id, p_session.user_id, 'lifecycle', p_type, p_at, p_claimed_at,
          p_payload || jsonb_strip_nulls(jsonb_build_object('reason', p_reason)));
end $$;

-- Revoke a completion that other sessions now cover: it is rejected and waits, as if it had come after theirs.
create function internal.revoke_completion(p_session public.study_sessions, p_xp integer) returns void
language plpgsql set search_path = '' as $$
begin
  p_session := internal.unarchive_session(p_session);
  insert into public.rejected_events
    (user_id, event_id, session_id, event_type, payload, claimed_at, occurred_at, position, fingerprint, error_code, message,
     received_at, waits)
  select user_id, event_id, session_id, event_type, payload - '{focus_seconds,reason}'::text[], claimed_at, occurred_at, 0,
         '-', 'SESSION_OVERLAP', 'Other sessions cover this one.', internal.clock(), true
  from public.session_events where session_id = p_session.session_id and event_type = 'complete' and claimed_at is not null
  on conflict (user_id, event_id) do update set  -- it was rejected before, and applied when it was tried again
    error_code = excluded.error_code, message = excluded.message, waits = true;
  delete from public.session_events where session_id = p_session.session_id and event_type = 'complete';
  perform internal.record_end(p_session, 'abandon', internal.counted_until(p_session), 'overlap', null, null, '{}');
  update public.study_sessions set
    status = 'abandoned', end_reason = 'overlap', credit = null, credit_in_trail = false, counts_until = null, clipped_seconds = 0,
    focus_seconds = internal.credited_seconds(progress, started_at, ended_at), xp_awarded = p_xp,
    updated_at = internal.clock()
  where session_id = p_session.session_id;
end $$;

-- After award_session: where a short session has left the five that its day pays, pay the first that was left out.
create function internal.fill_vacated_place(p_user_id uuid, p_pay jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  v_day date := (p_pay ->> 'vacated_day')::date;
  v_session public.study_sessions;
  v_credit tstzmultirange;
  v_xp integer;
begin
  if v_day is null then
    return;
  end if;
  select s.* into v_session from public.study_sessions s
  where s.user_id = p_user_id and s.status = 'completed' and not s.xp_withheld and s.focus_seconds < 60
    and s.started_at > internal.day_end(p_user_id, v_day - 1) - interval '24 hours'
    and s.started_at < internal.day_end(p_user_id, v_day)
    and internal.study_day(p_user_id, coalesce(upper(internal.credit_of(s)) - interval '1 microsecond', s.ended_at)) = v_day
    and not internal.paid_by_source(s.session_id) ? 'session'
  order by s.started_at, s.session_id limit 1;
  if found then
    v_credit := internal.credit_of(v_session);
    v_xp := (internal.award_session(
      p_user_id, v_session.session_id, internal.lock_membership(v_session.space_id, p_user_id), v_credit, v_credit,
      v_session.ended_at) ->> 'xp_awarded')::integer;
    update public.study_sessions set status = status, xp_awarded = xp_awarded + v_xp, updated_at = internal.clock()
    where session_id = v_session.session_id;
  end if;
end $$;

-- Take p_time, which went to an earlier session of the same client, from the sessions that give way to it.
create function internal.take_time(p_session public.study_sessions, p_time tstzmultirange, p_until timestamptz) returns void
language plpgsql set search_path = '' as $$
declare
  v_other public.study_sessions;
  v_before tstzmultirange;
  v_after tstzmultirange;
  v_clipped numeric;
  v_covered boolean;
  v_pay jsonb;
  v_xp integer;
begin
  for v_other in
    select n.* from internal.credited_between(p_session.user_id, p_session.session_id, lower(p_time), upper(p_time)) n
    where internal.gives_way(n, p_session, p_until) order by n.started_at, n.session_id
  loop
    v_before := internal.credit_of(v_other);
    v_after := v_before - p_time;
    continue when v_after = v_before;
    v_clipped := v_other.clipped_seconds + internal.seconds_of(v_before - v_after);
    v_covered := internal.is_covered(internal.seconds_of(v_after), v_clipped);
    v_pay := case when not v_other.xp_withheld then internal.award_session(
      v_other.user_id, v_other.session_id, internal.lock_membership(v_other.space_id, v_other.user_id), v_before,
      case when not v_covered then v_after end, v_other.ended_at) end;
    v_xp := v_other.xp_awarded + coalesce((v_pay ->> 'xp_awarded')::integer, 0);
    if v_covered then
      perform internal.revoke_completion(v_other, v_xp);
    else
      update public.study_sessions set
        status = status, credit = v_after, credit_in_trail = false, focus_seconds = floor(internal.seconds_of(v_after)),
        clipped_seconds = round(v_clipped), xp_awarded = v_xp, updated_at = internal.clock()
      where session_id = v_other.session_id;
    end if;
    perform internal.fill_vacated_place(v_other.user_id, v_pay);
  end loop;
end $$;

-- The credit of a session completed at p_until. until: when its signs of life stop counting; own: its time regardless of
-- others; credit: own less time credited to others, null if it was never paid and is completely covered; ended_at: its end.
create function internal.completion_credit(
  p_session public.study_sessions, p_until timestamptz, out until timestamptz, out own tstzmultirange, out credit tstzmultirange,
  out ended_at timestamptz)
language plpgsql stable set search_path = '' as $$
declare
  v_before tstzmultirange := internal.credit_of(p_session);
  v_taken tstzmultirange;
begin
  until := greatest(p_session.started_at, p_until, case
    when p_session.status = 'completed' and p_session.end_reason is null then internal.counted_until(p_session) end);
  own := internal.countable(p_session.progress, p_session.started_at, until);
  ended_at := greatest(p_session.started_at, upper(own), case when p_session.paid_early then upper(v_before) end);
  v_taken := internal.taken_time(p_session, own, until);
  credit := own - v_taken;
  if p_session.paid_early and v_before is not null then
    credit := v_before + internal.first_seconds(credit - v_before, 43200 - internal.seconds_of(v_before));
  elsif v_before is null and internal.is_covered(internal.seconds_of(credit), internal.seconds_of(v_taken)) then
    credit := null;
  end if;
end $$;

-- Complete a session, or rerate a completed one: credit its time until p_until, score it and pay the difference, in the
-- caller's transaction. The caller has locked the user. p_claimed_at: the time that the client claims; p_mode: soft or
-- strict; p_reason: why it was completed if nobody asked for it; p_event_id and p_payload: from the event of an offline
-- client; p_record: false if it is only rerated. Returns null and does nothing if the session was never paid and is
-- completely covered.
create function internal.record_completion(
  p_session public.study_sessions, p_until timestamptz, p_claimed_at timestamptz, p_efficiency numeric, p_mode text,
  p_reason text default null, p_event_id uuid default null, p_payload jsonb default '{}', p_record boolean default true)
returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_before tstzmultirange := internal.credit_of(p_session);
  v_time record := internal.completion_credit(p_session, p_until);
  v_credit tstzmultirange := v_time.credit;
  v_score integer;
  v_strict boolean := p_mode = 'strict';
  v_flagged boolean;
  v_held boolean;
  v_pay jsonb;
begin
  if v_credit is null then
    return null;
  end if;
  perform internal.lock_space_against_deletion(p_session.space_id);
  v_score := greatest(internal.suspicion_score(p_session, v_time.ended_at, p_claimed_at),
                      case when v_before is not null then p_session.suspicion_score end);
  v_flagged := v_score >= case when v_strict then 25 else 75 end;
  v_held := case when v_before is null then v_flagged and v_strict else p_session.xp_withheld end;
  if v_before is not null and v_flagged and v_strict then
    v_credit := v_before;
  end if;
  if p_record then
    perform internal.record_end(
      p_session, 'complete', greatest(p_until, p_session.started_at), p_reason, p_event_id, p_claimed_at,
      p_payload || jsonb_build_object('focus_seconds', floor(internal.seconds_of(v_credit))));
  end if;
  if p_session.client is not null then
    perform internal.take_time(p_session, v_credit, v_time.until);
  end if;
  if v_held then
    select jsonb_build_object('xp_awarded', 0, 'total_xp', total_xp) into v_pay
    from public.user_stats where user_id = p_session.user_id;
  elsif v_credit is distinct from v_before then
    v_pay := internal.award_session(
      p_session.user_id, p_session.session_id, internal.lock_membership(p_session.space_id, p_session.user_id), v_before, v_credit, v_time.ended_at);
  end if;
  update public.study_sessions set
    status = 'completed', ended_at = v_time.ended_at, counts_until = nullif(v_time.until, v_time.ended_at),
    end_reason = case when p_record then p_reason else end_reason end,
    focus_seconds = floor(internal.seconds_of(v_credit)), clipped_seconds = round(internal.seconds_of(v_time.own - v_credit)),
    credit = case when v_credit <> tstzmultirange(tstzrange(started_at, v_time.ended_at)) then v_credit end,
    efficiency = case when p_until < v_time.until then coalesce(efficiency, p_efficiency)
                      else coalesce(p_efficiency, efficiency) end, suspicion_score = v_score, flagged = v_flagged, xp_withheld = v_held,
    xp_awarded = xp_awarded + coalesce((v_pay ->> 'xp_awarded')::integer, 0),
    total_xp = coalesce((v_pay ->> 'total_xp')::bigint, total_xp),
    current_streak = internal.current_streak(user_id),
    new_badges = nullif(coalesce(new_badges, '{}') || array(
      select jsonb_array_elements_text(v_pay -> 'new_badges')), '{}'),
    background = false, silence_check_at = null, updated_at = internal.clock(),
    paid_early = paid_early or coalesce(p_reason in ('silent', 'left'), false)
  where session_id = p_session.session_id returning * into p_session;
  perform internal.fill_vacated_place(p_session.user_id, v_pay);
  if v_before is null then
    perform internal.record_completion_activity(p_session);
  end if;
  return internal.session_outcome(p_session);
end $$;

-- End a session without XP, unless its client has completed it. XP already paid for a silent session stays and is final;
-- such a session becomes completed.
create function internal.record_abandonment(
  p_session public.study_sessions, p_until timestamptz, p_reason text, p_event_id uuid default null,
  p_claimed_at timestamptz default null, p_payload jsonb default '{}') returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_own tstzmultirange;
  v_credit tstzmultirange := internal.credit_of(p_session);
begin
  perform internal.record_end(p_session, 'abandon', greatest(p_until, p_session.started_at), p_reason, p_event_id, p_claimed_at, p_payload);
  if p_session.status = 'completed' and p_session.end_reason is null then
    return internal.session_outcome(p_session);
  elsif v_credit is not null then
    update public.study_sessions set
      status = 'completed', ended_at = greatest(started_at, upper(v_credit)), counts_until = null, credit = v_credit,
      end_reason = p_reason, focus_seconds = floor(internal.seconds_of(v_credit)), background = false,
      silence_check_at = null, updated_at = internal.clock()
    where session_id = p_session.session_id returning * into p_session;
    return internal.session_outcome(p_session);
  end if;
  -- The last one counts.
  v_own := internal.countable(p_session.progress, p_session.started_at, (
    select max(occurred_at) from public.session_events where session_id = p_session.session_id and event_type = 'abandon'));
  update public.study_sessions set
    status = 'abandoned', ended_at = greatest(started_at, upper(v_own)), end_reason = p_reason,
    focus_seconds = floor(internal.seconds_of(v_own)), background = false, silence_check_at = null,
    updated_at = internal.clock()
  where session_id = p_session.session_id returning * into p_session;
  return internal.session_outcome(p_session);
end $$;

-- End a session at p_until without a client's request. It is completed if its credited time reaches 80 % of the plan or if
-- it was completed before; otherwise, or if others cover it completely, it is abandoned.
create function internal.close_session(p_session public.study_sessions, p_until timestamptz, p_reason text, p_mode text) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_outcome jsonb;
begin
  if p_session.credit is not null
      or internal.credited_seconds(p_session.progress, p_session.started_at, p_until) >= 0.8 * 60 * p_session.duration_minutes then
    v_outcome := internal.record_completion(p_session, p_until, null, null, p_mode, p_reason);
  end if;
  return coalesce(v_outcome, internal.record_abandonment(p_session, p_until, p_reason));
end $$;

-- Close a session that was silent for 60 minutes. It ended with its credit, 5 minutes after its last sign of life or when
-- the next session started, not when the silence was noticed.
create function internal.close_silent_session(p_session public.study_sessions, p_mode text) returns jsonb
language sql volatile set search_path = '' as $$
  select internal.close_session(p_session, least(p_session.last_activity_at + interval '5 minutes', (
    select min(started_at) from public.study_sessions o
    where o.user_id = p_session.user_id and o.session_id <> p_session.session_id and o.started_at >= p_session.last_activity_at)), 'silent', p_mode)
$$;

select internal.lock_down();
