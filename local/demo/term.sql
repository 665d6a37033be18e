-- A term of students, made in bulk: what the product's own functions would have left behind after each session, without
-- running them one by one. Steps begin with a line `-- step: <title>`; local/demo/term.py runs them in one transaction,
-- with triggers off, and has made `settings` (one row) and `pg_temp.dice(n, salt)`, a random number from 0 to below 1,
-- always the same for the same seed.

-- step: Students
create temp table students on commit drop as
select
  n,
  case when n = 1 and s.account_id is not null then s.account_id
       else md5('studysync demo ' || s.seed || ' ' || n)::uuid end as user_id,
  lower(first || '_' || last) || '_' || n as username,
  first || ' ' || last as display_name,
  zones[1 + floor(pg_temp.dice(n, 3) * cardinality(zones))::integer] as timezone,
  -- Most study now and then, a few nearly every day.
  case when n = 1 then 0.95 else (0.04 + 0.93 * power(pg_temp.dice(n, 4), 1.6)) * s.density end as diligence,
  s.today - 2 - floor(
    case when n = 1 then 0.99 else power(pg_temp.dice(n, 5), 0.6) end * (s.weeks * 7 - 2))::integer as joined_on
from settings s, generate_series(1, s.users) n,
  lateral (select
    array['UTC', 'Europe/Berlin', 'Europe/London', 'America/New_York', 'America/Los_Angeles', 'Asia/Kolkata',
          'Asia/Tokyo', 'Australia/Sydney', 'America/Sao_Paulo'] as zones,
    array['Ada', 'Ben', 'Chloe', 'Dmitri', 'Elif', 'Femi', 'Grace', 'Hiro', 'Ines', 'Jonas', 'Kavya', 'Leo', 'Mei', 'Noor',
          'Oscar', 'Priya', 'Quinn', 'Rosa', 'Sven', 'Tara', 'Uma', 'Victor', 'Wanda', 'Yusuf', 'Zoe'] as firsts,
    array['Almeida', 'Berg', 'Castro', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Haddad', 'Ito', 'Jensen', 'Khan', 'Lopez',
          'Moreau', 'Novak', 'Okafor', 'Patel', 'Rossi', 'Silva', 'Tanaka', 'Usman', 'Weber', 'Yilmaz', 'Zhang'] as lasts
  ) pools,
  lateral (select firsts[1 + floor(pg_temp.dice(n, 1) * cardinality(firsts))::integer] as first,
                  lasts[1 + floor(pg_temp.dice(n, 2) * cardinality(lasts))::integer] as last) names;
create unique index on students (n);
analyze students;

-- step: Accounts and profiles
insert into auth.users (id, email, raw_user_meta_data, email_confirmed_at, created_at, updated_at)
select user_id, username || '@demo.studysync.example', jsonb_build_object('username', username), joined_on, joined_on,
  joined_on
from students order by user_id
on conflict (id) do nothing;
insert into public.profiles (user_id, username, display_name, timezone, daily_goal_minutes, created_at, updated_at)
select user_id, username, display_name, timezone, 30 * (1 + floor(pg_temp.dice(n, 6) * 6)::integer), joined_on, joined_on
from students order by user_id
on conflict (user_id) do update set timezone = excluded.timezone;

-- step: Spaces and their members
create temp table memberships on commit drop as
with wanted as (
  select n, user_id, joined_on, n % spaces as space, 1 as nth
  from students, spaces_wanted where pg_temp.dice(n, 10) < 0.7 or n = 1
  union all
  select n, user_id, joined_on, (n * 7 + 3) % spaces, 2 from students, spaces_wanted where pg_temp.dice(n, 11) < 0.2
)
select distinct on (space, user_id) n, user_id, nth, joined_on + time '07:00' + n % 3600 * interval '1 second' as joined_at,
  space, md5('studysync demo space ' || s.seed || ' ' || space)::uuid as space_id
from wanted, settings s order by space, user_id, nth;
analyze memberships;
insert into public.spaces
  (space_id, name, description, visibility, capacity, member_count, invite_code, created_at, updated_at)
select space_id,
  (array['Algebra', 'Organic chemistry', 'Thesis', 'Anatomy', 'Latin', 'Statistics', 'Contract law', 'Japanese', 'Physics',
         'Compilers', 'Art history', 'Econometrics'])[1 + space % 12] || ' ' ||
  (array['night shift', 'early birds', 'library crew', 'crunch', 'circle', 'sprint', 'corner'])[1 + space / 12 % 7]
    || case when space >= 84 then ' ' || space else '' end,
  'We study together, silently, and count the hours.',
  case when space % 5 = 4 then 'private' else 'public' end, 50, count(*),
  upper(substr(md5('studysync demo code ' || random()), 1, 20)), min(joined_at), min(joined_at)
