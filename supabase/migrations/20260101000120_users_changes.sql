-- The numbers of a user's changes, by which a second device knows what it has not seen (docs/contract.md: "Offline sync").

-- How many changes each user has seen: the number of the last one. Handed out under a lock that lasts to the commit.
create table public.user_change_counters (
  user_id uuid primary key references public.profiles on delete cascade,
  seq bigint not null
);
comment on table public.user_change_counters is 'The number of the last change of each user.';
create policy own_counter on public.user_change_counters for select to authenticated using (user_id = (select auth.uid()));

-- Say beforehand of whom a transaction changes something, when that is more than one user: their counters are then taken
-- in one order, whichever row changes first, so that two such transactions never wait for each other in a circle.
create function internal.declare_changes(p_user_ids uuid[]) returns void
language sql volatile set search_path = '' as $$
  select set_config('studysync.changing', (
    coalesce(nullif(current_setting('studysync.changing', true), ''), '{}')::uuid[] || p_user_ids)::text, true)
$$;

-- The number of the next change of a user; null when the account itself goes.
create function internal.next_change_number(p_user_id uuid) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_changing text := current_setting('studysync.changing', true);
  v_seq bigint;
begin
  if v_changing <> '' then
    perform from public.user_change_counters where user_id = any (v_changing::uuid[]) order by user_id for no key update;
    perform set_config('studysync.changing', '', true);
  end if;
  perform from public.profiles where user_id = p_user_id for key share;
  if not found then
    return null;
  end if;
  insert into public.user_change_counters as c (user_id, seq) values (p_user_id, 1)
  on conflict (user_id) do update set seq = c.seq + 1 returning seq into v_seq;
  return v_seq;
end $$;

create function internal.change_cursor(p_user_id uuid) returns bigint
language sql stable set search_path = '' as $$
  select coalesce((select seq from public.user_change_counters where user_id = p_user_id), 0)
$$;

select internal.lock_down();
