-- Leaderboard calls for clients (docs/contract.md: "Gamification").

-- 1 + the number of users with more XP: higher coarse buckets plus higher fine buckets within the same coarse one.
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

-- A page of a board after a position (xp, reached_at, user_id). Only the first row's rank is looked up: its score takes as
-- many places as it has users, and all users ranked between it and a lower row are on the page. The rest of the position's
-- own score and the lower scores are read separately, each directly from the index: thousands may share a score, and `or`
-- would read all higher rows. Planned once per connection, since planning takes half the time; the constant limits, for a
-- page of at most 100, make one plan good for any position and p_limit.
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

-- A board's page, the caller's entry and the number of users, in one call. p_with_page false: the caller already has the
-- page. A period without scores has an empty board; p_period_start null: the current period.
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
  -- Separate, because an index supports "is null" and "=", but not "is not distinct from".
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
comment on function public.get_leaderboard is 'A page of a leaderboard, with the caller''s own rank.';

select internal.lock_down();
