-- Badges: one row with a rule each, awarded in the transaction that made the user qualify (docs/contract.md:
-- "Gamification"). Every metric only grows, so an earned badge stays earned.

create table public.badges (
  badge_key text primary key check (badge_key ~ '^[a-z0-9_]{1,50}$'),
  name text not null,
  description text not null,
  metric text not null check (metric in ('completed_sessions', 'best_streak', 'best_day_minutes', 'level', 'total_xp')),
  threshold integer not null check (threshold > 0),
  position integer not null default 1000,  -- in the catalog
  -- Progress of awarding a new badge to users who already qualify: user ids up to this one are done.
  backfilled_to uuid not null default '00000000-0000-0000-0000-000000000000',
  backfill_done boolean not null default false
);
comment on table public.badges is 'The catalog of badges, each with a metric and a threshold.';
create policy everybody on public.badges for select to authenticated using (true);

create table public.user_badges (
  user_id uuid not null references public.profiles on delete cascade,
  badge_key text not null references public.badges on delete cascade,
  earned_at timestamptz not null,
  primary key (user_id, badge_key)
);
comment on table public.user_badges is 'Badges that users have earned.';
create policy own_badges on public.user_badges for select to authenticated using (user_id = (select auth.uid()));

insert into public.badges (badge_key, name, description, metric, threshold, position, backfill_done) values
  ('first_session', 'First steps', 'Complete a session', 'completed_sessions', 1, 10, true),
  ('50_sessions', 'Regular', 'Complete 50 sessions', 'completed_sessions', 50, 20, true),
  ('100_sessions', 'Veteran', 'Complete 100 sessions', 'completed_sessions', 100, 30, true),
  ('7_day_streak', 'Week of focus', 'Study 7 days in a row', 'best_streak', 7, 40, true),
  ('30_day_streak', 'Month of focus', 'Study 30 days in a row', 'best_streak', 30, 50, true),
  ('100_day_streak', 'Unstoppable', 'Study 100 days in a row', 'best_streak', 100, 60, true),
  ('10_hour_grind', 'Ten-hour grind', 'Study 600 minutes in one day', 'best_day_minutes', 600, 70, true),
  ('level_5', 'Level 5', 'Reach level 5', 'level', 5, 80, true),
  ('level_10', 'Level 10', 'Reach level 10', 'level', 10, 90, true),
  ('100_xp', 'Hundred', 'Earn 100 XP', 'total_xp', 100, 100, true),
  ('1000_xp', 'Thousand', 'Earn 1,000 XP', 'total_xp', 1000, 110, true),
  ('5000_xp', 'Five thousand', 'Earn 5,000 XP', 'total_xp', 5000, 120, true);

-- A user's value of each metric.
create function internal.badge_metrics(p_user_id uuid) returns table (metric text, value bigint)
language sql stable set search_path = '' as $$
  select m.metric, m.value from public.user_stats s
  cross join lateral (values
    ('completed_sessions', s.completed_sessions::bigint), ('best_streak', s.best_streak::bigint),
    ('best_day_minutes', s.best_day_seconds / 60::bigint), ('level', s.level::bigint), ('total_xp', s.total_xp)
  ) m (metric, value)
  where s.user_id = p_user_id
$$;

-- Award badges that the user now qualifies for; returns the new keys in catalog order.
create function internal.award_badges(p_user_id uuid, p_earned_at timestamptz) returns text[]
language sql volatile set search_path = '' as $$
  with earned as (
    insert into public.user_badges (user_id, badge_key, earned_at)
    select p_user_id, b.badge_key, p_earned_at
    from public.badges b join internal.badge_metrics(p_user_id) m on m.metric = b.metric and m.value >= b.threshold
    on conflict do nothing
    returning badge_key
  )
  select coalesce(array_agg(b.badge_key order by b.position, b.badge_key), '{}')
  from earned join public.badges b using (badge_key)
$$;

-- Award new badges to users who already qualify: up to p_limit users of one badge per call, continuing where the last call
-- stopped. Returns how many badges are unfinished; the schedule calls it until that is 0.
create function public.backfill_badges(p_limit integer default 10000) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_badge public.badges;
  v_last uuid;
begin
  select * into v_badge from public.badges where not backfill_done order by badge_key limit 1 for update skip locked;
  if found then
    with batch as (
      select user_id from public.user_stats where user_id > v_badge.backfilled_to order by user_id limit p_limit
    ), awarded as (
      insert into public.user_badges (user_id, badge_key, earned_at)
      select batch.user_id, v_badge.badge_key, internal.clock()
      from batch
      join public.profiles p using (user_id)
      cross join lateral internal.badge_metrics(batch.user_id) m
      where m.metric = v_badge.metric and m.value >= v_badge.threshold
      order by batch.user_id  -- the order in which change counters are locked (see internal.declare_changes)
      for key share of p skip locked  -- skip accounts that are being deleted
      on conflict do nothing
    )
    select max(user_id::text)::uuid into v_last from batch;
    update public.badges set backfilled_to = coalesce(v_last, backfilled_to), backfill_done = v_last is null
    where badge_key = v_badge.badge_key;
  end if;
  return (select count(*) from public.badges where not backfill_done);
end $$;
comment on function public.backfill_badges is
  'Award new badges to users who qualified before; returns how many badges are unfinished.';

select internal.lock_down();
