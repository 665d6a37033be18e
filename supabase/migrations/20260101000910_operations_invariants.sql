-- Invariants of XP and everything derived from it, and how to check them in a database of any size.

-- XP violations for users after p_after and up to p_until, as rows (invariant, subject, expected, found). Planned for the
-- given range: index lookups for a few thousand users, one full scan for all. Uses full joins even where left joins would
-- do: the planner expects a range of ids to be small and would compare each row with each.
create function internal.violations_of_xp(p_after uuid, p_until uuid)
returns table (invariant text, subject text, expected text, found text)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  with stats as (
    select * from public.user_stats u where u.user_id > p_after and u.user_id <= p_until
  ), entries as materialized (
    select l.user_id, l.amount, l.source, l.day, l.milestone, internal.counted_source(l.source, l.rates) as counted
    from public.xp_ledger l where l.user_id > p_after and l.user_id <= p_until
  ), ledger as (
    select e.user_id, sum(e.amount) as total,
           coalesce(sum(e.amount) filter (where e.milestone is null and e.source <> 'correction'), 0) as from_sessions
    from entries e group by e.user_id
  ), sources as (
    select by_source.user_id, jsonb_object_agg(source, xp) as xp
    from (select e.user_id, e.counted as source, sum(e.amount) as xp from entries e group by 1, 2) by_source
    where xp <> 0 group by 1
  )
  select 'total_xp = sum of the ledger', user_id::text, coalesce(l.total, 0)::text, s.total_xp::text
  from stats s full join ledger l using (user_id) where s.total_xp is distinct from coalesce(l.total, 0)
  union all
  select 'session_xp = ledger without milestones', user_id::text, coalesce(l.from_sessions, 0)::text, s.session_xp::text
  from stats s full join ledger l using (user_id) where s.session_xp is distinct from coalesce(l.from_sessions, 0)
  union all
  select 'xp by source = ledger', user_id::text, coalesce(l.xp, '{}')::text, s.xp_by_source::text
  from stats s full join sources l using (user_id) where s.xp_by_source is distinct from coalesce(l.xp, '{}')
  union all
  select 'xp of a day = ledger', concat_ws(' ', user_id, day), coalesce(l.xp, 0)::text, coalesce(d.xp, 0)::text
  from (select e.user_id, e.day, sum(e.amount) as xp from entries e group by 1, 2) l
  full join (select n.user_id, n.day, n.xp from public.study_days n where n.user_id > p_after and n.user_id <= p_until) d
    using (user_id, day)
  where coalesce(l.xp, 0) <> coalesce(d.xp, 0)
  union all
  select 'level = 1 + total_xp // 100', s.user_id::text, (1 + s.total_xp / 100)::text, s.level::text
  from stats s where s.level <> 1 + s.total_xp / 100;
end $$;

-- The same for leaderboard scores.
create function internal.violations_of_scores(p_after uuid, p_until uuid)
returns table (invariant text, subject text, expected text, found text)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  with entries as (
    select l.user_id, l.space_id, l.amount, l.created_at,
           date_trunc('week', l.occurred_at at time zone 'UTC')::date as week,
           date_trunc('month', l.occurred_at at time zone 'UTC')::date as month,
           l.milestone is not null or coalesce(l.rates = 'milestone_500', false) as of_no_period
    from public.xp_ledger l where l.user_id > p_after and l.user_id <= p_until
  ), earned as (
    select e.user_id, e.space_id, p.period, p.period_start, sum(e.amount) as xp
    from entries e cross join lateral (values
      ('weekly', e.week, (e.week + interval '7 days')::date),
      ('monthly', e.month, (e.month + interval '1 month')::date),
      ('all-time', date '1970-01-01', date 'infinity')
    ) p (period, period_start, period_end)
    where e.created_at < p.period_end::timestamp at time zone 'UTC' and (p.period = 'all-time' or not e.of_no_period)
    group by 1, 2, 3, 4 having sum(e.amount) <> 0
  ), scores as (
    select b.board_id, e.user_id, sum(e.xp) as xp
    from earned e join public.leaderboards b
      on b.space_id is null and b.period = e.period and b.period_start = e.period_start
    group by 1, 2
    union all
    select b.board_id, e.user_id, e.xp
    from earned e
    join public.space_members m on m.space_id = e.space_id and m.user_id = e.user_id
    join public.leaderboards b on b.space_id = e.space_id and b.period = e.period and b.period_start = e.period_start
  ), kept_scores as (
    select k.board_id, k.user_id, k.xp from public.leaderboard_scores k where k.user_id > p_after and k.user_id <= p_until
  )
  select 'scores = ledger of the period', concat_ws(' ', board_id, user_id), e.xp::text, k.xp::text
  from scores e full join kept_scores k using (board_id, user_id) where e.xp is distinct from k.xp;
