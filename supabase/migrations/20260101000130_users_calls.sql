-- What clients ask of accounts and profiles (docs/contract.md: "Users").

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
    'timezone', p_profile.timezone, 'daily_goal_minutes', p_profile.daily_goal_minutes, 'email', u.email)
  from auth.users u where u.id = p_profile.user_id
$$;

create function public.get_profile(p_caller_id uuid, p_user_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_profile public.profiles;
begin
  select * into v_profile from public.profiles where user_id = p_user_id;
  if not found then
    perform internal.fail('SS001', 'No such user.');
  end if;
  if p_caller_id = p_user_id then
    return internal.own_profile(v_profile);
  end if;
  return internal.public_profile(v_profile);
end $$;

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
    updated_at = internal.clock()
  where user_id = p_user_id returning * into v_profile;
  return internal.own_profile(v_profile);
exception when unique_violation then
  perform internal.fail('SS010', 'A user with this username already exists.', '{"field": "username"}');
end $$;

-- The account and all that hangs on it. Deleting what is gone already is the same answer.
create function public.delete_account(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  delete from auth.users where id = p_user_id;
  return jsonb_build_object('user_id', p_user_id, 'deleted', true);
end $$;

-- Why a registration failed, asked only after it did: Supabase Auth hides the reason when on_account_created refuses.
-- `username_taken`: this or one that looks like it, by another account than that of the address. `resumable`: the account was made but its registration
-- never got as far as a token. 20 seconds are more than a function may run, so whoever began it is not at it any more.
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
    'username_reserved', internal.is_reserved(p_username),
    'email_taken', exists (select from auth.users where email = lower(p_email)),
    'resumable', exists (
      select from auth.users where email = lower(p_email) and last_sign_in_at is null
        and created_at < internal.clock() - interval '20 seconds'))
$$;

-- The profile of an account that was there before it could sign in: made where it is missing (the account is older
-- than the trigger), named as its owner now asks.
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

select internal.lock_down();