from memberships group by space, space_id;
insert into public.space_members (space_id, user_id, role, joined_at)
select space_id, user_id,
  case row_number() over (partition by space_id order by joined_at, n)
    when 1 then 'owner' when 2 then 'moderator' else 'member' end,
  joined_at
from memberships;

-- step: Sessions
create temp table sessions on commit drop as
with days as (
  select s.*, s.joined_on + d as day, d,
    1 + (pg_temp.dice(s.n, 101 + 20 * d) < 0.35 * g.density)::integer
      + (pg_temp.dice(s.n, 102 + 20 * d) < 0.12 * g.density)::integer as sittings
  from settings g, students s, generate_series(0, g.today - s.joined_on) d
  where d = 0 or pg_temp.dice(s.n, 100 + 20 * d) < s.diligence
), grinds as (
  -- Before the exams some do ten hours in a day.
  select days.*, pg_temp.dice(n, 103 + 20 * d) < 0.01 as grind from days
), sittings as (
  select grinds.*, sitting,
    case when grind then 160
         else (array[15, 25, 25, 25, 30, 45, 50, 50, 60, 90, 120])
           [1 + floor(pg_temp.dice(n, 104 + 20 * d + sitting) * 11)::integer] end as duration_minutes
  from grinds, generate_series(0, case when grind then 3 else sittings - 1 end) sitting
), timed as (
  select n, user_id, day, d, sitting, duration_minutes, floor(duration_minutes * 60 * (
      case when grind then 0.96 + 0.1 * pg_temp.dice(n, 108 + 20 * d + sitting)
           else 0.7 + 0.35 * pg_temp.dice(n, 108 + 20 * d + sitting) end))::integer as focus_seconds,
    (day + time '08:00' + sitting * interval '4 hours'
      + floor(pg_temp.dice(n, 112 + 20 * d + sitting) * 3540) * interval '1 second') at time zone timezone as started_at
  from sittings
), ended as (
  select timed.*, started_at + make_interval(secs => focus_seconds) as ended_at from timed
)
select md5('studysync demo session ' || g.seed || ' ' || e.n || ' ' || e.d || ' ' || e.sitting)::uuid as session_id,
  e.n, e.user_id, e.day, e.duration_minutes, e.focus_seconds, e.started_at, e.ended_at, m.space_id,
  (array['Mathematics', 'Chemistry', 'Law', 'History', 'Biology', 'Programming', 'Languages', 'Economics', 'Reading'])
    [1 + floor(pg_temp.dice(e.n, 7 + e.sitting) * 9)::integer] as subject
from ended e
cross join settings g
left join memberships m on m.user_id = e.user_id and m.nth = 1 and m.joined_at < e.started_at
  and pg_temp.dice(e.n, 116 + 20 * e.d) < 0.45
where e.ended_at < g.now;
analyze sessions;

-- step: Days and streaks
create temp table days on commit drop as
with per_day as (
  select user_id, day, count(*) as sessions, sum(focus_seconds) as focus_seconds from sessions group by user_id, day
), runs as (
  select *, day - (row_number() over (partition by user_id order by day))::integer as run from per_day
)
select user_id, day, sessions, focus_seconds, (row_number() over (partition by user_id, run order by day))::integer as streak
from runs;
analyze days;

-- step: What each session pays
create temp table paid on commit drop as
with known as (
  select s.*, d.streak,
    row_number() over (partition by s.user_id order by s.ended_at) as nth,
    sum(s.focus_seconds) over (partition by s.user_id, s.day order by s.ended_at) as day_seconds
  from sessions s join days d using (user_id, day)
), pay as (
  select known.*, focus_seconds / 60 as for_session, case when focus_seconds >= 1500 then 10 else 0 end as for_focus,
    case when day_seconds >= 7200 and day_seconds - focus_seconds < 7200 then 20 else 0 end as for_day,
    case when day_seconds >= 1500 and day_seconds - focus_seconds < 1500 then least(50, 2 * (streak / 7)) else 0 end
      as for_streak
  from known
), summed as (
  select pay.*, for_session + for_focus + for_day + for_streak as earned,
    sum(for_session + for_focus + for_day + for_streak) over (partition by user_id order by ended_at) as session_xp
  from pay
), milestones as (
  select summed.*, 100 * (session_xp / 500 - (session_xp - earned) / 500) as for_500,
    1000 * (session_xp / 10000 - (session_xp - earned) / 10000) as for_10000
  from summed
)
select milestones.*, earned + for_500 + for_10000 as xp,
  session_xp + 100 * (session_xp / 500) + 1000 * (session_xp / 10000) as total_xp
