-- Space membership: joining, leaving, roles, bans, and the spaces of deleted accounts (docs/contract.md: "Spaces"). There is
-- always exactly one owner.

create function internal.membership_json(p_member public.space_members) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('space_id', p_member.space_id, 'user_id', p_member.user_id, 'role', p_member.role,
                            'joined_at', p_member.joined_at, 'is_member', true)
$$;

-- A user is in at most 200 spaces: a new badge is posted in each.
create function internal.add_member(p_space_id uuid, p_user_id uuid, p_role text) returns public.space_members
language plpgsql set search_path = '' as $$
declare
  v_member public.space_members;
begin
  if (select count(*) from public.space_members where user_id = p_user_id) >= 200 then
    perform internal.fail('SS032', 'You are in as many spaces as an account can be. Leave one first.', '{"max_spaces": 200}');
  end if;
  insert into public.space_members (space_id, user_id, role, joined_at)
  values (p_space_id, p_user_id, p_role, internal.clock()) returning * into v_member;
  update public.spaces set member_count = member_count + 1 where space_id = p_space_id;
  perform internal.record_activity(p_space_id, p_user_id, 'joined');
  return v_member;
end $$;

create function internal.delete_member(p_space_id uuid, p_user_id uuid) returns void
language plpgsql set search_path = '' as $$
begin
  delete from public.space_members where space_id = p_space_id and user_id = p_user_id;
  update public.spaces set member_count = member_count - 1 where space_id = p_space_id;
  perform internal.record_activity(p_space_id, p_user_id, 'left');
end $$;

create function internal.transfer_ownership(p_space_id uuid, p_from uuid, p_to uuid) returns void
language plpgsql set search_path = '' as $$
begin
  perform internal.declare_changes(array[p_from, p_to]);
  update public.space_members set role = 'moderator' where space_id = p_space_id and user_id = p_from;
  update public.space_members set role = 'owner' where space_id = p_space_id and user_id = p_to;
end $$;

