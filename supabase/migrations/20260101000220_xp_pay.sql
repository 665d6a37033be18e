-- What a completed session pays, whichever way it ended (docs/contract.md: "XP").

-- Pay a completed session that ended at p_ended_at, with all that hangs on it: totals, study day, ledger and badges, and
-- by the ledger's trigger the leaderboards. p_space_id is the space that it counts for, null for none. The caller has
-- locked the user (internal.lock_user).
-- Returns {"xp_awarded", "xp_breakdown": {source: amount}, "total_xp", "level", "leveled_up", "new_badges"}.
create function internal.award_session(
  p_user_id uuid, p_session_id uuid, p_space_id uuid, p_focus_seconds integer, p_ended_at timestamptz) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := internal.clock();
  v_local_day date := (p_ended_at at time zone (select timezone from public.profiles where user_id = p_user_id))::date;
  v_day public.study_days := internal.record_study_day(p_user_id, v_local_day, p_focus_seconds);
  v_pay jsonb := internal.xp_for_session(p_focus_seconds, v_day);
  v_earned bigint := (select coalesce(sum(value::integer), 0) from jsonb_each_text(v_pay));
  v_before bigint := (select session_xp from public.user_stats where user_id = p_user_id);
  v_milestones jsonb := (
    select coalesce(jsonb_object_agg(source, amount), '{}')
    from (select source, sum(amount) as amount from internal.milestones_between(v_before, v_before + v_earned) group by 1) m);
  v_xp bigint := v_earned + (select coalesce(sum(value::integer), 0) from jsonb_each_text(v_milestones));
  v_after public.user_stats;
begin
  update public.study_days set
    xp = xp + v_xp,
    bonus_xp = bonus_xp + v_earned - coalesce((v_pay ->> 'session')::integer, 0),
    short_sessions_paid = short_sessions_paid + (p_focus_seconds < 60 and v_pay ? 'session')::integer,
    daily_bonus_paid = daily_bonus_paid or v_pay ? 'daily_bonus',
    -- Decided once, also where it came to nothing: what arrives later does not rate the streak again.
    streak_bonus_rated = focus_seconds >= 25 * 60
  where user_id = p_user_id and day = v_local_day;

  update public.user_stats set
    total_xp = total_xp + v_xp,
    session_xp = session_xp + v_earned,
    completed_sessions = completed_sessions + 1,
    focus_seconds = focus_seconds + p_focus_seconds,
    -- A late day lengthens the runs after it.
    best_streak = greatest(best_streak, (
      select max(streak) from public.study_days where user_id = p_user_id and day >= v_local_day)),
    best_day_seconds = greatest(best_day_seconds, v_day.focus_seconds),
    xp_by_source = internal.sum_by_key(xp_by_source, v_pay || v_milestones),
    updated_at = v_now
  where user_id = p_user_id returning * into v_after;

  -- In one statement: the boards are then brought up to date once, in one order for everybody.
  insert into public.xp_ledger
    (user_id, amount, source, session_id, milestone, day, space_id, occurred_at, created_at)
  select p_user_id, paid.amount, paid.source, p_session_id, paid.milestone, v_local_day, p_space_id, p_ended_at, v_now
  from (
    select value::integer as amount, key::public.xp_source as source, null::integer as milestone from jsonb_each_text(v_pay)
    union all
    select amount, source, milestone from internal.milestones_between(v_before, v_before + v_earned)
  ) paid;

  return jsonb_build_object(
    'xp_awarded', v_xp, 'xp_breakdown', v_pay || v_milestones, 'total_xp', v_after.total_xp, 'level', v_after.level,
    'leveled_up', v_after.total_xp / 100 > (v_after.total_xp - v_xp) / 100,
    'new_badges', internal.award_badges(p_user_id, p_ended_at));
end $$;

select internal.lock_down();
