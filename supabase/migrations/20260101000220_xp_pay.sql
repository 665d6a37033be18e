-- XP for completed sessions and their days, however the sessions ended (docs/contract.md: "XP").

-- Add the seconds that a session gained to their days and subtract those that it lost; this may change which days count for
-- the streak. p_ended_on: the day on which a session ended that was not paid before. Returns the first day that changed.
create function internal.count_seconds(
  p_user_id uuid, p_gained tstzmultirange, p_lost tstzmultirange, p_ended_on date default null) returns date
language plpgsql set search_path = '' as $$
declare
  v_day_row public.study_days;
  v_first date := date 'infinity';
begin
  for v_day_row in
    insert into public.study_days as old (user_id, day, focus_seconds, sessions)
    select p_user_id, day, sum(seconds), sum(ended) from (
      select day, seconds, 0 as ended from internal.days_of(p_user_id, p_gained)
      union all
      select day, -seconds, 0 from internal.days_of(p_user_id, p_lost)
      union all
      select p_ended_on, 0, 1 where p_ended_on is not null
    ) changes group by day order by day
    on conflict (user_id, day) do update set
      focus_seconds = old.focus_seconds + excluded.focus_seconds, sessions = old.sessions + excluded.sessions
    returning *
  loop
    v_first := least(v_first, v_day_row.day);
    if v_day_row.focus_seconds >= 60 and v_day_row.streak = 0 then
      perform internal.join_streak(p_user_id, v_day_row.day);
    elsif v_day_row.focus_seconds < 60 and v_day_row.streak > 0 then
      perform internal.recount_streaks(p_user_id);
    end if;
  end loop;
  return v_first;
end $$;

-- An award that is due.
create type internal.award as (
  source public.xp_source, rates public.xp_source, amount integer, day date, occurred_at timestamptz, space_id uuid,
  milestone integer);
comment on type internal.award is 'An award that is due, before it is entered in the ledger.';

-- The unpaid awards of a session of p_seconds (null: it no longer counts). p_paid: {source: amount} so far, null if it was
-- never paid; p_has_place: it is one of the five short sessions that its day pays.
create function internal.session_awards(
  p_paid jsonb, p_seconds integer, p_has_place boolean, p_day date, p_at timestamptz, p_space_id uuid)
returns setof internal.award
language sql stable set search_path = '' as $$
  select case when p_paid is null then due.source else 'rerating' end, case when p_paid is not null then due.source end,
         due.amount - coalesce((p_paid ->> due.source::text)::integer, 0), p_day, p_at, p_space_id, null::integer
  from (values
    ('session'::public.xp_source, case when p_seconds is null then 0
                                       when p_seconds >= 60 then p_seconds / 60
                                       else p_has_place::integer end),
    ('focus_bonus', case when p_seconds >= 25 * 60 then 10 else 0 end)
  ) due (source, amount)
  where due.amount <> coalesce((p_paid ->> due.source::text)::integer, 0)
$$;

-- Reversals of awards that a session paid on other days than that of p_at, in UTC or local, because its last second moved.
create function internal.misdated_awards(p_user_id uuid, p_session_id uuid, p_at timestamptz) returns setof internal.award
language sql stable set search_path = '' as $$
  select 'rerating'::public.xp_source, internal.counted_source(source, rates), -sum(amount)::integer, day, occurred_at, space_id,
         null::integer
  from public.xp_ledger
  where user_id = p_user_id and session_id = p_session_id
    and internal.counted_source(source, rates) in ('session', 'focus_bonus')
    and ((occurred_at at time zone 'UTC')::date <> (p_at at time zone 'UTC')::date
      or day <> (select internal.study_day(p_user_id, p_at)))
  group by 2, 4, 5, 6 having sum(amount) <> 0
$$;

-- Corrections for the days from p_from on: awards earned but not yet paid, and awards paid but no longer earned.
create function internal.day_awards(p_user_id uuid, p_from date) returns setof internal.award
language sql stable set search_path = '' as $$
  select case when due.amount < due.paid or exists (
                select from public.xp_ledger l where l.user_id = p_user_id and l.day = d.day and l.source = due.source)
              then 'rerating' else due.source end,
         due.source, due.amount - due.paid, d.day, internal.day_end(p_user_id, d.day) - interval '1 microsecond',
         null::uuid, null::integer
  from public.study_days d
  cross join lateral (values
    ('daily_bonus'::public.xp_source, case when d.focus_seconds >= 120 * 60 then 20 else 0 end,
     case when d.daily_bonus_paid then 20 else 0 end),
    ('streak_bonus', case when d.focus_seconds >= 25 * 60 then least(50, 2 * (d.streak / 7)) else 0 end, d.streak_bonus::integer)
  ) due (source, amount, paid)
  where d.user_id = p_user_id and d.day >= p_from and due.amount <> due.paid