-- Whether a user is banned from a space, through this account or any account that shares a current or former mailbox.
create function internal.is_banned(p_space_id uuid, p_user_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select internal.space_role(p_space_id, p_user_id) = 'banned' or exists (
    select from internal.banned_mailboxes
    where space_id = p_space_id and mailbox in (select internal.mailboxes(p_user_id)))
$$;

-- {"space_id"?, "invite_code"?}: by id (plus its code if private), or by code alone.
create function public.join_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := coalesce((p_args ->> 'space_id')::uuid, (
    select space_id from public.spaces where invite_code = p_args ->> 'invite_code'));
  v_space public.spaces;
  v_member public.space_members;
begin
  perform internal.lock_user(p_user_id);
  select * into v_space from public.spaces where space_id = v_id for no key update;
  select * into v_member from public.space_members where space_id = v_id and user_id = p_user_id;
  if found then
    return internal.membership_json(v_member);
  end if;
  -- A code, if sent, must be correct even for a public space; without one a private space does not exist.
  if v_space.space_id is null
      or (p_args ->> 'invite_code' is not null and p_args ->> 'invite_code' <> v_space.invite_code)
      or (p_args ->> 'invite_code' is null and v_space.visibility = 'private') then
    perform internal.fail('SS001', 'No such space.');
  elsif internal.is_banned(v_id, p_user_id) then
    perform internal.fail('SS002', 'You are banned from this space.');
  elsif v_space.member_count >= v_space.capacity then
    perform internal.fail('SS030', 'This space is full.', jsonb_build_object('capacity', v_space.capacity));
  end if;
  return internal.membership_json(internal.add_member(v_id, p_user_id, 'member'));
end $$;
comment on function public.join_space is 'Join a space by id or invite code.';

-- {"space_id"}. If the owner is the only member, the space is deleted. Leaving again gets the same response, unless the
-- space no longer exists for the caller.
create function public.leave_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_space public.spaces := internal.lock_and_authorize_space(p_user_id, v_id, 'read');
  v_role text := internal.space_role(v_id, p_user_id);
begin
  if v_role = 'owner' and v_space.member_count > 1 then
    perform internal.fail('SS031', 'Hand the space over to another member first.');
  elsif v_role = 'owner' then
    delete from public.spaces where space_id = v_id;
  elsif v_role in ('member', 'moderator') then
    perform internal.delete_member(v_id, p_user_id);
  end if;
  return jsonb_build_object('space_id', v_id, 'is_member', false, 'role', null);
end $$;
comment on function public.leave_space is 'Leave a space; a sole owner''s space is deleted.';

create function public.get_membership(p_user_id uuid, p_space_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('space_id', s.space_id, 'is_member', m.role is not null, 'role', m.role)
  from internal.authorize_space(p_user_id, p_space_id, 'membership') s
  left join public.space_members m on m.space_id = s.space_id and m.user_id = p_user_id
$$;
comment on function public.get_membership is 'The caller''s role in a space.';

-- Check that the target has a lower role than the caller; returns the target's membership.
create function internal.require_lower_role(p_user_id uuid, p_space_id uuid, p_target_id uuid)
returns public.space_members
language plpgsql stable set search_path = '' as $$
declare
  v_role text := internal.space_role(p_space_id, p_user_id);
  v_member public.space_members;
begin
  if p_target_id = p_user_id then
    perform internal.fail('SS003', 'You cannot do this to yourself.');
  end if;
  select * into v_member from public.space_members where space_id = p_space_id and user_id = p_target_id;
  if not found then
    perform internal.fail('SS001', 'No such member.');
  elsif internal.role_rank(v_member.role) >= internal.role_rank(v_role) then
    perform internal.fail('SS002', 'You are not allowed to do this to this member.');
  end if;
  return v_member;
end $$;

-- {"space_id", "member_id", "role"}: role `owner` transfers the space. Nobody grants a role as high as their own, except an
-- owner who transfers ownership.
create function public.change_member_role(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_target uuid := (p_args ->> 'member_id')::uuid;
  v_role text;
  v_member public.space_members;
begin
  perform internal.lock_and_authorize_space(p_user_id, v_id, 'change_role');
  v_role := internal.space_role(v_id, p_user_id);
  v_member := internal.require_lower_role(p_user_id, v_id, v_target);
  if p_args ->> 'role' = 'owner' and v_role = 'owner' then
    perform internal.transfer_ownership(v_id, p_user_id, v_target);
  elsif internal.role_rank(p_args ->> 'role') >= internal.role_rank(v_role) then
    perform internal.fail('SS002', 'You are not allowed to give this role.');
  else
    update public.space_members set role = p_args ->> 'role' where space_id = v_id and user_id = v_target;
  end if;
  select * into v_member from public.space_members where space_id = v_id and user_id = v_target;
  return internal.membership_json(v_member);
end $$;
comment on function public.change_member_role is 'Change a member''s role, or transfer ownership.';

-- Ban a user and their mailboxes from a space permanently. They know the invite code, so it is replaced; the new one comes
-- from the service as always.
create function internal.record_ban(p_space_id uuid, p_user_id uuid, p_invite_code text) returns void
language plpgsql set search_path = '' as $$
begin
  insert into internal.banned_mailboxes (space_id, mailbox, banned_at)
  select p_space_id, mailbox, internal.clock() from internal.mailboxes(p_user_id) mailbox
  on conflict do nothing;
  insert into public.space_bans (space_id, user_id, created_at) values (p_space_id, p_user_id, internal.clock())
  on conflict do nothing;
  if found then
    update public.spaces set updated_at = internal.clock(),
      invite_code = coalesce(p_invite_code, upper(replace(gen_random_uuid()::text, '-', '')))
    where space_id = p_space_id;
  end if;
end $$;

-- A change of address extends existing bans to the new mailbox and records the old one for future bans. The profile lock
-- serializes this with a concurrent ban, so that one of the two sees the other.
create function internal.on_address_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.profiles where user_id = new.id for no key update;
  if not found then
    return null;
  end if;
  insert into internal.former_mailboxes (user_id, mailbox, left_at)
  select new.id, internal.mailbox_hash(old.email), internal.clock() where old.email is not null
  on conflict (user_id, mailbox) do update set left_at = excluded.left_at;
  delete from internal.former_mailboxes where user_id = new.id and mailbox not in (
    select mailbox from internal.former_mailboxes where user_id = new.id order by left_at desc limit 20);
  insert into internal.banned_mailboxes (space_id, mailbox, banned_at)
  select b.space_id, mailbox, b.created_at from public.space_bans b cross join internal.mailboxes(new.id) mailbox
  where b.user_id = new.id
  on conflict do nothing;
  return null;
end $$;
create trigger studysync_on_address_changed after update of email on auth.users
  for each row when (old.email is distinct from new.email) execute function internal.on_address_changed();

-- {"space_id", "member_id", "ban", "invite_code": the new one for a ban}. Users who have left can also be banned.
create function public.remove_member(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_target uuid := (p_args ->> 'member_id')::uuid;
  v_ban boolean := coalesce((p_args ->> 'ban')::boolean, false);
begin
  perform internal.lock_and_authorize_space(p_user_id, v_id, 'remove_member');
  if v_ban then
    -- A new code waits for transactions that reference the space, such as a payment. They may in turn wait for the member's
    -- row, so lock the space first.
    perform from public.spaces where space_id = v_id for update;
  end if;
  -- Keep the account and its address until the ban is written; if it is just being deleted, the member is missing.
  perform from public.profiles where user_id = v_target for share;
  if internal.is_member(v_id, v_target) or not v_ban then
    perform internal.require_lower_role(p_user_id, v_id, v_target);
    perform internal.delete_member(v_id, v_target);
  else
    perform internal.require_user(v_target);
  end if;
  if v_ban then
    perform internal.record_ban(v_id, v_target, p_args ->> 'invite_code');
  end if;
  return jsonb_build_object('space_id', v_id, 'user_id', v_target, 'is_member', false, 'banned', v_ban);
end $$;
comment on function public.remove_member is 'Remove a member from a space, optionally with a ban.';

select internal.lock_down();