from milestones;
analyze paid;
insert into public.study_days
  (user_id, day, sessions, focus_seconds, xp, bonus_xp, daily_bonus_paid, streak_bonus, streak)
select user_id, d.day, d.sessions, d.focus_seconds, sum(p.xp), sum(p.earned - p.for_session), d.focus_seconds >= 7200,
  sum(p.for_streak), d.streak
from days d join paid p using (user_id, day)
group by user_id, d.day, d.sessions, d.focus_seconds, d.streak order by user_id, d.day;

-- step: The ledger
insert into public.xp_ledger (user_id, amount, source, session_id, milestone, day, space_id, occurred_at, created_at)
select p.user_id, a.amount, a.source, p.session_id, a.milestone, p.day, case when a.of_session then p.space_id end,
  case when a.of_day then (p.day + 1)::timestamp at time zone s.timezone else p.ended_at end - interval '1 microsecond',
  p.ended_at
from paid p join students s using (user_id) cross join lateral (
  select * from (values
    ('session'::public.xp_source, p.for_session, null::integer, true, false), ('focus_bonus', p.for_focus, null, true, false),
    ('daily_bonus', p.for_day, null, false, true), ('streak_bonus', p.for_streak, null, false, true)
  ) bonus (source, amount, milestone, of_session, of_day) where amount > 0
  union all
  select source, amount, milestone, false, false from internal.milestones_between(p.session_xp - p.earned, p.session_xp)
  where p.for_500 > 0
) a
order by p.ended_at;

-- step: Totals and badges
insert into public.user_stats
  (user_id, total_xp, session_xp, completed_sessions, focus_seconds, best_streak, best_day_seconds, updated_at,
   xp_by_source)
select s.user_id, coalesce(max(p.total_xp), 0), coalesce(max(p.session_xp), 0), count(p.session_id),
  coalesce(sum(p.focus_seconds), 0), coalesce(max(p.streak), 0), coalesce(max(p.day_seconds), 0),
  coalesce(max(p.ended_at), min(s.joined_on)),
  jsonb_strip_nulls(jsonb_build_object(
    'session', nullif(sum(p.for_session), 0), 'focus_bonus', nullif(sum(p.for_focus), 0),
    'daily_bonus', nullif(sum(p.for_day), 0), 'streak_bonus', nullif(sum(p.for_streak), 0),
    'milestone_500', nullif(sum(p.for_500), 0), 'milestone_10000', nullif(sum(p.for_10000), 0)))
from students s left join paid p using (user_id) group by s.user_id order by s.user_id
on conflict (user_id) do update set
  total_xp = excluded.total_xp, session_xp = excluded.session_xp, completed_sessions = excluded.completed_sessions,
  focus_seconds = excluded.focus_seconds, best_streak = excluded.best_streak, best_day_seconds = excluded.best_day_seconds,
  xp_by_source = excluded.xp_by_source;
create temp table earned_badges on commit drop as
select p.user_id, b.badge_key, min(p.ended_at) as earned_at
from paid p join public.badges b on b.threshold <= case b.metric
  when 'completed_sessions' then p.nth when 'best_streak' then p.streak when 'best_day_minutes' then p.day_seconds / 60
  when 'level' then 1 + p.total_xp / 100 else p.total_xp end
where b.backfill_done
group by p.user_id, b.badge_key;
insert into public.user_badges (user_id, badge_key, earned_at)
select user_id, badge_key, earned_at from earned_badges order by user_id, badge_key;

-- step: Sessions with their outcome
insert into public.study_sessions (
  session_id, user_id, space_id, subject, duration_minutes, status, started_at, ended_at, last_activity_at,
  last_heartbeat_at, focus_seconds, efficiency, xp_awarded, total_xp, current_streak, new_badges, created_at, updated_at,
  change_seq, silence_check_at)
select p.session_id, p.user_id, p.space_id, p.subject, p.duration_minutes, 'completed', p.started_at, p.ended_at, p.ended_at,
  p.ended_at, p.focus_seconds, round((60 + 40 * pg_temp.dice(p.n, (50 + p.nth % 40)::integer))::numeric, 1),
  p.xp, p.total_xp, p.streak, b.badges, p.started_at, p.ended_at, p.nth, null
from paid p left join (
  select user_id, earned_at, array_agg(badge_key) as badges from earned_badges group by user_id, earned_at
) b on b.user_id = p.user_id and b.earned_at = p.ended_at;