$$;

-- The day that paid a session as one of its five short ones, if it did. p_time is what the session was credited.
create function internal.short_session_day(p_session_id uuid, p_time tstzmultirange) returns date
language sql stable set search_path = '' as $$
  select day from public.xp_ledger
  where session_id = p_session_id and internal.counted_source(source, rates) = 'session' and internal.seconds_of(p_time) < 60
  group by day having sum(amount) > 0 limit 1
$$;

-- Move a short session's place among the five that a day pays from one day to another. Null: it has none.
create function internal.move_short_session(p_user_id uuid, p_from date, p_to date) returns void
language sql volatile set search_path = '' as $$
  update public.study_days set
    short_sessions_paid = short_sessions_paid + coalesce(day = p_to, false)::integer - coalesce(day = p_from, false)::integer
  where user_id = p_user_id and day in (p_from, p_to) and p_from is distinct from p_to
$$;

-- The unpaid awards of a session and of the days from p_from on. The session is credited p_seconds (null: it no longer
-- counts) until p_at, on p_day; p_paid_before: it was paid before; p_has_place: see session_awards.
create function internal.due_awards(
  p_user_id uuid, p_session_id uuid, p_space_id uuid, p_seconds integer, p_day date, p_at timestamptz, p_from date,
  p_paid_before boolean, p_has_place boolean) returns setof internal.award
language plpgsql stable set search_path = '' as $$
declare
  v_misdated internal.award[] := array(select a from internal.misdated_awards(p_user_id, p_session_id, p_at) a);
  -- A session that stopped counting and counts again was also paid before.
  v_paid jsonb := case when p_paid_before or exists (
      select from public.xp_ledger l where l.session_id = p_session_id and l.source <> 'correction')
    then internal.sum_by_key(internal.paid_by_source(p_session_id), (
      select coalesce(jsonb_object_agg(rates, amount), '{}')
      from (select rates, sum(amount) as amount from unnest(v_misdated) group by 1) taken_back)) end;
  v_awards internal.award[] := array(
    select a from internal.session_awards(v_paid, p_seconds, p_has_place, p_day, p_at, p_space_id) a
    union all
    select a from unnest(v_misdated) a
    union all
    select a from internal.day_awards(p_user_id, p_from) a);
  v_before bigint := (select session_xp from public.user_stats where user_id = p_user_id);
  v_earned bigint := (select coalesce(sum(amount), 0) from unnest(v_awards));
begin
  return query
  select * from unnest(v_awards)
  union all
  select m.source, null, m.amount, p_day, p_at, null, m.milestone
  from internal.milestones_between(v_before, v_before + v_earned) m
  where not exists (
    select from public.xp_ledger l where l.user_id = p_user_id and l.source = m.source and l.milestone = m.milestone);
end $$;

create function internal.add_to_days(p_user_id uuid, p_awards internal.award[]) returns void
language sql volatile set search_path = '' as $$
  insert into public.study_days as d (user_id, day, xp, bonus_xp, daily_bonus_paid, streak_bonus)
  select p_user_id, day, sum(amount),
         coalesce(sum(amount) filter (where counted not in ('session', 'milestone_500', 'milestone_10000')), 0),
         coalesce(sum(amount) filter (where counted = 'daily_bonus'), 0) > 0,
         coalesce(sum(amount) filter (where counted = 'streak_bonus'), 0)
  from (select *, internal.counted_source(source, rates) as counted from unnest(p_awards)) awards group by day order by day
  on conflict (user_id, day) do update set
    xp = d.xp + excluded.xp, bonus_xp = d.bonus_xp + excluded.bonus_xp,
    daily_bonus_paid = d.focus_seconds >= 120 * 60, streak_bonus = d.streak_bonus + excluded.streak_bonus
$$;

-- Withdraw badges whose rules are no longer met because the data behind them was corrected.
create function internal.withdraw_badges(p_user_id uuid, p_metrics text[] default null) returns void
language sql volatile set search_path = '' as $$
  delete from public.user_badges u using public.badges b
  where u.user_id = p_user_id and b.badge_key = u.badge_key and (p_metrics is null or b.metric = any (p_metrics))
    and not exists (
      select from internal.badge_metrics(p_user_id) m where m.metric = b.metric and m.value >= b.threshold)
$$;

