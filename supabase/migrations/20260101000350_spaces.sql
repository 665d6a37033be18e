-- Spaces: groups that study together (CONTRACT: "Spaces").
-- Locks, in this order: the line of the user who acts (lock_user), then the space's row, `for no key update` so that
-- sessions and feed entries that only point at the space never wait.

create table public.spaces (
  space_id uuid primary key,
  name text not null check (char_length(name) between 1 and 80),
  description text check (char_length(description) <= 1000),
  visibility text not null check (visibility in ('public', 'private')),
  capacity integer not null default 50 check (capacity between 2 and 500),
  member_count integer not null default 0 check (member_count between 0 and capacity),
  invite_code text not null unique check (char_length(invite_code) >= 13),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index spaces_newest on public.spaces (created_at desc, space_id desc) where visibility = 'public';
create index spaces_search on public.spaces using gin (lower(name) extensions.gin_trgm_ops) where visibility = 'public';
create index spaces_prefix on public.spaces (lower(name) text_pattern_ops) where visibility = 'public';
-- The planner does not trust figures from partial indexes: without these it takes every word for a rare one.
create statistics public.spaces_names on (lower(name)) from public.spaces;

create table public.space_members (
  space_id uuid not null references public.spaces on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  role text not null check (role in ('member', 'moderator', 'owner')),
  joined_at timestamptz not null,
  primary key (space_id, user_id)
);
-- Never two owners; never none is what the functions below see to.
create unique index space_members_one_owner on public.space_members (space_id) where role = 'owner';
create index space_members_user on public.space_members (user_id, joined_at);
create policy own_memberships on public.space_members for select to authenticated using (user_id = (select auth.uid()));

create table public.space_bans (
  space_id uuid not null references public.spaces on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  created_at timestamptz not null,
  primary key (space_id, user_id)
);
create index space_bans_user on public.space_bans (user_id);

create table public.space_activity (
  activity_id bigint generated always as identity primary key,
  space_id uuid not null references public.spaces on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  activity_type text not null check (activity_type in (
    'joined', 'left', 'session_started', 'session_completed', 'badge_earned')),
  details jsonb not null default '{}',
  occurred_at timestamptz not null
);
create index space_activity_feed on public.space_activity (space_id, activity_id desc);
create index space_activity_user on public.space_activity (user_id);

alter table public.study_sessions add foreign key (space_id) references public.spaces on delete set null;
create index study_sessions_space on public.study_sessions (space_id) where space_id is not null;
alter table public.leaderboards add foreign key (space_id) references public.spaces on delete cascade;

-- Who may do what. An outsider may see a public space; to them a private one does not exist, whatever stands here.
create table internal.space_permissions (
  action text not null,
  role text not null check (role in ('outsider', 'banned', 'member', 'moderator', 'owner')),
  primary key (action, role)
);
insert into internal.space_permissions (action, role)
select action, unnest(string_to_array(roles, ' ')) from (values
  ('read', 'outsider banned member moderator owner'),
  ('membership', 'outsider banned member moderator owner'),
  ('members', 'member moderator owner'),
  ('activity', 'member moderator owner'),
  ('leaderboard', 'member moderator owner'),
  ('study', 'member moderator owner'),
  ('leave', 'member moderator owner'),
  ('invite_code', 'moderator owner'),
  ('update', 'moderator owner'),
  ('remove_member', 'moderator owner'),
  ('change_role', 'moderator owner'),
  ('renew_invite_code', 'owner'),
  ('delete', 'owner')
) as matrix (action, roles);

create function internal.space_rank(p_role text) returns integer
language sql immutable set search_path = '' as $$
  select case p_role when 'owner' then 3 when 'moderator' then 2 when 'member' then 1 else 0 end
$$;

create function internal.is_member(p_space_id uuid, p_user_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from public.space_members where space_id = p_space_id and user_id = p_user_id)
$$;

create function internal.space_role(p_space_id uuid, p_user_id uuid) returns text
language sql stable set search_path = '' as $$
  select coalesce(
    (select role from public.space_members where space_id = p_space_id and user_id = p_user_id),
    (select 'banned' from public.space_bans where space_id = p_space_id and user_id = p_user_id),
    'outsider')
$$;

create function internal.may(p_role text, p_action text) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from internal.space_permissions where action = p_action and role = p_role)
$$;

