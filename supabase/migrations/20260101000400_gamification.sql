-- What the gamification domain reads, and the invariants that all of it obeys (CONTRACT: "Gamification").

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
    'xp_by_source', (
      select coalesce(jsonb_object_agg(source, xp), '{}')
      from (select source, sum(amount) as xp from public.xp_ledger where user_id = s.user_id group by source) by_source),
    'last_30_days_xp', (
      select coalesce(sum(amount), 0) from public.xp_ledger
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
  select board_id into v_board from public.leaderboards
  where space_id is not distinct from p_space_id and period = p_period and period_start = v_start;
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

-- Whatever does not hold, as rows (invariant, subject, expected, found); none is how it should be. Reads everything:
-- for tests, the demo and a schedule at night. It must see one moment: call it in one statement.
create function public.check_invariants()
returns table (invariant text, subject text, expected text, found text)
language sql stable security definer set search_path = '' as $$
  with ledger as (
    select user_id, sum(amount) as total, coalesce(sum(amount) filter (where milestone is null), 0) as from_sessions
    from public.xp_ledger group by user_id
  ), scores as (
    select b.board_id, l.user_id, sum(l.amount) as xp
    from public.leaderboards b
    join public.xp_ledger l on l.occurred_at >= b.period_start::timestamp at time zone 'UTC'
      and (b.period_end = 'infinity' or l.occurred_at < b.period_end::timestamp at time zone 'UTC')
      and (b.period_end = 'infinity' or l.created_at < b.period_end::timestamp at time zone 'UTC')
      and (b.space_id is null or b.space_id = l.space_id)
    where b.space_id is null or internal.is_member(b.space_id, l.user_id)
    group by 1, 2
  ), buckets as (
    select board_id, fine, case when fine then xp else xp >> 8 end as bucket, count(*) as users
    from public.leaderboard_scores cross join (values (false), (true)) f (fine) group by 1, 2, 3
  ), kept_buckets as (
    select board_id, fine, bucket, sum(users) as users from public.leaderboard_buckets
    group by 1, 2, 3 having sum(users) <> 0
  ), runs as (
    select user_id, day, streak, row_number() over (
      partition by user_id, day - numbered.n order by day) as length
    from (select *, (row_number() over (partition by user_id order by day))::integer as n from public.study_days) numbered
  ), days as (
    select user_id, (max(length))::integer as best_streak from runs group by user_id
  ), done as (
    select user_id, count(*) as sessions, sum(focus_seconds) as focus_seconds from public.study_sessions
    where status = 'completed' and not held group by user_id
  ), deserved as (
    select s.user_id, b.badge_key from public.user_stats s
    cross join lateral internal.badge_metrics(s.user_id) m
    join public.badges b on b.metric = m.metric and m.value >= b.threshold and b.backfill_done
  )
  select 'total_xp = sum of the ledger', s.user_id::text, coalesce(l.total, 0)::text, s.total_xp::text
  from public.user_stats s left join ledger l using (user_id) where s.total_xp <> coalesce(l.total, 0)
  union all
  select 'session_xp = ledger without milestones', s.user_id::text, coalesce(l.from_sessions, 0)::text, s.session_xp::text
  from public.user_stats s left join ledger l using (user_id) where s.session_xp <> coalesce(l.from_sessions, 0)
  union all
  select 'level = 1 + total_xp // 100', user_id::text, (1 + total_xp / 100)::text, level::text
  from public.user_stats where level <> 1 + total_xp / 100
  union all
  select 'scores = ledger of the period', coalesce(e.board_id, k.board_id) || ' ' || coalesce(e.user_id, k.user_id),
         e.xp::text, k.xp::text
  from scores e full join public.leaderboard_scores k using (board_id, user_id) where e.xp is distinct from k.xp
  union all
  select 'histogram = scores', concat_ws(' ', board_id, fine, bucket), e.users::text, k.users::text
  from buckets e full join kept_buckets k using (board_id, fine, bucket) where e.users is distinct from k.users
  union all
  select 'badges = rules', concat_ws(' ', user_id, badge_key), (d.user_id is not null)::text, (u.user_id is not null)::text
  from deserved d full join (
    select user_id, badge_key from public.user_badges join public.badges using (badge_key) where backfill_done
  ) u using (user_id, badge_key)
  where d.user_id is null or u.user_id is null
  union all
  select 'streak of a day = run that ends on it', concat_ws(' ', user_id, day), length::text, streak::text
  from runs where streak <> length
  union all
  select 'best_streak = longest run', s.user_id::text, coalesce(d.best_streak, 0)::text, s.best_streak::text
  from public.user_stats s left join days d using (user_id) where s.best_streak <> coalesce(d.best_streak, 0)
  union all
  select 'completed sessions = sessions that count', s.user_id::text,
         concat_ws(' ', coalesce(d.sessions, 0), coalesce(d.focus_seconds, 0)),
         concat_ws(' ', s.completed_sessions, s.focus_seconds)
  from public.user_stats s left join done d using (user_id)
  where (s.completed_sessions, s.focus_seconds) <> (coalesce(d.sessions, 0), coalesce(d.focus_seconds, 0))
  union all
  select 'paid once = outcome of the session', s.session_id::text, (s.outcome ->> 'xp_awarded'), coalesce(sum(l.amount), 0)::text
  from public.study_sessions s left join public.xp_ledger l using (session_id)
  where s.status = 'completed'
  group by s.session_id having coalesce(sum(l.amount), 0) <> (s.outcome ->> 'xp_awarded')::integer
$$;

select internal.lock_down();
