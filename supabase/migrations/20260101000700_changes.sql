-- Changes since a user's last sync, so that a second device can catch up (docs/contract.md: "Offline sync").

-- The last change of each object, one row each. `seq` is assigned at commit by deferred triggers, under a lock held until
-- the commit is done, so a later number is never visible before an earlier one. Sessions are many and store their own last
-- change number (study_sessions.change_seq).
create table public.user_changes (
  user_id uuid not null references public.profiles on delete cascade,
  kind text not null check (kind in ('xp', 'badge', 'membership', 'profile')),
  entity_id text not null,
  seq bigint not null,
  deleted boolean not null,
  changed_at timestamptz not null,
  primary key (user_id, kind, entity_id)
);
comment on table public.user_changes is 'The last change of each object that a second device synchronizes, except sessions.';
create index user_changes_seq on public.user_changes (user_id, seq);
create policy own_changes on public.user_changes for select to authenticated using (user_id = (select auth.uid()));

create function internal.record_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_row jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
  v_user uuid := (v_row ->> 'user_id')::uuid;
  v_seq bigint := internal.next_change_number(v_user);
begin
  if v_seq is not null then
    insert into public.user_changes (user_id, kind, entity_id, seq, deleted, changed_at)
    values (v_user, tg_argv[0], coalesce(v_row ->> tg_argv[1], 'me'), v_seq, tg_op = 'DELETE', internal.clock())
    on conflict (user_id, kind, entity_id) do update
    set seq = excluded.seq, deleted = excluded.deleted, changed_at = excluded.changed_at;
  end if;
  return null;
end $$;

create function internal.record_session_change() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_seq bigint := internal.next_change_number(new.user_id);
begin
  if v_seq is not null then
    update public.study_sessions set change_seq = v_seq where session_id = new.session_id;
  end if;
  return null;
end $$;

create constraint trigger studysync_changes after insert or update of status, lost_space on public.study_sessions
  deferrable initially deferred for each row execute function internal.record_session_change();
create constraint trigger studysync_changes after update of total_xp on public.user_stats
  deferrable initially deferred for each row execute function internal.record_change('xp', 'nothing');
-- The profile shows XP, level and streak.
create constraint trigger studysync_profile_changes after update of total_xp on public.user_stats
  deferrable initially deferred for each row execute function internal.record_change('profile', 'nothing');
create constraint trigger studysync_changes after insert or delete on public.user_badges
  deferrable initially deferred for each row execute function internal.record_change('badge', 'badge_key');
create constraint trigger studysync_changes after insert or update of role or delete on public.space_members
  deferrable initially deferred for each row execute function internal.record_change('membership', 'space_id');
create constraint trigger studysync_changes after insert or update on public.profiles
  deferrable initially deferred for each row execute function internal.record_change('profile', 'nothing');

create function internal.change_data(p_change public.user_changes) returns jsonb
language sql stable set search_path = '' as $$
  select case p_change.kind
    when 'xp' then (
      select jsonb_build_object('total_xp', total_xp, 'level', level) from public.user_stats
      where user_id = p_change.user_id)
    when 'badge' then (
      select internal.badge_json(b) || jsonb_build_object('earned_at', u.earned_at)
      from public.user_badges u join public.badges b using (badge_key)
      where u.user_id = p_change.user_id and u.badge_key = p_change.entity_id)
    when 'membership' then (
      select internal.membership_json(m) from public.space_members m
      where m.user_id = p_change.user_id and m.space_id = p_change.entity_id::uuid)
    when 'profile' then (select internal.own_profile(p) from public.profiles p where p.user_id = p_change.user_id)
  end
$$;

-- Changes after p_after, oldest first, each with the object's current state. Fails for a cursor that we cannot have issued.
create function public.get_changes(p_user_id uuid, p_after bigint, p_limit integer) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_last bigint := internal.change_cursor(p_user_id);
begin
  if p_after < 0 or p_after > v_last then
    perform internal.fail('SS004', 'The cursor is not valid.', '{"location": "query.cursor"}');
  end if;
  return jsonb_build_object('last', v_last, 'changes', (
    select coalesce(jsonb_agg(change order by seq), '[]')
    from (
      (select seq, jsonb_build_object(
         'kind', c.kind, 'id', c.entity_id, 'seq', c.seq, 'deleted', c.deleted, 'changed_at', c.changed_at,
         'data', case when not c.deleted then internal.change_data(c) end) as change
       from public.user_changes c where user_id = p_user_id and seq > p_after order by seq limit p_limit + 1)
      union all
      (select change_seq, jsonb_build_object(
         'kind', 'session', 'id', s.session_id, 'seq', change_seq, 'deleted', false, 'changed_at', s.updated_at,
         'data', internal.session_json(s))
       from public.study_sessions s where user_id = p_user_id and change_seq > p_after order by change_seq limit p_limit + 1)
      order by seq limit p_limit + 1
    ) changes));
end $$;
comment on function public.get_changes is 'Changes after a cursor, each with the object''s current state.';

select internal.lock_down();
