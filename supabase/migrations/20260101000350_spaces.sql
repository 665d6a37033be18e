-- Spaces: groups that study together (CONTRACT: "Spaces"). What is kept of them, who may do what, and the spaces themselves;
-- who belongs to them is in the next migration.
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
create index spaces_letters on public.spaces using gin (lower(name) extensions.gin_trgm_ops) with (fastupdate = off)
  where visibility = 'public';
create index spaces_names on public.spaces (lower(name) collate "C") where visibility = 'public';
create statistics public.spaces_trigrams on (extensions.show_trgm(name)) from public.spaces;  -- as those of profiles

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

-- The mailboxes of those who are banned (internal.mailbox_hash), so that a ban outlives the account: as long as the space.
create table internal.banned_mailboxes (
  space_id uuid not null references public.spaces on delete cascade,
  mailbox bytea not null,
  banned_at timestamptz not null,
  primary key (space_id, mailbox)
);

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
create index space_activity_age on public.space_activity (occurred_at);

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

-- Take the space's line for a change of it or of who belongs to it; whether it is there is checked afterwards.
create function internal.lock_space(p_space_id uuid) returns void
language sql volatile set search_path = '' as $$
  select from public.spaces where space_id = p_space_id for no key update
$$;

-- Take both lines, the user's and the space's, and return the space when the user may do p_action there.
create function internal.space_to_change(p_user_id uuid, p_space_id uuid, p_action text) returns public.spaces
language plpgsql set search_path = '' as $$
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(p_space_id);
  return internal.authorize_space(p_user_id, p_space_id, p_action);
end $$;

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

create function internal.note_activity(p_space_id uuid, p_user_id uuid, p_type text, p_details jsonb default '{}')
returns void
language sql volatile set search_path = '' as $$
  insert into public.space_activity (space_id, user_id, activity_type, details, occurred_at)
  select p_space_id, p_user_id, p_type, p_details, internal.clock()
  -- Nobody reads what is told to a space that is being deleted, and whoever tells it must not fail for that.
  from public.spaces where space_id = p_space_id for key share skip locked
$$;

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

-- Up to p_limit public spaces, the newest first, from after (p_after_at, p_after_id).
create function internal.newest_spaces(p_after_at timestamptz, p_after_id uuid, p_limit integer) returns setof public.spaces
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
  select * from public.spaces
  where visibility = 'public' and (created_at, space_id) < (
    coalesce(p_after_at, 'infinity'), coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  order by created_at desc, space_id desc limit p_limit
$$;

-- Public spaces whose name begins with p_query, at most p_limit, whichever.
create function internal.spaces_that_begin(p_query text, p_limit integer) returns setof public.spaces
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
  select * from public.spaces
  where visibility = 'public' and lower(name) collate "C" >= p_query and lower(name) collate "C" < p_query || U&'\+10FFFF'
  order by lower(name) collate "C" limit p_limit
$$;

-- Public spaces whose name has p_query anywhere, found by rare letters.
create function internal.spaces_with_letters(p_query text) returns setof public.spaces
language sql stable set search_path = '' set enable_seqscan = off set enable_indexscan = off as $$
  select * from public.spaces where visibility = 'public' and lower(name) like internal.contains_pattern(p_query)
$$;

-- {"spaces", "next": the position (created_at, space_id) that the page after begins behind, or null}: public spaces, newest
-- first, whose name begins with p_query or, where it has three letters or digits in a row, contains it.
-- What is common is found among the newest. What does not fill a page there is looked up by an index, if that finds at most
-- 10,000; otherwise the page is short, or empty, and the next one goes on. So no query reads every space.
create function public.search_spaces(
  p_user_id uuid, p_query text, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_query text := lower(coalesce(p_query, ''));
  v_anywhere boolean := v_query ~ '[[:alnum:]]{3}';
  v_at_most integer := case v_query when '' then p_limit + 1 else 1000 end;
  v_read public.spaces[] := array(select s from internal.newest_spaces(p_after_at, p_after_id, v_at_most) s);
  v_page public.spaces[] := array(
    select s from unnest(v_read) s
    where case when v_anywhere then position(v_query in lower(s.name)) > 0 else starts_with(lower(s.name), v_query) end);
  v_more boolean := cardinality(v_read) = v_at_most;
  v_looked_up public.spaces[];
begin
  if v_more and cardinality(v_page) <= p_limit then
    if not v_anywhere then
      v_looked_up := array(select s from internal.spaces_that_begin(v_query, 10001) s);
    elsif internal.rows_with_letters('public.spaces', 'spaces_trigrams', v_query) <= 10000 then
      v_looked_up := array(select s from internal.spaces_with_letters(v_query) s);
    end if;
    if cardinality(v_looked_up) <= 10000 then
      v_more := false;
      v_page := array(
        select s from unnest(v_looked_up) s where p_after_id is null or (s.created_at, s.space_id) < (p_after_at, p_after_id)
        order by s.created_at desc, s.space_id desc limit p_limit + 1);
    end if;
  end if;
  return jsonb_build_object(
    'spaces', (select coalesce(jsonb_agg(internal.space_json(s, p_user_id)), '[]') from unnest(v_page[:p_limit]) s),
    'next', (
      select jsonb_build_array(created_at, space_id)
      from unnest(case when cardinality(v_page) > p_limit then v_page[p_limit:p_limit] when v_more then v_read[v_at_most:] end)));
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

-- {"space_id", "name"?, "description"?, "visibility"?, "capacity"?}
create function public.update_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_space public.spaces := internal.space_to_change(p_user_id, v_id, 'update');
begin
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
  perform internal.space_to_change(p_user_id, v_id, 'delete');
  perform internal.will_change(array(select user_id from public.space_members where space_id = v_id));
  delete from public.spaces where space_id = v_id;
  return jsonb_build_object('space_id', v_id, 'deleted', true);
end $$;

-- {"space_id", "invite_code"}: the new code comes from the service; the old one is dead.
create function public.renew_invite_code(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
begin
  perform internal.space_to_change(p_user_id, v_id, 'renew_invite_code');
  update public.spaces set invite_code = p_args ->> 'invite_code', updated_at = internal.clock() where space_id = v_id;
  return jsonb_build_object('space_id', v_id, 'invite_code', p_args ->> 'invite_code');
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

-- A feed goes back a term.
create function public.purge_space_activity(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  select internal.purge('public.space_activity', 'occurred_at', interval '90 days', p_limit)
$$;

select internal.lock_down();
