-- XP: the append-only ledger and the rules for completed sessions. One implementation for sessions that end online, by
-- schedule or in an offline batch (docs/contract.md: "XP").

create type public.xp_source as enum (
  'session', 'focus_bonus', 'daily_bonus', 'streak_bonus', 'milestone_500', 'milestone_10000', 'rerating', 'correction');
comment on type public.xp_source is 'The reason for an entry of the XP ledger.';

create table public.xp_ledger (
  user_id uuid not null references public.profiles on delete cascade,
  entry_id bigint generated always as identity,
  session_id uuid not null,           -- the session that earned it
  occurred_at timestamptz not null,   -- determines the leaderboard periods: the last second of the session or day
  created_at timestamptz not null,    -- when it was awarded: periods that had ended by then do not count it
  amount integer not null,            -- negative: taken back
  source public.xp_source not null,
  rates public.xp_source,             -- the source that a rerating or correction adjusts, if it matters
  day date not null,                  -- the user's local day on which it was earned
  milestone integer,                  -- the session XP of this milestone; null for other sources
  space_id uuid,                      -- the space where the session was studied
  primary key (user_id, entry_id),
  check (case source when 'correction' then amount < 0 when 'rerating' then amount <> 0 else amount > 0 end),
  check ((milestone is null) = (source not in ('milestone_500', 'milestone_10000')))
);
comment on table public.xp_ledger is 'Append-only ledger of all XP; totals, days and leaderboards add up to it.';
-- A session, a day and a milestone each pay only once; corrections may follow any number of times.
create unique index xp_ledger_session on public.xp_ledger (
  session_id, source, milestone, (case when source in ('daily_bonus', 'streak_bonus') then day end),
  (case when source in ('rerating', 'correction') then entry_id end)) nulls not distinct;
create unique index xp_ledger_day on public.xp_ledger (user_id, day, source) where source in ('daily_bonus', 'streak_bonus');
create unique index xp_ledger_milestone on public.xp_ledger (user_id, source, milestone) where milestone is not null;
create policy own_ledger on public.xp_ledger for select to authenticated using (user_id = (select auth.uid()));

-- The source that an entry counts as: for a rerating, the source that it adjusts.
create function internal.counted_source(p_source public.xp_source, p_rates public.xp_source) returns public.xp_source
language sql immutable set search_path = '' as $$
  select case when p_source = 'rerating' then p_rates else p_source end
$$;

-- Append-only for everybody, including the service role. Rows are only deleted with their account.
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

-- The milestones above p_before and up to p_after XP from sessions.
create function internal.milestones_between(p_before bigint, p_after bigint)
returns table (source public.xp_source, amount integer, milestone integer)
language sql immutable set search_path = '' as $$
  select 'milestone_500'::public.xp_source, 100, (n * 500)::integer from generate_series(p_before / 500 + 1, p_after / 500) n
  union all
  select 'milestone_10000', 1000, (n * 10000)::integer from generate_series(p_before / 10000 + 1, p_after / 10000) n
$$;

-- The sums of two objects by key, without zeros.
create function internal.sum_by_key(p_one jsonb, p_other jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select coalesce(jsonb_object_agg(key, sum), '{}')
  from (select key, sum(value::bigint) from (
    select * from jsonb_each_text(p_one) union all select * from jsonb_each_text(p_other)) numbers group by key) added
  where sum <> 0
$$;

-- The XP paid by a session, {source: amount}, not counting operators' corrections.
create function internal.paid_by_source(p_session_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(source, amount), '{}') from (
    select internal.counted_source(source, rates) as source, sum(amount) as amount from public.xp_ledger
    where session_id = p_session_id group by 1) paid
  where source <> 'correction' and amount <> 0
$$;

select internal.lock_down();
