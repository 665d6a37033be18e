-- Spaces: groups that study together (docs/contract.md: "Spaces"). Their tables and permissions. Lock order: first the row
-- of the acting user (lock_user), then the space's row, `for no key update` so that sessions and feed entries that only
-- reference the space never wait.

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
comment on table public.spaces is 'Study groups.';
create index spaces_newest on public.spaces (created_at desc, space_id desc) where visibility = 'public';
create index spaces_letters on public.spaces using gin (lower(name) extensions.gin_trgm_ops) with (fastupdate = off)
  where visibility = 'public';
create index spaces_names on public.spaces (lower(name) collate "C") where visibility = 'public';
create statistics public.spaces_trigrams on (extensions.show_trgm(name)) from public.spaces;  -- as for profiles

create table public.space_members (
  space_id uuid not null references public.spaces on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  role text not null check (role in ('member', 'moderator', 'owner')),
  joined_at timestamptz not null,
  primary key (space_id, user_id)
);
comment on table public.space_members is 'Members of spaces and their roles; every space has exactly one owner.';
-- Never two owners; leave_space and leave_all_spaces ensure that there is always one.
create unique index space_members_one_owner on public.space_members (space_id) where role = 'owner';
create index space_members_user on public.space_members (user_id, joined_at);
create policy own_memberships on public.space_members for select to authenticated using (user_id = (select auth.uid()));

create table public.space_bans (
  space_id uuid not null references public.spaces on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  created_at timestamptz not null,
  primary key (space_id, user_id)
);
comment on table public.space_bans is 'Accounts banned from a space.';
create index space_bans_user on public.space_bans (user_id);

-- The mailboxes of banned users (internal.mailbox_hash), so that a ban outlives the account and lasts as long as the space.
create table internal.banned_mailboxes (
  space_id uuid not null references public.spaces on delete cascade,
  mailbox bytea not null,
  banned_at timestamptz not null,
  primary key (space_id, mailbox)
);
comment on table internal.banned_mailboxes is
  'Hashes of the email addresses of banned users, so that a ban outlives the account.';

create table public.space_activity (
  activity_id bigint generated always as identity primary key,
  space_id uuid not null references public.spaces on delete cascade,
  user_id uuid not null references public.profiles on delete cascade,
  activity_type text not null check (activity_type in (
    'joined', 'left', 'session_started', 'session_completed', 'badge_earned')),
  details jsonb not null default '{}',
  occurred_at timestamptz not null
);
comment on table public.space_activity is 'The activity feed of each space.';
create index space_activity_feed on public.space_activity (space_id, activity_id desc);
create index space_activity_user on public.space_activity (user_id);
create index space_activity_age on public.space_activity (occurred_at);

-- Permissions. An outsider may see a public space; a private one does not exist for them, regardless of this table.
create table internal.space_permissions (
  action text not null,
  role text not null check (role in ('outsider', 'banned', 'member', 'moderator', 'owner')),
  primary key (action, role)
);
comment on table internal.space_permissions is 'The roles allowed to perform each action in a space.';
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

create function internal.role_rank(p_role text) returns integer
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

create function internal.is_permitted(p_role text, p_action text) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from internal.space_permissions where action = p_action and role = p_role)
$$;

-- The space, if the user may perform p_action there. Unknown and private spaces give outsiders the same 404.
create function internal.authorize_space(p_user_id uuid, p_space_id uuid, p_action text) returns public.spaces
language plpgsql stable set search_path = '' as $$
declare
  v_space public.spaces;
  v_role text := internal.space_role(p_space_id, p_user_id);
begin
  select * into v_space from public.spaces where space_id = p_space_id;
  if not found or (v_space.visibility = 'private' and v_role in ('outsider', 'banned')) then
    perform internal.fail('SS001', 'No such space.');
  elsif not internal.is_permitted(v_role, p_action) then
    perform internal.fail('SS002', 'You are not allowed to do this in this space.');
  end if;
  return v_space;
end $$;

-- Prevent the deletion of a space until this transaction ends. Take this lock before locking rows that reference it.
create function internal.lock_space_against_deletion(p_space_id uuid) returns void
language sql volatile set search_path = '' as $$
  select from public.spaces where space_id = p_space_id for key share
$$;

-- Lock the space to change it or its members; the caller then checks whether it exists.
create function internal.lock_space(p_space_id uuid) returns void
language sql volatile set search_path = '' as $$
  select from public.spaces where space_id = p_space_id for no key update
$$;

-- The space if the user is a member of it, otherwise null. Removing the member then waits until the transaction ends.
create function internal.lock_membership(p_space_id uuid, p_user_id uuid) returns uuid
language sql volatile set search_path = '' as $$
  select space_id from public.space_members where space_id = p_space_id and user_id = p_user_id for key share
$$;

-- Lock the user and the space, and return the space if the user may perform p_action there.
create function internal.lock_and_authorize_space(p_user_id uuid, p_space_id uuid, p_action text) returns public.spaces
language plpgsql set search_path = '' as $$
begin
  perform internal.lock_user(p_user_id);
  perform internal.lock_space(p_space_id);
  return internal.authorize_space(p_user_id, p_space_id, p_action);
end $$;

create function internal.space_json(p_space public.spaces, p_user_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'space_id', p_space.space_id, 'name', p_space.name, 'description', p_space.description,
    'visibility', p_space.visibility,
    'capacity', p_space.capacity, 'member_count', p_space.member_count, 'created_at', p_space.created_at,
    'owner_id', (select user_id from public.space_members where space_id = p_space.space_id and role = 'owner'),
    'is_member', v.role in ('member', 'moderator', 'owner'),
    'role', case when v.role in ('member', 'moderator', 'owner') then v.role end,
    'invite_code', case when internal.is_permitted(v.role, 'invite_code') then p_space.invite_code end)
  from (select internal.space_role(p_space.space_id, p_user_id) as role) v
$$;

-- p_at: when it happened, if not now.
create function internal.record_activity(
  p_space_id uuid, p_user_id uuid, p_type text, p_details jsonb default '{}', p_at timestamptz default null)
returns void
language sql volatile set search_path = '' as $$
  insert into public.space_activity (space_id, user_id, activity_type, details, occurred_at)
  select p_space_id, p_user_id, p_type, p_details, coalesce(p_at, internal.clock())
  -- Nobody reads the feed of a space that is being deleted, and writing to it must not fail because of that.
  from public.spaces where space_id = p_space_id for key share skip locked
$$;

select internal.lock_down();