-- step: Leaderboards
create temp table board_xp on commit drop as
with scored as (
  select l.user_id, l.space_id, l.amount as xp, l.created_at as ended_at,
    case when l.milestone is null then date_trunc('week', l.occurred_at at time zone 'UTC')::date end as week,
    case when l.milestone is null then date_trunc('month', l.occurred_at at time zone 'UTC')::date end as month
  from public.xp_ledger l join students using (user_id)
)
select null::uuid as space_id, user_id, week, month, sum(xp)::integer as xp, max(ended_at) as reached_at
from scored group by grouping sets ((user_id, week), (user_id, month), (user_id))
having (grouping(week) = 1 or week is not null) and (grouping(month) = 1 or month is not null)
union all
select space_id, user_id, week, month, sum(xp)::integer, max(ended_at)
from scored where space_id is not null
group by grouping sets ((space_id, user_id, week), (space_id, user_id, month), (space_id, user_id));
insert into public.leaderboards (space_id, period, period_start, period_end)
select distinct space_id,
  case when week is not null then 'weekly' when month is not null then 'monthly' else 'all-time' end,
  coalesce(week, month, '1970-01-01'),
  coalesce(week + 7, (month + interval '1 month')::date, 'infinity')
from board_xp
on conflict do nothing;
analyze public.leaderboards;
insert into public.leaderboard_scores (board_id, user_id, xp, reached_at)
select b.board_id, x.user_id, x.xp, x.reached_at
from board_xp x join public.leaderboards b
  on b.period = case when x.week is not null then 'weekly' when x.month is not null then 'monthly' else 'all-time' end
  and b.period_start = coalesce(x.week, x.month, '1970-01-01')
  and coalesce(b.space_id, '00000000-0000-0000-0000-000000000000')
    = coalesce(x.space_id, '00000000-0000-0000-0000-000000000000')
order by b.board_id, x.user_id;
insert into public.leaderboard_buckets as b (board_id, fine, bucket, shard, users)
select s.board_id, f.fine, case when f.fine then s.xp else s.xp >> 8 end, u.shard & (f.shards - 1), count(*)
from (select user_id, internal.leaderboard_shard(user_id) as shard from students) u
join public.leaderboard_scores s using (user_id) cross join (values (false, 8), (true, 2)) f (fine, shards)
group by 1, 2, 3, 4
on conflict (board_id, fine, bucket, shard) do update set users = b.users + excluded.users;

-- step: What a second device would fetch
-- What the triggers of user_changes would have noted.
delete from public.user_changes where user_id in (select account_id from settings);
delete from public.user_change_counters where user_id in (select account_id from settings);
insert into public.user_changes (user_id, kind, entity_id, seq, deleted, changed_at)
select user_id, kind, entity_id, coalesce(sessions, 0) + row_number() over (partition by user_id order by changed_at, kind), false,
  changed_at
from (
  select user_id, 'profile' as kind, 'me' as entity_id, joined_on::timestamptz as changed_at from students
  union all
  select user_id, 'xp', 'me', max(ended_at) from sessions group by user_id
  union all
  select user_id, 'badge', badge_key, earned_at from earned_badges
  union all
  select user_id, 'membership', space_id::text, joined_at from memberships
) changes
left join (select user_id, count(*) as sessions from paid group by user_id) numbered using (user_id);
insert into public.user_change_counters (user_id, seq)
select c.user_id, max(c.seq) from students join public.user_changes c using (user_id) group by c.user_id;

-- step: Events and activity
-- For a term of a few hundred; a million students would have tens of millions of heartbeats that nobody looks at.
insert into public.session_events (session_id, user_id, source, event_type, occurred_at, payload)
select s.session_id, s.user_id, e.source, e.event_type, e.at, e.payload
from sessions s cross join lateral (
  select 'lifecycle' as source, 'start' as event_type, s.started_at as at, '{}'::jsonb as payload
  union all
  select 'client', 'heartbeat', at, '{}'
  from generate_series(s.started_at + interval '5 minutes', s.ended_at, interval '5 minutes') at
  union all
  select 'lifecycle', 'complete', s.ended_at, jsonb_build_object('focus_seconds', s.focus_seconds)
) e
where (select details from settings) order by e.at;
insert into public.space_activity (space_id, user_id, activity_type, details, occurred_at)
select a.space_id, a.user_id, a.activity_type, a.details, a.at
from (
  select space_id, user_id, 'joined' as activity_type, '{}'::jsonb as details, joined_at::timestamptz as at from memberships
  union all
  select space_id, user_id, 'session_started', jsonb_build_object('session_id', session_id), started_at
  from sessions where space_id is not null
  union all
  select space_id, user_id, 'session_completed',
    jsonb_build_object('session_id', session_id, 'focus_seconds', focus_seconds, 'xp_awarded', xp), ended_at
  from paid where space_id is not null
  union all
  select m.space_id, m.user_id, 'badge_earned', jsonb_build_object('badge', e.badge_key), e.earned_at
  from earned_badges e join memberships m on m.user_id = e.user_id and m.joined_at <= e.earned_at
) a
where (select details from settings) order by a.at;