-- The space, when the user may do p_action there. Unknown and private-to-outsiders are the same 404.
create function internal.authorize_space(p_user_id uuid, p_space_id uuid, p_action text) returns public.spaces
language plpgsql stable set search_path = '' as $$
declare
  v_space public.spaces;
  v_role text := internal.space_role(p_space_id, p_user_id);
begin
  select * into v_space from public.spaces where space_id = p_space_id;
  if not found or (v_space.visibility = 'private' and v_role in ('outsider', 'banned')) then
    perform internal.fail('SS001', 'No such space.');
  elsif not internal.may(v_role, p_action) then
    perform internal.fail('SS002', 'You are not allowed to do this in this space.');
  end if;
  return v_space;
end $$;

-- Keep a space from being deleted before this transaction ends. Taken before anything that points at it is locked.
create function internal.keep_space(p_space_id uuid) returns void
language sql volatile set search_path = '' as $$
  select from public.spaces where space_id = p_space_id for key share
$$;

-- Take the space's line for a change of who belongs to it; whether it is there is checked afterwards.
create function internal.lock_space(p_space_id uuid) returns void
language sql volatile set search_path = '' as $$
  select from public.spaces where space_id = p_space_id for no key update
$$;

create function internal.space_json(s public.spaces, p_user_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'space_id', s.space_id, 'name', s.name, 'description', s.description, 'visibility', s.visibility,
    'capacity', s.capacity, 'member_count', s.member_count, 'created_at', s.created_at,
    'owner_id', (select user_id from public.space_members where space_id = s.space_id and role = 'owner'),
    'is_member', v.role in ('member', 'moderator', 'owner'),
    'role', case when v.role in ('member', 'moderator', 'owner') then v.role end,
    'invite_code', case when internal.may(v.role, 'invite_code') then s.invite_code end)
  from (select internal.space_role(s.space_id, p_user_id) as role) v
$$;

create function internal.membership_json(m public.space_members) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('space_id', m.space_id, 'user_id', m.user_id, 'role', m.role,
                            'joined_at', m.joined_at, 'is_member', true)
$$;

create function internal.note_activity(p_space_id uuid, p_user_id uuid, p_type text, p_details jsonb default '{}')
returns void
language sql volatile set search_path = '' as $$
  insert into public.space_activity (space_id, user_id, activity_type, details, occurred_at)
  select p_space_id, p_user_id, p_type, p_details, internal.clock()
  where exists (select from public.spaces where space_id = p_space_id)
$$;

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
    group by b.board_id
    returning board_id, xp
  )
  select jsonb_agg(jsonb_build_object('board_id', board_id, 'xp', xp, 'users', 1)) into v_changes from restored;
  if v_changes is not null then
    perform internal.change_buckets(p_user_id, v_changes);
  end if;
end $$;

create function internal.add_member(p_space_id uuid, p_user_id uuid, p_role text) returns public.space_members
language plpgsql set search_path = '' as $$
declare
  m public.space_members;
begin
  insert into public.space_members (space_id, user_id, role, joined_at)
  values (p_space_id, p_user_id, p_role, internal.clock()) returning * into m;
  update public.spaces set member_count = member_count + 1 where space_id = p_space_id;
  perform internal.note_activity(p_space_id, p_user_id, 'joined');
  perform internal.restore_scores(p_user_id, p_space_id);
  return m;
end $$;

create function internal.drop_member(p_space_id uuid, p_user_id uuid) returns void
language plpgsql set search_path = '' as $$
begin
  delete from public.space_members where space_id = p_space_id and user_id = p_user_id;
  update public.spaces set member_count = member_count - 1 where space_id = p_space_id;
  perform internal.note_activity(p_space_id, p_user_id, 'left');
  perform internal.remove_scores(p_user_id, p_space_id);
end $$;

create function internal.hand_over(p_space_id uuid, p_from uuid, p_to uuid) returns void
language plpgsql set search_path = '' as $$
begin
  update public.space_members set role = 'moderator' where space_id = p_space_id and user_id = p_from;
  update public.space_members set role = 'owner' where space_id = p_space_id and user_id = p_to;
end $$;