-- Enter awards in the ledger in one statement, so that the boards are updated once, in the same order for everybody.
create function internal.enter_awards(p_user_id uuid, p_session_id uuid, p_awards internal.award[]) returns void
language sql volatile set search_path = '' as $$
  insert into public.xp_ledger
    (user_id, amount, source, rates, session_id, milestone, day, space_id, occurred_at, created_at)
  select p_user_id, amount, source, case when source = 'rerating' then rates end, p_session_id, milestone, day, space_id,
         occurred_at, internal.clock()
  from unnest(p_awards)
$$;

-- Pay a session that is now credited p_after (null: it no longer counts) and was credited p_before (null: never paid).
-- Updates days, totals, ledger and badges, and the leaderboards through the ledger's trigger. The session ended at
-- p_ended_at; p_space_id is the space that it counts for, or null. The caller has locked the user (internal.lock_user).
-- Returns {"xp_awarded": now, "xp_breakdown": {source: amount}, "total_xp", "level", "leveled_up", "new_badges"}, and as
-- "vacated_day" the day on which another short session can be paid now.
create function internal.award_session(
  p_user_id uuid, p_session_id uuid, p_space_id uuid, p_before tstzmultirange, p_after tstzmultirange,
  p_ended_at timestamptz) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_gained tstzmultirange := coalesce(p_after, '{}') - coalesce(p_before, '{}');
  v_lost tstzmultirange := coalesce(p_before, '{}') - coalesce(p_after, '{}');
  v_at timestamptz := coalesce(upper(p_after) - interval '1 microsecond', p_ended_at);
  v_day date := internal.study_day(p_user_id, v_at);
  v_seconds integer := case when p_after is not null then floor(internal.seconds_of(p_after)) end;
  v_from date := internal.count_seconds(p_user_id, v_gained, v_lost, case when p_before is null then v_day end);
  v_old_place date := internal.short_session_day(p_session_id, p_before);
  v_place date := case when v_seconds < 60 and (v_old_place is not distinct from v_day or coalesce((
    select short_sessions_paid from public.study_days where user_id = p_user_id and day = v_day), 0) < 5) then v_day end;
  v_awards internal.award[] := array(
    select a from internal.due_awards(
      p_user_id, p_session_id, p_space_id, v_seconds, v_day, v_at, v_from, p_before is not null, v_place is not null) a);
  v_xp bigint := (select coalesce(sum(amount), 0) from unnest(v_awards));
  v_from_sessions bigint := (select coalesce(sum(amount) filter (where milestone is null), 0) from unnest(v_awards));
  v_breakdown jsonb := (select coalesce(jsonb_object_agg(source, amount), '{}') from (
    select internal.counted_source(source, rates) as source, sum(amount) as amount from unnest(v_awards) group by 1) by_source);
  v_after public.user_stats;
begin
  perform internal.add_to_days(p_user_id, v_awards);
  perform internal.move_short_session(p_user_id, v_old_place, v_place);
  update public.user_stats set
    total_xp = total_xp + v_xp,
    session_xp = session_xp + v_from_sessions,
    completed_sessions = completed_sessions + (p_before is null)::integer - (p_after is null)::integer,
    focus_seconds = focus_seconds + coalesce(v_seconds, 0) - floor(internal.seconds_of(coalesce(p_before, '{}')))::integer,
    -- A late day lengthens the streaks after it; a day that lost time may have been the best one or part of the longest
    -- streak.
    best_streak = greatest(case when v_lost = '{}' then best_streak end, d.streak, 0),
    best_day_seconds = greatest(case when v_lost = '{}' then best_day_seconds end, d.seconds, 0),
    xp_by_source = internal.sum_by_key(xp_by_source, v_breakdown),
    updated_at = internal.clock()
  from (
    select max(streak) as streak, floor(max(focus_seconds))::integer as seconds from public.study_days
    where user_id = p_user_id and day >= case when v_lost = '{}' then v_from else '-infinity' end) d
  where user_id = p_user_id returning user_stats.* into v_after;
  if v_lost <> '{}' then
    perform internal.withdraw_badges(p_user_id);
  end if;
  perform internal.enter_awards(p_user_id, p_session_id, v_awards);
  return jsonb_build_object(
    'xp_awarded', v_xp, 'xp_breakdown', v_breakdown, 'total_xp', v_after.total_xp, 'level', v_after.level,
    'leveled_up', v_after.total_xp / 100 > (v_after.total_xp - v_xp) / 100,
    'new_badges', internal.award_badges(p_user_id, p_ended_at),
    'vacated_day', case when v_place is distinct from v_old_place then v_old_place end);
end $$;

select internal.lock_down();
