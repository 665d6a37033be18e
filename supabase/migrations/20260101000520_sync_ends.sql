-- Starting and ending sessions online, and ending them by schedule (docs/contract.md: "Sessions"). Events that waited for the
-- end are then judged.

-- {"session_id"?, "duration_minutes", "subject"?, "space_id"?, "mode"}. A repeat with the same id gets the same response.
create function public.start_session(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := coalesce((p_args ->> 'session_id')::uuid, gen_random_uuid());
  v_space_id uuid := (p_args ->> 'space_id')::uuid;
  v_now timestamptz;
  v_session public.study_sessions;
begin
  perform internal.lock_user(p_user_id);
  v_now := date_trunc('milliseconds', internal.clock());
  select * into v_session from public.study_sessions where session_id = v_id;
  if found then
    return internal.repeated_start(p_user_id, v_session, p_args);
  end if;
  perform internal.free_active_session(p_user_id, p_args ->> 'mode');
  if v_space_id is not null then
    perform internal.lock_space_against_deletion(v_space_id);
    perform internal.authorize_space(p_user_id, v_space_id, 'study');
  end if;
  perform internal.consume_quota(p_user_id, 1, 0, 1);
  insert into public.study_sessions
    (session_id, user_id, space_id, subject, duration_minutes, started_at, last_activity_at, progress, silence_check_at)
  values (v_id, p_user_id, v_space_id, p_args ->> 'subject', (p_args ->> 'duration_minutes')::integer, v_now, v_now,
          internal.initial_progress(v_now), v_now + interval '60 minutes')
  on conflict (session_id) do nothing returning * into v_session;
  if not found then  -- taken concurrently by another user
    perform internal.fail('SS003', 'This session_id is taken.', '{"field": "session_id"}');
  end if;
  perform internal.record_activity(v_space_id, p_user_id, 'session_started', jsonb_build_object('session_id', v_id));
  insert into public.session_events (session_id, user_id, source, event_type, occurred_at)
  values (v_id, p_user_id, 'lifecycle', 'start', v_now);
  perform internal.judge_waiting(p_user_id, p_args ->> 'mode');  -- starts that waited for the session that made way
  return internal.session_started_json(v_session);
end $$;
comment on function public.start_session is 'Start a study session.';

create function internal.fail_covered(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  perform internal.fail('SS003', 'Other sessions cover this one.', jsonb_build_object('session_id', p_session.session_id));
end $$;

-- {"session_id", "completed_at"?, "efficiency"?, "mode"}
create function public.complete_session(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_session public.study_sessions := internal.lock_session_to_end(p_user_id, p_args, 'completed');
  v_outcome jsonb;
begin
  if v_session.status = 'completed' then
    return internal.session_outcome(v_session);
  elsif v_session.status = 'active' then
    v_outcome := internal.record_completion(
      v_session, internal.session_now(v_session), (p_args ->> 'completed_at')::timestamptz,
      (p_args ->> 'efficiency')::numeric, p_args ->> 'mode');
  end if;
  if v_outcome is null then
    perform internal.fail_covered(v_session);
  end if;
  perform internal.judge_waiting(p_user_id, p_args ->> 'mode');
  return v_outcome;
end $$;
comment on function public.complete_session is 'Complete a session and award its XP.';

-- {"session_id", "mode"}: end an active session whose completion was refused because others cover it. The refusal undid its
-- own transaction, so this is another one.
create function public.end_covered_session(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_now timestamptz;
begin
  perform internal.lock_user(p_user_id);
  v_session := internal.own_session(p_user_id, (p_args ->> 'session_id')::uuid);
  v_now := internal.session_now(v_session);
  if v_session.status <> 'active' or (internal.completion_credit(v_session, v_now)).credit is not null then
    return internal.session_outcome(v_session);
  end if;
  perform internal.record_abandonment(v_session, v_now, 'overlap');
  perform internal.judge_waiting(p_user_id, p_args ->> 'mode');
  return internal.session_outcome(internal.own_session(p_user_id, v_session.session_id));
end $$;
comment on function public.end_covered_session is 'End a session that other sessions cover.';

-- {"session_id", "mode"}
create function public.abandon_session(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_session public.study_sessions := internal.lock_session_to_end(p_user_id, p_args, 'abandoned');
  v_outcome jsonb;
begin
  if v_session.status = 'abandoned' then
    return internal.session_outcome(v_session);
  end if;
  v_outcome := internal.record_abandonment(v_session, internal.session_now(v_session), 'client');
  perform internal.judge_waiting(p_user_id, p_args ->> 'mode');
  return v_outcome;
end $$;
comment on function public.abandon_session is 'End a session without XP.';

-- The schedule calls this until nothing is left. It ends up to p_limit silent sessions and postpones the check of those that
-- have continued. Locked users are left to the next run. The default is one at a time: transactions that each pay several
-- users could deadlock on each other's boards.
create function public.close_silent_sessions(p_mode text, p_limit integer default 1) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_candidate record;
  v_outcome jsonb;
  v_completed integer := 0;
  v_abandoned integer := 0;
  v_postponed integer := 0;
  v_xp bigint := 0;
  v_session public.study_sessions;
begin
  for v_candidate in
    select c.user_id, c.session_id from public.study_sessions c
    where c.status = 'active' and c.silence_check_at < internal.clock()
    order by c.silence_check_at limit 200
  loop
    exit when v_completed + v_abandoned >= p_limit;
    perform from public.user_stats where user_id = v_candidate.user_id for update skip locked;
    continue when not found;
    select * into v_session from public.study_sessions where session_id = v_candidate.session_id;
    continue when not found or v_session.status <> 'active';
    if not internal.is_silent(v_session) then
      update public.study_sessions set silence_check_at = internal.silent_from(v_session)
      where session_id = v_session.session_id;
      v_postponed := v_postponed + 1;
      continue;
    end if;
    perform internal.declare_changes(array[v_session.user_id]);
    v_outcome := internal.close_silent_session(v_session, p_mode);
    perform internal.judge_waiting(v_session.user_id, p_mode);
    v_completed := v_completed + (v_outcome ->> 'status' = 'completed')::integer;
    v_abandoned := v_abandoned + (v_outcome ->> 'status' = 'abandoned')::integer;
    v_xp := v_xp + (v_outcome ->> 'xp_awarded')::integer;
  end loop;
  return jsonb_build_object(
    'completed', v_completed, 'abandoned', v_abandoned, 'postponed', v_postponed, 'xp_awarded', v_xp);
end $$;
comment on function public.close_silent_sessions is
  'End up to p_limit sessions that have been silent for 60 minutes; returns counts.';

select internal.lock_down();