-- {"space_id", "name", "description"?, "visibility", "capacity"?, "invite_code"}: id and code come from the service.
create function public.create_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_space public.spaces;
begin
  perform internal.lock_user(p_user_id);
  insert into public.spaces (space_id, name, description, visibility, capacity, invite_code, created_at, updated_at)
  values ((p_args ->> 'space_id')::uuid, p_args ->> 'name', p_args ->> 'description', p_args ->> 'visibility',
          coalesce((p_args ->> 'capacity')::integer, 50), p_args ->> 'invite_code', internal.clock(), internal.clock())
  on conflict (space_id) do nothing;
  if found then
    perform internal.add_member((p_args ->> 'space_id')::uuid, p_user_id, 'owner');
  end if;
  v_space := internal.authorize_space(p_user_id, (p_args ->> 'space_id')::uuid, 'read');
  return internal.space_json(v_space, p_user_id);
end $$;

create function public.get_space(p_user_id uuid, p_space_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select internal.space_json(internal.authorize_space(p_user_id, p_space_id, 'read'), p_user_id)
$$;

-- Public spaces, newest first, from after (p_after_at, p_after_id). A query finds names that contain it; one of fewer
-- than three characters, which no trigram index can help with, names that begin with it.
-- What is common is found among the newest; only what does not fill a page there is looked up by its letters. So neither
-- a rare name makes us read every space, nor a common one sort them all.
create function public.search_spaces(
  p_user_id uuid, p_query text, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_pattern text := internal.contains_pattern(lower(p_query));
  v_after text := case when p_after_id is not null then 'and (created_at, space_id) < ($2, $3)' else '' end;
  v_matches text;
  v_page public.spaces[];
begin
  if char_length(p_query) < 3 then
    v_pattern := substr(v_pattern, 2);
  end if;
  v_matches := coalesce(format('lower(name) like %L', v_pattern), 'true');
  -- Planned for this very query: which index is best depends on it.
  execute format(
    $query$
      select array(
        select s from (
          select * from public.spaces where visibility = 'public' %s order by created_at desc, space_id desc limit %s
        ) s where %s order by created_at desc, space_id desc limit $1 + 1)
    $query$, v_after, case when p_query is null then '$1 + 1' else '1000' end, v_matches)
  into v_page using p_limit, p_after_at, p_after_id;
  if p_query is not null and cardinality(v_page) <= p_limit then
    -- `offset 0`: found first, sorted then.
    execute format(
      $query$
        select array(
          select s from (select * from public.spaces where visibility = 'public' and %s %s offset 0) s
          order by created_at desc, space_id desc limit $1 + 1)
      $query$, v_matches, v_after)
    into v_page using p_limit, p_after_at, p_after_id;
  end if;
  return (
    select coalesce(jsonb_agg(internal.space_json(s, p_user_id) order by s.created_at desc, s.space_id desc), '[]')
    from unnest(v_page) s);
end $$;

create function public.get_own_spaces(
  p_user_id uuid, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.space_json(s, p_user_id) || jsonb_build_object('joined_at', m.joined_at)
                            order by m.joined_at desc, m.space_id desc), '[]')
  from (
    select * from public.space_members
    where user_id = p_user_id and (p_after_id is null or (joined_at, space_id) < (p_after_at, p_after_id))
    order by joined_at desc, space_id desc limit p_limit + 1
  ) m join public.spaces s using (space_id)
$$;

-- {"space_id"?, "invite_code"?}: by id (with its code when private), or by code alone.
create function public.join_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := coalesce((p_args ->> 'space_id')::uuid, (
    select space_id from public.spaces where invite_code = p_args ->> 'invite_code'));
  v_space public.spaces;
  m public.space_members;
begin
  perform internal.lock_user(p_user_id);
  select * into v_space from public.spaces where space_id = v_id for no key update;
  select * into m from public.space_members where space_id = v_id and user_id = p_user_id;
  if found then
    return internal.membership_json(m);
  end if;
  -- A code that is sent must be the right one, for a public space too; a private one does not exist without it.
  if v_space.space_id is null
      or (p_args ->> 'invite_code' is not null and p_args ->> 'invite_code' <> v_space.invite_code)
      or (p_args ->> 'invite_code' is null and v_space.visibility = 'private') then
    perform internal.fail('SS001', 'No such space.');
  elsif internal.space_role(v_id, p_user_id) = 'banned' then
    perform internal.fail('SS002', 'You are banned from this space.');
  elsif v_space.member_count >= v_space.capacity then
    perform internal.fail('SS030', 'This space is full.', jsonb_build_object('capacity', v_space.capacity));
  end if;
  return internal.membership_json(internal.add_member(v_id, p_user_id, 'member'));
end $$;

-- {"space_id"}. An owner who is alone takes the space with them. Leaving again is the same answer, but where the space
-- does not exist for the caller any more.
create function public.leave_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_space public.spaces;
  v_role text;
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(v_id);
  v_role := internal.space_role(v_id, p_user_id);
  v_space := internal.authorize_space(p_user_id, v_id, 'read');
  if v_role = 'owner' and v_space.member_count > 1 then
    perform internal.fail('SS031', 'Hand the space over to another member first.');
  elsif v_role = 'owner' then
    delete from public.spaces where space_id = v_id;
  elsif v_role in ('member', 'moderator') then
    perform internal.drop_member(v_id, p_user_id);
  end if;
  return jsonb_build_object('space_id', v_id, 'is_member', false, 'role', null);
end $$;

create function public.get_space_members(p_user_id uuid, p_space_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'user_id', m.user_id, 'username', p.username, 'role', m.role, 'joined_at', m.joined_at, 'xp', u.total_xp,
    'is_studying', exists (
      select from public.study_sessions a
      where a.user_id = m.user_id and a.status = 'active' and internal.is_running(a)))
    order by internal.space_rank(m.role) desc, m.joined_at, m.user_id), '[]')
  from internal.authorize_space(p_user_id, p_space_id, 'members') s
  join public.space_members m on m.space_id = s.space_id
  join public.profiles p on p.user_id = m.user_id
  join public.user_stats u on u.user_id = m.user_id
