-- Leaderboards: a score a user and board, and a histogram of the scores from which any user's exact rank is read in a
-- few hundred rows, however many users there are. Both are written in the transaction that awards the XP.

-- One board a period and space; the global boards have no space. A period comes into being with its first score.
create table public.leaderboards (
  board_id bigint generated always as identity primary key,
  space_id uuid,
  period text not null check (period in ('weekly', 'monthly', 'all-time')),
  period_start date not null,
  period_end date not null default 'infinity',  -- the first day after it
  unique nulls not distinct (space_id, period, period_start)
);

create table public.leaderboard_scores (
  board_id bigint not null references public.leaderboards on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  xp integer not null check (xp > 0),
  reached_at timestamptz not null,  -- who got to a score first stands before others with the same
  primary key (board_id, user_id)
);
create index leaderboard_scores_order on public.leaderboard_scores (board_id, xp desc, reached_at, user_id);
create index leaderboard_scores_user on public.leaderboard_scores (user_id);
create policy own_scores on public.leaderboard_scores for select to authenticated using (user_id = (select auth.uid()));

-- How many users have which score: `fine` one bucket an XP value, `coarse` one for 256 of them. Each is kept in shards
-- by user, so that awards to different users seldom wait for the same row: 8 of the coarse ones, where many meet, 2 of the
-- fine ones, which a rank reads by the hundred.
create table public.leaderboard_buckets (
  board_id bigint not null references public.leaderboards on delete cascade,
  fine boolean not null,
  bucket integer not null,
  shard smallint not null,
  users integer not null,
  primary key (board_id, fine, bucket, shard)
) with (fillfactor = 50);

create function internal.leaderboard_shard(p_user_id uuid) returns smallint
language sql immutable set search_path = '' as $$ select (hashtext(p_user_id::text) & 7)::smallint $$;

-- The ISO week, calendar month and all of time that p_at lies in, in UTC.
create function internal.leaderboard_periods(p_at timestamptz)
returns table (period text, period_start date, period_end date)
language sql immutable set search_path = '' as $$
  select 'weekly', week::date, (week + interval '7 days')::date from date_trunc('week', p_at at time zone 'UTC') week
  union all
  select 'monthly', month::date, (month + interval '1 month')::date from date_trunc('month', p_at at time zone 'UTC') month
  union all
  select 'all-time', date '1970-01-01', date 'infinity'
$$;

-- The boards that XP of p_occurred_at counts for when it is awarded at p_awarded_at: a period that is over takes no more.
create function internal.open_boards(p_space_id uuid, p_occurred_at timestamptz, p_awarded_at timestamptz) returns bigint[]
language plpgsql set search_path = '' as $$
declare
  v_boards bigint[];
begin
  select array_agg(b.board_id order by b.board_id) into v_boards
  from internal.leaderboard_periods(p_occurred_at) p
  cross join lateral (
    select board_id from public.leaderboards
    where space_id is null and period = p.period and period_start = p.period_start
    union all
    select board_id from public.leaderboards
    where space_id = p_space_id and period = p.period and period_start = p.period_start
  ) b
  where p.period_end > (p_awarded_at at time zone 'UTC')::date;
  if cardinality(v_boards) = (select count(*) * case when p_space_id is null then 1 else 2 end
                              from internal.leaderboard_periods(p_occurred_at) p
                              where p.period_end > (p_awarded_at at time zone 'UTC')::date) then
    return v_boards;
  end if;
  insert into public.leaderboards (space_id, period, period_start, period_end)
  select scope.space_id, p.period, p.period_start, p.period_end
  from internal.leaderboard_periods(p_occurred_at) p
  cross join (select null::uuid as space_id union select p_space_id) scope
  where p.period_end > (p_awarded_at at time zone 'UTC')::date
  order by scope.space_id nulls first, p.period
  on conflict do nothing;
  return internal.open_boards(p_space_id, p_occurred_at, p_awarded_at);
end $$;

-- Change the histograms by what is in p_changes: rows of (board_id, xp, users). In one order for everybody, so that
-- awards that meet in the same buckets wait for each other and never in a circle.
create function internal.change_buckets(p_user_id uuid, p_changes jsonb) returns void
language sql volatile set search_path = '' as $$
  insert into public.leaderboard_buckets as b (board_id, fine, bucket, shard, users)
  select c.board_id, f.fine, case when f.fine then c.xp else c.xp >> 8 end as bucket,
         internal.leaderboard_shard(p_user_id) & (f.shards - 1), sum(c.users)
  from jsonb_to_recordset(p_changes) c (board_id bigint, xp integer, users integer)
  cross join (values (false, 8), (true, 2)) f (fine, shards)
  group by 1, 2, 3, 4 having sum(c.users) <> 0
  order by 1, 2, 3
  on conflict (board_id, fine, bucket, shard) do update set users = b.users + excluded.users
$$;

-- Add XP, awarded at p_now, to every board that it counts for and that was open then. The caller holds the user's line.
create function internal.record_scores(
  p_user_id uuid, p_space_id uuid, p_xp bigint, p_occurred_at timestamptz, p_now timestamptz) returns void
