-- Account operations for operators, called through the health function: its audit log names the operator, and the account's
-- trail says what was done and why. Repeating a call changes nothing.

-- Lock an account; an operator's call has no acting account (internal.actor).
create function internal.lock_account(p_user_id uuid) returns void
language plpgsql set search_path = '' as $$
begin
  perform from public.user_stats where user_id = p_user_id for update;
  if not found then
    perform internal.fail('SS001', 'There is no such account.');
  end if;
end $$;

-- The schedule closes active sessions once they are silent. Supabase Auth needs an end time and has no permanent ban.
create function public.suspend_account(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform internal.lock_account(p_user_id);
  insert into internal.suspensions (user_id, suspended_at) values (p_user_id, internal.clock()) on conflict do nothing;
  if found then
    update auth.users set banned_until = internal.clock() + interval '100 years' where id = p_user_id;
    delete from auth.sessions where user_id = p_user_id;
    perform internal.record_audit_entry(
      p_user_id, 'suspend', 'account', null, jsonb_build_object('reason', p_args ->> 'reason'));
  end if;
  return 'true'::jsonb;
end $$;
comment on function public.suspend_account is 'Suspend an account: it can neither write nor sign in.';

create function public.restore_account(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform internal.lock_account(p_user_id);
  delete from internal.suspensions where user_id = p_user_id;
  if found then
    update auth.users set banned_until = null where id = p_user_id;
    perform internal.record_audit_entry(
      p_user_id, 'restore', 'account', null, jsonb_build_object('reason', p_args ->> 'reason'));
  end if;
  return 'true'::jsonb;
end $$;
comment on function public.restore_account is 'Lift an account''s suspension.';

-- {"space_id", "reason"}: allow a user to join a space again, including with the banned mailboxes.
create function public.lift_ban(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_space_id uuid := (p_args ->> 'space_id')::uuid;
begin
  perform internal.lock_account(p_user_id);
  perform internal.lock_space(v_space_id);
  if not exists (select from public.spaces where space_id = v_space_id) then
    perform internal.fail('SS001', 'There is no such space.');
  end if;
  if internal.is_banned(v_space_id, p_user_id) then
    delete from public.space_bans where space_id = v_space_id and user_id = p_user_id;
    delete from internal.banned_mailboxes
    where space_id = v_space_id and mailbox in (select internal.mailboxes(p_user_id));
    perform internal.record_audit_entry(
      p_user_id, 'lift_ban', 'space', v_space_id, jsonb_build_object('reason', p_args ->> 'reason'));
  end if;
  return 'true'::jsonb;
end $$;
comment on function public.lift_ban is 'Lift a user''s ban from a space.';

-- Take back all XP paid for one session, including milestones. Milestone progress stays (user_stats.session_xp): each
-- milestone is paid once, even if it is reached again. Returns the amount; 0 if it was already taken back.
create function internal.revoke_session_xp(p_session public.study_sessions, p_now timestamptz) returns integer
language plpgsql set search_path = '' as $$
declare
  v_taken integer;
begin
  with paid as (
    select day, space_id, occurred_at, sum(amount)::integer as amount, coalesce(milestone is not null or rates = 'milestone_500', false) as milestone
    from public.xp_ledger where session_id = p_session.session_id group by 1, 2, 3, 5 having sum(amount) > 0
  ), taken as (
    insert into public.xp_ledger (user_id, amount, source, rates, session_id, day, space_id, occurred_at, created_at)
    select p_session.user_id, -amount, 'correction', case when milestone then 'milestone_500'::public.xp_source end, p_session.session_id, day, space_id,
           occurred_at, p_now
    from paid returning day, amount
  ), days as (
    update public.study_days d set xp = d.xp + t.amount
    from (select day, sum(amount) as amount from taken group by day) t where d.user_id = p_session.user_id and d.day = t.day
  )
  select -coalesce(sum(amount), 0) into v_taken from taken;
  if v_taken > 0 then
    update public.study_sessions set xp_awarded = 0, updated_at = p_now where session_id = p_session.session_id;
  end if;
  return v_taken;
end $$;

-- {"session_ids", "reason"}: take back the XP of forged sessions. Badges for XP and levels no longer reached are removed;
-- the sessions and their counts stay. Returns {"xp_taken_back", "total_xp", "level"}.
create function public.take_back_xp(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := internal.clock();
  v_ids uuid[] := array(select distinct value::uuid from jsonb_array_elements_text(p_args -> 'session_ids'));
  v_session public.study_sessions;
  v_taken integer := 0;
  v_after public.user_stats;
begin
  perform internal.lock_account(p_user_id);
  if (select count(*) from public.study_sessions
      where session_id = any (v_ids) and user_id = p_user_id and status = 'completed') < cardinality(v_ids) then
    perform internal.fail('SS001', 'One of these is no completed session of this account.');
  end if;
  for v_session in select * from public.study_sessions where session_id = any (v_ids) order by session_id loop
    v_taken := v_taken + internal.revoke_session_xp(v_session, v_now);
  end loop;
  if v_taken > 0 then
    update public.user_stats set total_xp = total_xp - v_taken, updated_at = v_now,
      xp_by_source = internal.sum_by_key(xp_by_source, jsonb_build_object('correction', -v_taken))
    where user_id = p_user_id;
    perform internal.withdraw_badges(p_user_id, array['total_xp', 'level']);
    perform internal.record_audit_entry(p_user_id, 'take_back_xp', 'account', null,
      jsonb_build_object('reason', p_args ->> 'reason', 'xp', v_taken, 'session_ids', p_args -> 'session_ids'));
  end if;
  select * into v_after from public.user_stats where user_id = p_user_id;
  return jsonb_build_object('xp_taken_back', v_taken, 'total_xp', v_after.total_xp, 'level', v_after.level);
end $$;
comment on function public.take_back_xp is 'Revoke the XP of forged sessions.';

select internal.lock_down();
