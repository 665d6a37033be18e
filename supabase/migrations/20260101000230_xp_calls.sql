-- XP, badge and streak calls for clients (docs/contract.md: "Gamification").

create function internal.tier(p_total_xp bigint, p_best_streak integer) returns text
language sql immutable set search_path = '' as $$
  select case
    when p_total_xp >= 15000 and p_best_streak >= 30 then 'diamond'
    when p_total_xp >= 5000 and p_best_streak >= 14 then 'platinum'
    when p_total_xp >= 2000 and p_best_streak >= 7 then 'gold'
    when p_total_xp >= 500 and p_best_streak >= 3 then 'silver'
    else 'bronze' end
$$;

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
comment on function public.get_xp is 'A user''s XP, level and tier.';

-- Newest first, below p_before. One extra row if there are more than p_limit.
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
comment on function public.get_xp_history is 'A page of the user''s XP ledger, newest first.';

create function internal.badge_json(p_badge public.badges) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('key', p_badge.badge_key, 'name', p_badge.name, 'description', p_badge.description,
                            'metric', p_badge.metric, 'threshold', p_badge.threshold)
$$;

create function public.get_badges() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.badge_json(b) order by b.position, b.badge_key), '[]') from public.badges b
$$;
comment on function public.get_badges is 'The catalog of badges.';

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
comment on function public.get_user_badges is 'Badges that a user has earned, and progress towards the others.';

create function public.get_streaks(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  with facts as (
    select s.user_id, s.best_streak, internal.current_streak(s.user_id) as streak,
           (select max(day) from public.study_days d where d.user_id = s.user_id and d.streak > 0) as last_day,
           internal.local_today(s.user_id) as today, p.share_activity
    from internal.require_user(p_user_id) s join public.profiles p using (user_id)
  )
  select jsonb_build_object(
    'user_id', user_id, 'current_streak', streak, 'best_streak', best_streak,
    'last_active_date', internal.calendar_date(user_id, last_day),
    'active_today', coalesce(last_day >= today, false), 'at_risk', streak > 0 and last_day < today,
    'share_activity', share_activity, 'bonus_xp', least(50, 2 * (streak / 7)),
    'next_milestone', (select min(threshold) from public.badges where metric = 'best_streak' and threshold > streak))
  from facts
$$;
comment on function public.get_streaks is 'A user''s current and best streak.';

select internal.lock_down();
