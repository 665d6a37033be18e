-- XP: the append-only ledger, and what a completed session pays. One implementation for sessions that end online, by
-- schedule or in an offline batch (docs/contract.md: "XP").

create type public.xp_source as enum (
  'session', 'focus_bonus', 'daily_bonus', 'streak_bonus', 'milestone_500', 'milestone_10000', 'correction');
comment on type public.xp_source is 'What an entry of the XP ledger was paid for.';

create table public.xp_ledger (
  user_id uuid not null references public.profiles on delete cascade,
  entry_id bigint generated always as identity,
  session_id uuid not null,
  occurred_at timestamptz not null,   -- when the session ended: what leaderboard periods go by
  created_at timestamptz not null,    -- when it was awarded: a period that was over by then did not get it
  amount integer not null,            -- below zero: an operator took back what a session had paid
  source public.xp_source not null,
  day date not null,                  -- the user's local day that it was earned on
  milestone integer,                  -- the XP from sessions that this milestone stands for; null for other sources
  space_id uuid,                      -- the space that the session was studied in
  primary key (user_id, entry_id),
  check (case when source = 'correction' then amount < 0 else amount > 0 end),
  check ((milestone is null) = (source not in ('milestone_500', 'milestone_10000')))
);
comment on table public.xp_ledger is 'Append-only ledger of all XP; totals, days and leaderboards add up to it.';
-- A session can pay only once, and a milestone is reached only once.
create unique index xp_ledger_session on public.xp_ledger (session_id, source, milestone) nulls not distinct;
create unique index xp_ledger_milestone on public.xp_ledger (user_id, source, milestone) where milestone is not null;
create policy own_ledger on public.xp_ledger for select to authenticated using (user_id = (select auth.uid()));

-- Append-only for everybody, the service role too. Rows go only with the account that they belong to.
create function internal.forbid_ledger_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' and not exists (select from public.profiles where user_id = old.user_id) then
    return old;
  end if;
  raise exception 'the XP ledger is append-only' using errcode = 'restrict_violation';
end $$;
create trigger xp_ledger_append_only before update or delete on public.xp_ledger
  for each row execute function internal.forbid_ledger_change();
create trigger xp_ledger_no_truncate before truncate on public.xp_ledger
  for each statement execute function internal.forbid_ledger_change();

-- Count a completed session for its local day; returns the day's row. A day that arrives late joins the run before it
-- to the run after it: in the latter, day - streak is the same for every day, namely the new day.
create function internal.record_study_day(p_user_id uuid, p_day date, p_focus_seconds integer) returns public.study_days
language plpgsql set search_path = '' as $$
declare
  v_day public.study_days;
  v_before integer;
begin
  update public.study_days set sessions = sessions + 1, focus_seconds = focus_seconds + p_focus_seconds
  where user_id = p_user_id and day = p_day returning * into v_day;
  if found then
    return v_day;
  end if;
  v_before := coalesce((select streak from public.study_days where user_id = p_user_id and day = p_day - 1), 0);
  update public.study_days set streak = streak + v_before + 1
  where user_id = p_user_id and day > p_day and day - streak = p_day;
  insert into public.study_days (user_id, day, sessions, focus_seconds, streak)
  values (p_user_id, p_day, 1, p_focus_seconds, v_before + 1) returning * into v_day;
  return v_day;
end $$;

-- What a session of p_focus_seconds on p_day pays, by source; {} when nothing. p_day already counts the session. The
-- bonuses of a day come with the session that first brings its credited time there, however short that session is.
create function internal.xp_for_session(p_focus_seconds integer, p_day public.study_days) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(source, amount) filter (where amount > 0), '{}')
  from (values
    ('session', case when p_focus_seconds >= 60 then p_focus_seconds / 60
                     when p_day.short_sessions_paid < 5 then 1 else 0 end),
    ('focus_bonus', case when p_focus_seconds >= 25 * 60 then 10 else 0 end),
    ('daily_bonus', case when p_day.focus_seconds >= 120 * 60 and not p_day.daily_bonus_paid then 20 else 0 end),
    ('streak_bonus', case when p_day.focus_seconds >= 25 * 60 and not p_day.streak_bonus_rated
                          then least(50, 2 * (p_day.streak / 7)) else 0 end)
  ) as pay (source, amount)
$$;

-- The milestones that lie above p_before and not above p_after XP from sessions.
create function internal.milestones_between(p_before bigint, p_after bigint)
returns table (source public.xp_source, amount integer, milestone integer)
language sql immutable set search_path = '' as $$
  select 'milestone_500'::public.xp_source, 100, (n * 500)::integer from generate_series(p_before / 500 + 1, p_after / 500) n
  union all
  select 'milestone_10000', 1000, (n * 10000)::integer from generate_series(p_before / 10000 + 1, p_after / 10000) n
$$;

-- The numbers of two objects, added key by key.
create function internal.sum_by_key(p_one jsonb, p_other jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(key, sum), '{}')
  from (select key, sum(value::bigint) from (
    select * from jsonb_each_text(p_one) union all select * from jsonb_each_text(p_other)) numbers group by key) added
$$;

select internal.lock_down();
