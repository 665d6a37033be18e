-- Leaderboards: a score a user and board, and a histogram of the scores from which any user's exact rank is read in a
-- few hundred rows, however many users there are. Both are written in the transaction that awards the XP.

-- One board a period and space; the global boards have no space. A period comes into being with its first score.
create table public.leaderboards (
  board_id bigint generated always as identity primary key,
  space_id uuid references public.spaces on delete cascade,
  period text not null check (period in ('weekly', 'monthly', 'all-time')),
  period_start date not null,
  period_end date not null default 'infinity',  -- the first day after it
  unique nulls not distinct (space_id, period, period_start)
);
comment on table public.leaderboards is 'One board per period and space; global boards have no space.';

create table public.leaderboard_scores (
  board_id bigint not null references public.leaderboards on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  xp integer not null check (xp > 0),
  reached_at timestamptz not null,  -- who got to a score first stands before others with the same
  primary key (board_id, user_id)
);
comment on table public.leaderboard_scores is 'The XP of each user on each board.';
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
comment on table public.leaderboard_buckets is
  'Histograms of the scores of each board, from which exact ranks are read.';

create function internal.leaderboard_shard(p_user_id uuid) returns smallint
language sql immutable set search_path = '' as $$ select (hashtext(p_user_id::text) & 7)::smallint $$;

-- The ISO week, calendar month and all of time that p_at lies in, in UTC; all of time only where p_at is null.
create function internal.leaderboard_periods(p_at timestamptz)
returns table (period text, period_start date, period_end date)
language sql immutable set search_path = '' as $$
  select 'weekly', week::date, (week + interval '7 days')::date from date_trunc('week', p_at at time zone 'UTC') week
  where p_at is not null
  union all
  select 'monthly', month::date, (month + interval '1 month')::date from date_trunc('month', p_at at time zone 'UTC') month
  where p_at is not null
  union all
  select 'all-time', date '1970-01-01', date 'infinity'
$$;

-- The boards that XP of p_occurred_at counts for when it is awarded at p_awarded_at: a period that is over takes no more.
create function internal.ensure_boards(p_space_id uuid, p_occurred_at timestamptz, p_awarded_at timestamptz)
returns bigint[]
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
  return internal.ensure_boards(p_space_id, p_occurred_at, p_awarded_at);
end $$;

-- Change the histograms by what is in p_changes: rows of (board_id, xp, users). In one order for everybody, so that
-- awards that meet in the same buckets wait for each other and never in a circle.
create function internal.update_buckets(p_user_id uuid, p_changes jsonb) returns void
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

-- Change a user's scores by what is in p_changes, rows of (board_id, xp), at p_now, and the histograms with them. The caller
-- holds the user's line.
create function internal.change_scores(p_user_id uuid, p_changes jsonb, p_now timestamptz) returns void
language plpgsql set search_path = '' as $$
declare
  v_moves jsonb;
begin
  with changes as (
    select c.board_id, sum(c.xp)::integer as xp from jsonb_to_recordset(p_changes) c (board_id bigint, xp integer)
    group by 1 having sum(c.xp) <> 0
  ), before as (
    select s.board_id, s.xp, c.xp as change from public.leaderboard_scores s join changes c using (board_id)
    where s.user_id = p_user_id
  ), gone as (
    delete from public.leaderboard_scores s using before b
    where s.board_id = b.board_id and s.user_id = p_user_id and b.xp + b.change <= 0
  ), changed as (
    update public.leaderboard_scores s set
      xp = b.xp + b.change, reached_at = case when b.change > 0 then p_now else s.reached_at end
    from before b
    where s.board_id = b.board_id and s.user_id = p_user_id and b.xp + b.change > 0
    returning s.board_id, s.xp
  ), new as (
    insert into public.leaderboard_scores (board_id, user_id, xp, reached_at)
    select board_id, p_user_id, xp, p_now from changes
    where xp > 0 and board_id not in (select board_id from before) order by board_id
    returning board_id, xp
  )
  select jsonb_agg(move) into v_moves from (
    select jsonb_build_object('board_id', board_id, 'xp', xp, 'users', -1) from before
    union all
    select jsonb_build_object('board_id', board_id, 'xp', xp, 'users', 1) from changed
    union all
    select jsonb_build_object('board_id', board_id, 'xp', xp, 'users', 1) from new
  ) moves (move);
  if v_moves is not null then
    perform internal.update_buckets(p_user_id, v_moves);
  end if;
end $$;

-- What is written to the ledger counts on the boards in the same transaction: all entries of a user at once, so that rows are
-- taken in one order. Milestones count for all of time and no space. What is taken back is taken off the boards of the space
-- only while the user is a member: only who is one stands on them.
create function internal.score_ledger_entries() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_award record;
begin
  for v_award in
    select user_id, max(created_at) as now, jsonb_agg(jsonb_build_object('board_id', board_id, 'xp', xp)) as changes
    from (
      select user_id, space_id, created_at, sum(amount)::integer as xp,
             case when milestone is null and coalesce(rates not in ('milestone_500', 'milestone_10000'), true)
                  then occurred_at end as occurred_at
      from entries group by 1, 2, 3, 5
    ) n
    cross join lateral unnest(internal.ensure_boards(
      case when xp > 0 then space_id else internal.lock_membership(space_id, user_id) end, occurred_at, created_at)) board_id
    group by user_id order by user_id
  loop
    perform internal.change_scores(v_award.user_id, v_award.changes, v_award.now);
  end loop;
  return null;
end $$;
create trigger studysync_scores after insert on public.xp_ledger
  referencing new table as entries for each statement execute function internal.score_ledger_entries();

-- Put a member's XP from sessions in the space back on its boards: they may have been here before.
create function internal.restore_scores(p_user_id uuid, p_space_id uuid) returns void
language plpgsql set search_path = '' as $$
declare
  v_changes jsonb;
begin
  with restored as (
    insert into public.leaderboard_scores (board_id, user_id, xp, reached_at)
    select b.board_id, p_user_id, sum(l.amount), max(l.created_at)
    from public.leaderboards b
    join public.xp_ledger l on l.user_id = p_user_id and l.space_id = p_space_id
      and l.occurred_at >= b.period_start::timestamp at time zone 'UTC'
      and (b.period_end = 'infinity' or (
        l.occurred_at < b.period_end::timestamp at time zone 'UTC'
        and l.created_at < b.period_end::timestamp at time zone 'UTC'))
    where b.space_id = p_space_id
    group by b.board_id having sum(l.amount) > 0
    returning board_id, xp
  )
  select jsonb_agg(jsonb_build_object('board_id', board_id, 'xp', xp, 'users', 1)) into v_changes from restored;
  if v_changes is not null then
    perform internal.update_buckets(p_user_id, v_changes);
  end if;
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
    perform internal.update_buckets(p_user_id, v_changes);
  end if;
end $$;

-- Who joins a space stands on its boards, and who leaves does not. A space that is being deleted takes its boards along.
create function internal.score_member() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    perform internal.restore_scores(new.user_id, new.space_id);
  elsif exists (select from public.spaces where space_id = old.space_id) then
    perform internal.remove_scores(old.user_id, old.space_id);
  end if;
  return null;
end $$;
create trigger studysync_scores after insert or delete on public.space_members
  for each row execute function internal.score_member();

-- However an account goes (our API, the dashboard of Supabase), its scores leave the histograms with it.
create function internal.remove_scores_of_account() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform internal.remove_scores(old.user_id);
  return old;
end $$;
create trigger studysync_remove_scores before delete on public.profiles
  for each row execute function internal.remove_scores_of_account();

select internal.lock_down();