end $$;

-- The same for streaks.
create function internal.violations_of_streaks(p_after uuid, p_until uuid)
returns table (invariant text, subject text, expected text, found text)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  with numbered as (
    select d.user_id, d.day, d.streak, d.focus_seconds >= 60 as counts,
           (row_number() over (partition by d.user_id, d.focus_seconds >= 60 order by d.day))::integer as number
    from public.study_days d where d.user_id > p_after and d.user_id <= p_until
  ), runs as (
    select n.user_id, n.day, n.streak,
           case when n.counts then row_number() over (partition by n.user_id, n.counts, n.day - n.number order by n.day)
                else 0 end as length
    from numbered n
  ), longest as (
    select r.user_id, (max(r.length))::integer as length from runs r group by r.user_id
  )
  select 'streak of a day = run that ends on it', concat_ws(' ', r.user_id, r.day), r.length::text, r.streak::text
  from runs r where r.streak <> r.length
  union all
  select 'best_streak = longest run', user_id::text, coalesce(l.length, 0)::text, s.best_streak::text
  from (select * from public.user_stats u where u.user_id > p_after and u.user_id <= p_until) s
  full join longest l using (user_id) where s.best_streak is distinct from coalesce(l.length, 0);
end $$;

-- The same for sessions: their credit and their pay. A reopened session counts with its credit so far.
create function internal.violations_of_sessions(p_after uuid, p_until uuid)
returns table (invariant text, subject text, expected text, found text)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  with sessions as (
    select c.session_id, c.user_id, c.xp_withheld, c.xp_awarded as xp, c.status = 'completed' or c.credit is not null as counts,
           case c.status when 'completed' then c.focus_seconds else floor(internal.seconds_of(c.credit)) end as focus_seconds
    from public.study_sessions c where c.user_id > p_after and c.user_id <= p_until
  ), counted as (
    select c.user_id, count(*) as sessions, sum(c.focus_seconds) as focus_seconds from sessions c
    where c.counts and not c.xp_withheld group by c.user_id
  ), paid as (
    select l.session_id, sum(l.amount) as xp from public.xp_ledger l
    where l.user_id > p_after and l.user_id <= p_until group by l.session_id
  )
  select 'completed sessions = sessions that count', user_id::text,
         concat_ws(' ', coalesce(c.sessions, 0), coalesce(c.focus_seconds, 0)),
         concat_ws(' ', s.completed_sessions, s.focus_seconds)
  from (select * from public.user_stats u where u.user_id > p_after and u.user_id <= p_until) s
  full join counted c using (user_id)
  where (s.completed_sessions, s.focus_seconds) is distinct from (coalesce(c.sessions, 0), coalesce(c.focus_seconds, 0))
  union all
  select 'paid once = outcome of the session', session_id::text, coalesce(c.xp, 0)::text, coalesce(p.xp, 0)::text
  from sessions c full join paid p using (session_id) where coalesce(c.xp, 0) <> coalesce(p.xp, 0);
end $$;

-- The same for badges.
create function internal.violations_of_badges(p_after uuid, p_until uuid)
returns table (invariant text, subject text, expected text, found text)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  with deserved as (
    select s.user_id, b.badge_key from public.user_stats s
    cross join lateral internal.badge_metrics(s.user_id) m
    join public.badges b on b.metric = m.metric and m.value >= b.threshold and b.backfill_done
    where s.user_id > p_after and s.user_id <= p_until
  ), kept_badges as (
    select u.user_id, u.badge_key from public.user_badges u join public.badges b using (badge_key)
    where u.user_id > p_after and u.user_id <= p_until and b.backfill_done
  )
  select 'badges = rules', concat_ws(' ', user_id, badge_key), (d.user_id is not null)::text, (u.user_id is not null)::text
  from deserved d full join kept_badges u using (user_id, badge_key) where d.user_id is null or u.user_id is null;
end $$;

create function internal.violations_of_users(p_after uuid, p_until uuid)
returns table (invariant text, subject text, expected text, found text)
language sql stable set search_path = '' as $$
  select * from internal.violations_of_xp(p_after, p_until)
  union all
  select * from internal.violations_of_scores(p_after, p_until)
  union all
  select * from internal.violations_of_streaks(p_after, p_until)
  union all
  select * from internal.violations_of_sessions(p_after, p_until)
  union all
  select * from internal.violations_of_badges(p_after, p_until)
$$;

