-- Account and profile calls for clients (docs/contract.md: "Users").

create function internal.public_profile(p_profile public.profiles) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'user_id', p_profile.user_id, 'username', p_profile.username, 'display_name', p_profile.display_name,
    'xp', s.total_xp, 'level', s.level, 'created_at', p_profile.created_at,
    'current_streak', internal.current_streak(p_profile.user_id))
  from public.user_stats s where s.user_id = p_profile.user_id
$$;

create function internal.own_profile(p_profile public.profiles) returns jsonb
language sql stable set search_path = '' as $$
  select internal.public_profile(p_profile) || jsonb_build_object(
    'timezone', p_profile.timezone, 'daily_goal_minutes', p_profile.daily_goal_minutes, 'email', u.email,
    'email_confirmed', internal.has_confirmed_email(u.id), 'discoverable', p_profile.discoverable,
    'share_activity', p_profile.share_activity)
  from auth.users u where u.id = p_profile.user_id
$$;

-- Whether others may see an account: only once its address is confirmed, if it has one. Until then nobody can tell a new
-- registration from one with a taken address. An account may also have no email address.
create function internal.is_public(p_user_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from auth.users where id = p_user_id and (email is null or email_confirmed_at is not null))
$$;

create function public.get_profile(p_caller_id uuid, p_user_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_profile public.profiles;
begin
  select * into v_profile from public.profiles where user_id = p_user_id;
  if not found or (p_caller_id <> p_user_id and not internal.is_public(p_user_id)) then
    perform internal.fail('SS001', 'No such user.');
  end if;
  if p_caller_id = p_user_id then
    return internal.own_profile(v_profile);
  end if;
  return internal.public_profile(v_profile);
end $$;
comment on function public.get_profile is 'The profile of a user: all of it for its owner, the public part for others.';

create function public.update_profile(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_profile public.profiles;
begin
  perform internal.lock_user(p_user_id);
  if p_args ->> 'timezone' <> (select timezone from public.profiles where user_id = p_user_id) then
    perform internal.require_zone(p_args ->> 'timezone');
    perform internal.change_zone(p_user_id, p_args ->> 'timezone');
  end if;
  update public.profiles set
    username = coalesce(p_args ->> 'username', username),
    display_name = coalesce(p_args ->> 'display_name', display_name),
    timezone = coalesce(p_args ->> 'timezone', timezone),
    daily_goal_minutes = coalesce((p_args ->> 'daily_goal_minutes')::integer, daily_goal_minutes),
    discoverable = coalesce((p_args ->> 'discoverable')::boolean, discoverable),
    share_activity = coalesce((p_args ->> 'share_activity')::boolean, share_activity),
    updated_at = internal.clock()
  where user_id = p_user_id returning * into v_profile;
  return internal.own_profile(v_profile);
exception when unique_violation then
  perform internal.fail('SS010', 'A user with this username already exists.', '{"field": "username"}');
end $$;
comment on function public.update_profile is 'Change the fields of the caller''s profile that are in p_args.';

-- {"auth_session", "verified": whether the password was given}: delete the account and all its data. A repeat gets the same
-- response. Times of Supabase Auth are compared with the real time, because it sets them from that.
create function public.delete_account(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_signed_in_at timestamptz;
begin
  if exists (select from auth.users where id = p_user_id) then
    select created_at into v_signed_in_at from auth.sessions
    where id = (p_args ->> 'auth_session')::uuid and user_id = p_user_id;
    if not found then
      perform internal.fail('SS006', 'This session has ended.');
    end if;
    if not (p_args ->> 'verified')::boolean and v_signed_in_at < clock_timestamp() - interval '10 minutes' then
      perform internal.fail('SS007', 'Enter your password or sign in again to delete the account.');
    end if;
  end if;
  delete from auth.users where id = p_user_id;
  return jsonb_build_object('user_id', p_user_id, 'deleted', true);
end $$;
comment on function public.delete_account is 'Delete the account and everything that belongs to it.';

-- Why a registration failed, asked only afterwards: Supabase Auth hides the reason if on_account_created fails.
-- `username_known`: any account has this name or a similar one; `username_taken`: an account with another address has.
-- `resumable`: the account exists, but its registration never got a token. A function runs for less than 20 seconds, so the
-- call that created it has ended.
create function public.registration_state(p_email text, p_username text, p_key text, p_scope text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'key_fingerprint', coalesce(
      (select k.fingerprint from public.registration_keys k join auth.users u on u.id = k.user_id
       where u.email = lower(p_email) and k.key = p_key),
      (select fingerprint from public.registration_keys where scope = p_scope)),
    'username_taken', exists (
      select from public.profiles p left join auth.users u on u.id = p.user_id
      where internal.skeleton(p.username) = internal.skeleton(p_username) and u.email is distinct from lower(p_email)),
    'username_known', exists (
      select from public.profiles where internal.skeleton(username) = internal.skeleton(p_username)),
    'user_id', (select id from auth.users where email = lower(p_email)),
    'username_reserved', internal.is_reserved(p_username),
    'email_taken', exists (select from auth.users where email = lower(p_email)),
    'resumable', exists (
      select from auth.users where email = lower(p_email) and last_sign_in_at is null
        and created_at < internal.clock() - interval '20 seconds'))
$$;
comment on function public.registration_state is 'Why a registration failed, and whether it can be resumed.';

-- Create or rename the profile of an account that could not sign in yet: it is missing if the account is older than the
-- trigger; the name is the one now requested.
create function public.complete_registration(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (user_id, username, display_name)
  values (p_user_id, p_args ->> 'username', p_args ->> 'username')
  on conflict (user_id) do update set username = excluded.username, display_name = excluded.display_name;
  insert into public.user_stats (user_id) values (p_user_id) on conflict do nothing;
  return public.get_profile(p_user_id, p_user_id);
exception when unique_violation then
  perform internal.fail('SS010', 'A user with this username already exists.', '{"field": "username"}');
end $$;
comment on function public.complete_registration is
  'Create or rename the profile of an account whose registration is resumed.';

select internal.lock_down();