language plpgsql set search_path = '' as $$
declare
  v_boards bigint[];
  v_changes jsonb;
begin
  if p_xp = 0 then
    return;
  end if;
  v_boards := internal.open_boards(p_space_id, p_occurred_at, p_now);
  with before as (
    select board_id, xp from public.leaderboard_scores where user_id = p_user_id and board_id = any (v_boards)
  ), after as (
    insert into public.leaderboard_scores as s (board_id, user_id, xp, reached_at)
    select board_id, p_user_id, p_xp, p_now from unnest(v_boards) board_id
    on conflict (board_id, user_id) do update set xp = s.xp + excluded.xp, reached_at = excluded.reached_at
    returning board_id, xp
  )
  select jsonb_agg(change) into v_changes from (
    select jsonb_build_object('board_id', board_id, 'xp', xp, 'users', -1) from before
    union all
    select jsonb_build_object('board_id', board_id, 'xp', xp, 'users', 1) from after
  ) changes (change);
  perform internal.change_buckets(p_user_id, v_changes);
end $$;

-- Take a user off the boards: all of them (p_space_id null: the account goes) or those of one space (the user leaves).
create function internal.remove_scores(p_user_id uuid, p_space_id uuid default null) returns void
language plpgsql set search_path = '' as $$
declare
  v_changes jsonb;
begin
  with gone as (
    delete from public.leaderboard_scores s using public.leaderboards b
    where s.user_id = p_user_id and b.board_id = s.board_id and (p_space_id is null or b.space_id = p_space_id)
    returning s.board_id, s.xp
  )
  select jsonb_agg(jsonb_build_object('board_id', board_id, 'xp', xp, 'users', -1)) into v_changes from gone;
  if v_changes is not null then
    perform internal.change_buckets(p_user_id, v_changes);
  end if;
end $$;

-- However an account goes (our API, the dashboard of Supabase), its scores leave the histograms with it.
create function internal.on_profile_deleted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform internal.remove_scores(old.user_id);
  return old;
end $$;
create trigger studysync_on_profile_deleted before delete on public.profiles
  for each row execute function internal.on_profile_deleted();

-- 1 + the number of users with more XP: coarse buckets above, and the fine ones above within the same coarse one.
create function internal.rank_of(p_board_id bigint, p_xp integer) returns bigint
language sql stable set search_path = '' as $$
  select 1 + (
    select coalesce(sum(users), 0) from public.leaderboard_buckets
    where board_id = p_board_id and not fine and bucket > p_xp >> 8
  ) + (
    select coalesce(sum(users), 0) from public.leaderboard_buckets
    where board_id = p_board_id and fine and bucket > p_xp and bucket < ((p_xp >> 8) + 1) << 8
  )
$$;

-- A page of a board from after a position (xp, reached_at, user_id). Only the first row's rank is looked up: its score
-- takes as many places as there are users who have it, and all who have less stand on the page above the row at hand.
-- The rest of the position's own score and the scores below it are read apart, each straight from the index: thousands
-- may share a score, and `or` would read all that stand above. Planned once a connection, which is half of its time; a
-- plan for any position and p_limit is good because the numbers written here, for a page of 100 at most, bound what is read.
create function internal.leaderboard_page(
  p_board_id bigint, p_limit integer, p_after_xp integer, p_after_at timestamptz, p_after_id uuid)
returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  return (
    with found as (
      (select s.user_id, s.xp, s.reached_at from public.leaderboard_scores s
       where s.board_id = p_board_id and s.xp = p_after_xp and (s.reached_at, s.user_id) > (p_after_at, p_after_id)
       order by s.reached_at, s.user_id limit 101)
      union all
      (select s.user_id, s.xp, s.reached_at from public.leaderboard_scores s
       where s.board_id = p_board_id and s.xp < coalesce(p_after_xp, 2147483647)
       order by s.xp desc, s.reached_at, s.user_id limit 101)
    ), rows as (
      select * from found order by xp desc, reached_at, user_id limit p_limit + 1
    ), ranked as (
      select *, rank() over (order by xp desc) as place from rows
    ), top as materialized (
      select t.xp, internal.rank_of(p_board_id, t.xp) as rank, b.users - t.shown as not_shown
      from (select xp, count(*) as shown from rows group by xp order by xp desc limit 1) t
      cross join lateral (select sum(users) as users from public.leaderboard_buckets
        where board_id = p_board_id and fine and bucket = t.xp) b
    )
    select coalesce(jsonb_agg(jsonb_build_object(
      'rank', top.rank + case when r.xp = top.xp then 0 else top.not_shown + r.place - 1 end,
      'user_id', r.user_id, 'username', p.username, 'xp', r.xp,
      'level', u.level, 'reached_at', r.reached_at) order by r.xp desc, r.reached_at, r.user_id), '[]')
    from ranked r
    join public.profiles p using (user_id)
    join public.user_stats u using (user_id)
    cross join top);
end $$;

select internal.lock_down();
