-- Change numbers, by which a user's second device knows what it has not seen (docs/contract.md: "Offline sync").

-- The last change number of each user. It is assigned under a lock held until commit.
create table public.user_change_counters (
  user_id uuid primary key references public.profiles on delete cascade,
  seq bigint not null
);
comment on table public.user_change_counters is 'The last change number of each user.';
create policy own_counter on public.user_change_counters for select to authenticated using (user_id = (select auth.uid()));

-- Declare in advance which users a transaction changes, if more than one. Their counters are then locked in a fixed order,
-- whichever row changes first, so that two such transactions never deadlock.
create function internal.declare_changes(p_user_ids uuid[]) returns void
language sql volatile set search_path = '' as $$
  select set_config('studysync.changing', (
    coalesce(nullif(current_setting('studysync.changing', true), ''), '{}')::uuid[] || p_user_ids)::text, true)
$$;

-- The next change number of a user; null while the account itself is being deleted.
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
