-- Leaderboards: one score per user and board, and a histogram of scores that gives any user's exact rank from a few hundred
-- rows, however many users there are. Both are updated in the transaction that awards the XP.

-- One board per period and space; global boards have no space. A board is created with its first score.
create table public.leaderboards (
  board_id bigint generated always as identity primary key,
  space_id uuid references public.spaces on delete cascade,
  period text not null check (period in ('weekly', 'monthly', 'all-time')),
  period_start date not null,
  period_end date not null default 'infinity',  -- exclusive
  unique nulls not distinct (space_id, period, period_start)
);
comment on table public.leaderboards is 'One board per period and space; global boards have no space.';

create table public.leaderboard_scores (
  board_id bigint not null references public.leaderboards on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  xp integer not null check (xp > 0),
  reached_at timestamptz not null,  -- ties: whoever reached the score first ranks higher
  primary key (board_id, user_id)
);
comment on table public.leaderboard_scores is 'The XP of each user on each board.';
create index leaderboard_scores_order on public.leaderboard_scores (board_id, xp desc, reached_at, user_id);
create index leaderboard_scores_user on public.leaderboard_scores (user_id);
create policy own_scores on public.leaderboard_scores for select to authenticated using (user_id = (select auth.uid()));

-- The number of users per score: `fine` has one bucket per XP value, `coarse` one per 256 values. Buckets are sharded by
-- user so that awards to different users seldom wait for the same row: 8 shards for the contended coarse ones, 2 for fine
-- ones, of which a rank reads hundreds.
create table public.leaderboard_buckets (
  board_id bigint not null references public.leaderboards on delete cascade,
  fine boolean not null,
  bucket integer not null,
  shard smallint not null,
  users integer not null,
  primary key (board_id, fine, bucket, shard)
) with (fillfactor = 50);
comment on table public.leaderboard_buckets is 'Histograms of each board''s scores, used for exact ranks.';

create function internal.leaderboard_shard(p_user_id uuid) returns smallint
language sql immutable set search_path = '' as $$ select (hashtext(p_user_id::text) & 7)::smallint $$;

-- The ISO week, calendar month and all-time period of p_at in UTC; only all-time if p_at is null.
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

-- The boards for XP earned at p_occurred_at and awarded at p_awarded_at; a period that has ended accepts no more.
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

-- Apply p_changes to the histograms: rows of (board_id, xp, users). All transactions use the same order, so that awards to
-- the same buckets wait for each other but never deadlock.
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

-- Apply p_changes, rows of (board_id, xp), to a user's scores at p_now and to the histograms. The caller holds the user's
-- row lock.
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

-- Ledger entries count on the boards in the same transaction. All entries of a user are handled together, to lock rows in a
-- fixed order. Milestones count only on the all-time global board. Corrections affect the boards of a space only while the
-- user is a member, since only members are listed there.
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

-- Restore a member's session XP on the boards of the space, in case they were a member before.
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

-- Remove a user from all boards (p_space_id null: the account is deleted) or from those of one space (the user leaves).
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

-- Joining a space adds the user to its boards, and leaving removes them. Deleting a space deletes its boards.
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

-- When an account is deleted in any way, its spaces pass to the longest-standing moderator, else member, or are deleted if
-- nobody is left. All its spaces are locked, not just owned ones, so that nobody can transfer one to it meanwhile. Its scores
-- go first and together, so that their buckets are locked in the same order as by awards.
create function internal.leave_all_spaces(p_user_id uuid) returns void
language plpgsql set search_path = '' as $$
declare
  v_membership record;
  v_heir uuid;
begin
  perform from public.spaces s
  where s.space_id in (select space_id from public.space_members where user_id = p_user_id)
  order by s.space_id for no key update;
  perform internal.remove_scores(p_user_id);
  for v_membership in select space_id, role from public.space_members where user_id = p_user_id order by space_id loop
    select user_id into v_heir from public.space_members
    where space_id = v_membership.space_id and user_id <> p_user_id
    order by internal.role_rank(role) desc, joined_at, user_id limit 1;
    if v_heir is null then
      delete from public.spaces where space_id = v_membership.space_id;
      continue;
    end if;
    if v_membership.role = 'owner' then
      perform internal.transfer_ownership(v_membership.space_id, p_user_id, v_heir);
    end if;
    perform internal.delete_member(v_membership.space_id, p_user_id);
  end loop;
end $$;

-- For every way to delete an account (our API, the Supabase dashboard): lock the user's row and spaces first, then the
-- profile, in the usual order. A transaction that removes this member holds a space and then locks the profile.
create function internal.on_account_deleted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.user_stats where user_id = old.id for update;
  perform internal.leave_all_spaces(old.id);
  return old;
end $$;
create trigger studysync_on_account_deleted before delete on auth.users
  for each row execute function internal.on_account_deleted();

-- Deleting only a profile also leaves its spaces properly.
create function internal.on_profile_deleted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform internal.leave_all_spaces(old.user_id);
  return old;
end $$;
create trigger studysync_leave_spaces before delete on public.profiles
  for each row execute function internal.on_profile_deleted();

select internal.lock_down();
