-- What the gamification domain reads (CONTRACT: "Gamification").

create function internal.tier(p_total_xp bigint, p_best_streak integer) returns text
language sql immutable set search_path = '' as $$
  select case
    when p_total_xp >= 15000 and p_best_streak >= 30 then 'diamond'
    when p_total_xp >= 5000 and p_best_streak >= 14 then 'platinum'
    when p_total_xp >= 2000 and p_best_streak >= 7 then 'gold'
    when p_total_xp >= 500 and p_best_streak >= 3 then 'silver'
    else 'bronze' end
$$;

create function internal.local_today(p_user_id uuid) returns date
language sql stable set search_path = '' as $$
  select (internal.clock() at time zone timezone)::date from public.profiles where user_id = p_user_id
$$;

create function internal.require_user(p_user_id uuid) returns public.user_stats
language plpgsql stable set search_path = '' as $$
declare
  v_stats public.user_stats;
begin
  select * into v_stats from public.user_stats where user_id = p_user_id;
  if not found then
    perform internal.fail('SS001', 'No such user.');
  end if;
  return v_stats;
end $$;

create function public.get_xp(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'user_id', s.user_id, 'total_xp', s.total_xp, 'level', s.level, 'level_progress', (s.total_xp % 100) / 100.0,
    'next_level_xp', s.level * 100, 'tier', internal.tier(s.total_xp, s.best_streak),
    'xp_by_source', s.xp_by_source,
    'last_30_days_xp', (
      select coalesce(sum(xp), 0) from public.study_days
      where user_id = s.user_id and day > internal.local_today(s.user_id) - 30))
  from internal.require_user(p_user_id) s
$$;

-- Newest first, from below p_before. One row more than p_limit where there are more.
create function public.get_xp_history(p_user_id uuid, p_limit integer, p_before bigint default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'entry_id', l.entry_id, 'amount', l.amount, 'source', l.source, 'session_id', l.session_id,
    'milestone', l.milestone, 'day', l.day, 'occurred_at', l.occurred_at, 'created_at', l.created_at)
    order by l.entry_id desc), '[]')
  from (
    select * from public.xp_ledger where user_id = p_user_id and entry_id < coalesce(p_before, 9223372036854775807)
    order by entry_id desc limit p_limit + 1
  ) l
$$;

create function internal.badge_json(b public.badges) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('key', b.badge_key, 'name', b.name, 'description', b.description,
                            'metric', b.metric, 'threshold', b.threshold)
$$;

create function public.get_badges() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.badge_json(b) order by b.position, b.badge_key), '[]') from public.badges b
$$;

create function public.get_user_badges(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  with catalogue as (
    select b.position, b.badge_key, internal.badge_json(b) as badge, e.earned_at,
           round(least(1, m.value::numeric / b.threshold), 4) as progress
    from internal.require_user(p_user_id) s
    cross join public.badges b
    join internal.badge_metrics(s.user_id) m on m.metric = b.metric
    left join public.user_badges e on e.user_id = s.user_id and e.badge_key = b.badge_key
  )
  select jsonb_build_object(
    'earned_badges', coalesce(jsonb_agg(badge || jsonb_build_object('earned_at', earned_at)
                              order by position, badge_key) filter (where earned_at is not null), '[]'),
    'available_badges', coalesce(jsonb_agg(badge || jsonb_build_object('progress', progress)
                                 order by position, badge_key) filter (where earned_at is null), '[]'))
  from catalogue
$$;

create function public.get_streaks(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  with facts as (
    select s.user_id, s.best_streak, internal.current_streak(s.user_id, p.timezone) as streak,
           (select max(day) from public.study_days d where d.user_id = s.user_id) as last_day,
           internal.local_today(s.user_id) as today
    from internal.require_user(p_user_id) s join public.profiles p using (user_id)
  )
  select jsonb_build_object(
    'user_id', user_id, 'current_streak', streak, 'best_streak', best_streak, 'last_active_date', last_day,
    'active_today', coalesce(last_day >= today, false), 'at_risk', streak > 0 and last_day < today,
    'bonus_xp', least(50, 2 * (streak / 7)),
    'next_milestone', (select min(threshold) from public.badges where metric = 'best_streak' and threshold > streak))
  from facts
$$;

-- A board's page, the caller's own line and the number of users, in one call. p_with_page false: the caller has the
-- page already. A period without a score has an empty board; p_period_start null: the current one.
create function public.get_leaderboard(
  p_caller_id uuid, p_period text, p_period_start date, p_space_id uuid, p_limit integer, p_with_page boolean,
  p_after_xp integer default null, p_after_at timestamptz default null, p_after_id uuid default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_start date := coalesce(p_period_start, (
    select period_start from internal.leaderboard_periods(internal.clock()) where period = p_period));
  v_board bigint;
  v_xp integer;
begin
  perform from public.user_stats where user_id = p_caller_id;
  if not found then
    perform internal.fail('SS006', 'This account no longer exists.');
  end if;
  if p_space_id is not null then
    perform internal.authorize_space(p_caller_id, p_space_id, 'leaderboard');
  end if;
  -- Apart, because an index answers "is null" and "=", but not "is not distinct from".
  if p_space_id is null then
    select board_id into v_board from public.leaderboards
    where space_id is null and period = p_period and period_start = v_start;
  else
    select board_id into v_board from public.leaderboards
    where space_id = p_space_id and period = p_period and period_start = v_start;
  end if;
  select xp into v_xp from public.leaderboard_scores where board_id = v_board and user_id = p_caller_id;
  return jsonb_build_object(
    'period', p_period, 'period_start', v_start, 'generated_at', internal.clock(),
    'entries', case when p_with_page then coalesce(
      internal.leaderboard_page(v_board, p_limit, p_after_xp, p_after_at, p_after_id), '[]') end,
    'total_users', (select coalesce(sum(users), 0) from public.leaderboard_buckets where board_id = v_board and not fine),
    'me', (select jsonb_build_object(
        'rank', case when v_xp is not null then internal.rank_of(v_board, v_xp) end, 'user_id', p.user_id, 'username', p.username,
        'xp', coalesce(v_xp, 0), 'level', u.level)
      from public.profiles p join public.user_stats u using (user_id) where p.user_id = p_caller_id));
end $$;

select internal.lock_down();