$$;

create function public.get_membership(p_user_id uuid, p_space_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('space_id', s.space_id, 'is_member', m.role is not null, 'role', m.role)
  from internal.authorize_space(p_user_id, p_space_id, 'membership') s
  left join public.space_members m on m.space_id = s.space_id and m.user_id = p_user_id
$$;

-- {"space_id", "name"?, "description"?, "visibility"?, "capacity"?}
create function public.update_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_space public.spaces;
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(v_id);
  v_space := internal.authorize_space(p_user_id, v_id, 'update');
  if (p_args ->> 'capacity')::integer < v_space.member_count then
    perform internal.fail('SS003', 'The space has more members than that.',
                          jsonb_build_object('field', 'capacity', 'member_count', v_space.member_count));
  end if;
  update public.spaces set
    name = coalesce(p_args ->> 'name', name),
    description = case when p_args ? 'description' then p_args ->> 'description' else description end,
    visibility = coalesce(p_args ->> 'visibility', visibility),
    capacity = coalesce((p_args ->> 'capacity')::integer, capacity),
    updated_at = internal.clock()
  where space_id = v_id returning * into v_space;
  return internal.space_json(v_space, p_user_id);
end $$;

-- {"space_id"}. The sessions that were studied in it stay their students'.
create function public.delete_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(v_id);
  perform internal.authorize_space(p_user_id, v_id, 'delete');
  delete from public.spaces where space_id = v_id;
  return jsonb_build_object('space_id', v_id, 'deleted', true);
end $$;

-- {"space_id", "invite_code"}: the new code comes from the service; the old one is dead.
create function public.renew_invite_code(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(v_id);
  perform internal.authorize_space(p_user_id, v_id, 'renew_invite_code');
  update public.spaces set invite_code = p_args ->> 'invite_code', updated_at = internal.clock() where space_id = v_id;
  return jsonb_build_object('space_id', v_id, 'invite_code', p_args ->> 'invite_code');
end $$;

-- The target of an action that is for those above them only; returns their membership.
create function internal.require_below(p_user_id uuid, p_space_id uuid, p_target_id uuid) returns public.space_members
language plpgsql stable set search_path = '' as $$
declare
  v_role text := internal.space_role(p_space_id, p_user_id);
  m public.space_members;
begin
  if p_target_id = p_user_id then
    perform internal.fail('SS003', 'You cannot do this to yourself.');
  end if;
  select * into m from public.space_members where space_id = p_space_id and user_id = p_target_id;
  if not found then
    perform internal.fail('SS001', 'No such member.');
  elsif internal.space_rank(m.role) >= internal.space_rank(v_role) then
    perform internal.fail('SS002', 'You are not allowed to do this to this member.');
  end if;
  return m;
end $$;

-- {"space_id", "member_id", "role"}: role `owner` hands the space over. Nobody gives a role that is not below their
-- own, but an owner who gives theirs away.
create function public.change_member_role(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_target uuid := (p_args ->> 'member_id')::uuid;
  v_role text;
  m public.space_members;
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(v_id);
  perform internal.authorize_space(p_user_id, v_id, 'change_role');
  v_role := internal.space_role(v_id, p_user_id);
  m := internal.require_below(p_user_id, v_id, v_target);
  if p_args ->> 'role' = 'owner' and v_role = 'owner' then
    perform internal.hand_over(v_id, p_user_id, v_target);
  elsif internal.space_rank(p_args ->> 'role') >= internal.space_rank(v_role) then
    perform internal.fail('SS002', 'You are not allowed to give this role.');
  else
    update public.space_members set role = p_args ->> 'role' where space_id = v_id and user_id = v_target;
  end if;
  select * into m from public.space_members where space_id = v_id and user_id = v_target;
  return internal.membership_json(m);
end $$;

-- {"space_id", "member_id", "ban"}. A ban also holds for somebody who has left.
create function public.remove_member(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_target uuid := (p_args ->> 'member_id')::uuid;
  v_ban boolean := coalesce((p_args ->> 'ban')::boolean, false);
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(v_id);
  perform internal.authorize_space(p_user_id, v_id, 'remove_member');
  if internal.is_member(v_id, v_target) or not v_ban then
    perform internal.require_below(p_user_id, v_id, v_target);
    perform internal.drop_member(v_id, v_target);
  else
    perform internal.require_user(v_target);
  end if;
  if v_ban then
    insert into public.space_bans (space_id, user_id, created_at) values (v_id, v_target, internal.clock())
    on conflict do nothing;
  end if;
  return jsonb_build_object('space_id', v_id, 'user_id', v_target, 'is_member', false, 'banned', v_ban);
end $$;

-- Newest first, from below p_before. One row more than p_limit where there are more.
create function public.get_space_activity(p_user_id uuid, p_space_id uuid, p_limit integer, p_before bigint default null)
returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'activity_id', a.activity_id, 'activity_type', a.activity_type, 'user_id', a.user_id, 'username', p.username,
    'details', a.details, 'occurred_at', a.occurred_at) order by a.activity_id desc), '[]')
  from internal.authorize_space(p_user_id, p_space_id, 'activity') s
  cross join lateral (
    select * from public.space_activity
    where space_id = s.space_id and activity_id < coalesce(p_before, 9223372036854775807)
    order by activity_id desc limit p_limit + 1
  ) a join public.profiles p using (user_id)
$$;

-- When an account goes, whichever way, its spaces pass to the longest-standing moderator, else member, or go with it
-- when nobody is left. Every space of the user is locked, not only the owned ones: nobody can hand them one meanwhile.
create function internal.leave_all_spaces(p_user_id uuid) returns void
language plpgsql set search_path = '' as $$
declare
  v_membership record;
  v_heir uuid;
begin
  perform from public.spaces s
  where s.space_id in (select space_id from public.space_members where user_id = p_user_id)
  order by s.space_id for no key update;
  for v_membership in select space_id, role from public.space_members where user_id = p_user_id order by space_id loop
    select user_id into v_heir from public.space_members
    where space_id = v_membership.space_id and user_id <> p_user_id
    order by internal.space_rank(role) desc, joined_at, user_id limit 1;
    if v_heir is null then
      delete from public.spaces where space_id = v_membership.space_id;
      continue;
    end if;
    if v_membership.role = 'owner' then
      perform internal.hand_over(v_membership.space_id, p_user_id, v_heir);
    end if;
    perform internal.drop_member(v_membership.space_id, p_user_id);
  end loop;
end $$;

create or replace function internal.on_profile_deleted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform internal.leave_all_spaces(old.user_id);
  perform internal.remove_scores(old.user_id);
  return old;
end $$;

select internal.lock_down();