-- The same for boards after p_after and up to p_until, whose histograms cover all users.
create function internal.violations_of_boards(p_after bigint, p_until bigint)
returns table (invariant text, subject text, expected text, found text)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  with fine_buckets as (
    select s.board_id, s.xp, count(*) as users from public.leaderboard_scores s
    where s.board_id > p_after and s.board_id <= p_until group by 1, 2
  ), buckets as (
    select b.board_id, f.fine, case when f.fine then b.xp else b.xp >> 8 end as bucket, sum(b.users) as users
    from fine_buckets b cross join (values (false), (true)) f (fine) group by 1, 2, 3
  ), kept_buckets as (
    select b.board_id, b.fine, b.bucket, sum(b.users) as users from public.leaderboard_buckets b
    where b.board_id > p_after and b.board_id <= p_until group by 1, 2, 3 having sum(b.users) <> 0
  )
  select 'histogram = scores', concat_ws(' ', board_id, fine, bucket), e.users::text, k.users::text
  from buckets e full join kept_buckets k using (board_id, fine, bucket) where e.users is distinct from k.users;
end $$;

-- All violations; there should be none. Reads everything in one snapshot: for tests, the demo, and operators, who run it
-- without a time limit.
create function public.check_invariants()
returns table (invariant text, subject text, expected text, found text)
language sql stable security definer set search_path = '' as $$
  select * from internal.violations_of_users('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  union all
  select * from internal.violations_of_boards(0, 9223372036854775807)
$$;
comment on function public.check_invariants is 'Check every invariant in one snapshot; returns the violations.';

-- Progress of the scheduled check through all users and then all boards, and its findings: one row.
create table internal.invariant_round (
  single boolean primary key default true check (single),
  began_at timestamptz not null default '-infinity',
  users_to uuid not null default '00000000-0000-0000-0000-000000000000',  -- users up to here are checked
  boards_to bigint not null default 0,
  over boolean not null default true,
  violations jsonb not null default '{}'  -- count by invariant
);
comment on table internal.invariant_round is 'Progress and findings of the scheduled check of all invariants; one row.';
insert into internal.invariant_round default values;

-- Check the next p_users users, or boards with about as many scores, continuing where the last call stopped. A round begins
-- at least a day after the previous one began. Each call uses one snapshot and is small enough for any time limit.
-- Returns {"checked": false if there was nothing to do, "over": of the round, "violations": so far, by invariant}.
create function public.check_next_invariants(p_users integer default 2000) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_round internal.invariant_round;
  v_users uuid;
  v_boards bigint;
begin
  select * into v_round from internal.invariant_round for update skip locked;
  if not found then
    return '{"checked": false, "over": true, "violations": {}}'::jsonb;  -- another run is active
  elsif v_round.over and v_round.began_at between internal.clock() - interval '1 day' and internal.clock() then
    return jsonb_build_object('checked', false, 'over', true, 'violations', v_round.violations);
  elsif v_round.over then
    v_round := row(
      true, internal.clock(), '00000000-0000-0000-0000-000000000000', 0, false, '{}')::internal.invariant_round;
  end if;

  select (max(user_id::text))::uuid into v_users
  from (select user_id from public.user_stats where user_id > v_round.users_to order by user_id limit p_users) next;
  if v_users is null then
    -- One global board, or many of spaces.
    select coalesce(min(board_id) filter (where space_id is null), max(board_id)) into v_boards
    from (select board_id, space_id from public.leaderboards where board_id > v_round.boards_to order by board_id
          limit 1 + p_users / 4) next;
  end if;
  select coalesce(jsonb_object_agg(invariant, n), '{}') into v_round.violations from (
    select invariant, sum(n) as n from (
      select key as invariant, value::bigint as n from jsonb_each_text(v_round.violations)
      union all
      select invariant, 1 from internal.violations_of_users(v_round.users_to, v_users)
      union all
      select invariant, 1 from internal.violations_of_boards(v_round.boards_to, v_boards)
    ) found group by invariant
  ) counted;
  v_round.users_to := coalesce(v_users, v_round.users_to);
  v_round.boards_to := coalesce(v_boards, v_round.boards_to);
  v_round.over := v_users is null and v_boards is null;
  update internal.invariant_round set began_at = v_round.began_at, users_to = v_round.users_to,
    boards_to = v_round.boards_to, over = v_round.over, violations = v_round.violations;
  return jsonb_build_object('checked', true, 'over', v_round.over, 'violations', v_round.violations);
end $$;
comment on function public.check_next_invariants is 'Check the next part of the database for violations of invariants.';

select internal.lock_down();
