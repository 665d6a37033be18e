-- Offline sync: events recorded without a connection, applied exactly once (docs/contract.md: "Offline sync"). Their
-- storage, and how each is judged and applied.
-- An applied event is stored in session_events and later in session_trails, which identifies repeats.

-- The sync state of each client; per account, the hundred most recently seen. A client without an id is ''.
create table public.sync_clients (
  user_id uuid not null references public.profiles on delete cascade,
  client_id text not null,
  last_synced_at timestamptz not null,
  last_event_at timestamptz,          -- by the client's clock
  applied_count bigint not null,
  clock_offset integer,               -- how many seconds its clock was behind when last measured
  clock_at timestamptz,
  primary key (user_id, client_id)
);
comment on table public.sync_clients is 'What the server has received from each client of a user.';
create policy own_clients on public.sync_clients for select to authenticated using (user_id = (select auth.uid()));

-- An event while it is judged: the columns of rejected_events, without the user and with no decision yet.
create type internal.sync_event as (
  event_id uuid, session_id uuid, event_type text, payload jsonb, claimed_at timestamptz, occurred_at timestamptz,
  position integer, client_id text, fingerprint text, error_code text, message text, received_at timestamptz,
  sent_as uuid, waits boolean);
comment on type internal.sync_event is 'An event of an offline batch while it is processed.';

-- A rejected event that is to be judged again.
create function internal.judged_anew(p_rejected public.rejected_events) returns internal.sync_event
language sql immutable set search_path = '' as $$
  select row(p_rejected.event_id, p_rejected.session_id, p_rejected.event_type, p_rejected.payload, p_rejected.claimed_at, p_rejected.occurred_at, p_rejected.position, p_rejected.client_id,
             p_rejected.fingerprint, null, null, p_rejected.received_at, p_rejected.sent_as, false)::internal.sync_event
$$;

-- The result of an event: applied, duplicate (its effect already exists) or rejected, with code and message; and whether it
-- waits for something else.
create type internal.event_result as (status text, error_code text, message text, waits boolean);
comment on type internal.event_result is 'The result of an event of an offline batch: applied, duplicate or rejected.';

create function internal.rejection_result(p_code text, p_message text, p_waits boolean default false) returns internal.event_result
language sql immutable set search_path = '' as $$ select ('rejected', p_code, p_message, p_waits)::internal.event_result $$;

create function internal.success_result(p_status text default 'applied') returns internal.event_result
language sql immutable set search_path = '' as $$ select (p_status, null, null, false)::internal.event_result $$;

-- Make way for a session that started at p_at; returns whether the new one goes to the background because another stays the
-- active one. Null (cannot start) if an online session has continued since p_at. An online session that has not was left,
-- and ended with its last sign of life.
create function internal.displace_active_session(p_user_id uuid, p_at timestamptz, p_mode text) returns boolean
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
begin
  select * into v_session from public.study_sessions where user_id = p_user_id and status = 'active' and not background;
  if not found then
    return false;
  elsif v_session.started_at > p_at then
    return true;
  elsif v_session.replayed then
    update public.study_sessions set background = true where session_id = v_session.session_id;
    return false;
  elsif internal.is_silent(v_session) then
    perform internal.close_silent_session(v_session, p_mode);
    return false;
  elsif v_session.last_activity_at <= p_at then
    perform internal.close_session(v_session, v_session.last_activity_at, 'left', p_mode);
    return false;
  end if;
  return null;
end $$;

-- A hash that identifies a client's sessions; null for a client without an id.
create function internal.client_hash(p_client_id text) returns integer
language sql immutable set search_path = '' as $$ select hashtext(p_client_id) $$;

-- Start a session that began offline.
create function internal.apply_start(p_user_id uuid, p_event internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  v_session public.study_sessions;
  v_space uuid := (p_event.payload ->> 'space_id')::uuid;
  v_background boolean;
begin
  select * into v_session from public.study_sessions where session_id = p_event.session_id;
  if found and v_session.user_id = p_user_id then
    return internal.success_result('duplicate');
  elsif found then
    return internal.rejection_result('CONFLICT', 'This session_id is taken.');
  end if;
  -- If the user has left the space since, the study time still counts, but without a space.
  perform internal.lock_space_against_deletion(v_space);
  if not internal.is_member(v_space, p_user_id) then
    v_space := null;
  end if;
  v_background := internal.displace_active_session(p_user_id, p_event.occurred_at, p_mode);
  if v_background is null then
    return internal.rejection_result('SESSION_ALREADY_ACTIVE', 'Another session is active and has gone on since.', true);
  end if;
  insert into public.study_sessions
    (session_id, user_id, space_id, subject, duration_minutes, started_at, last_activity_at, replayed, background, client,
     progress, silence_check_at)
  values (p_event.session_id, p_user_id, v_space, p_event.payload ->> 'subject',
          coalesce((p_event.payload ->> 'duration_minutes')::integer, 25), p_event.occurred_at, p_event.occurred_at, true, v_background,
          internal.client_hash(p_event.client_id), internal.initial_progress(p_event.occurred_at, p_event.claimed_at),
          internal.clock() + interval '60 minutes')
  on conflict (session_id) do nothing;
  if not found then  -- taken concurrently by another user
    return internal.rejection_result('CONFLICT', 'This session_id is taken.');
  end if;
  perform internal.record_activity(
    v_space, p_user_id, 'session_started', jsonb_build_object('session_id', p_event.session_id), p_event.occurred_at);
  insert into public.session_events (event_id, session_id, user_id, source, event_type, occurred_at, claimed_at, payload)
  values (p_event.event_id, p_event.session_id, p_user_id, 'lifecycle', 'start', p_event.occurred_at, p_event.claimed_at, p_event.payload);
  return internal.success_result();
end $$;

-- Whether a session has ended only because no more events arrived.
create function internal.is_assumed_over(p_session public.study_sessions) returns boolean
language sql immutable set search_path = '' as $$
  select p_session.status <> 'active' and p_session.end_reason is not null and p_session.end_reason in ('silent', 'left')
$$;

-- Prepare a session for more events: reopen it if its end was only assumed.
create function internal.reopen_session(p_session public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
begin
  p_session := internal.unarchive_session(p_session);
  if not internal.is_assumed_over(p_session) then
    return p_session;
  end if;
  delete from public.session_events
  where session_id = p_session.session_id and source = 'lifecycle' and payload ->> 'reason' in ('silent', 'left');
  update public.study_sessions set
    status = 'active', ended_at = null, end_reason = null, counts_until = null, credit = internal.credit_of(p_session),
    replayed = true, background = exists (
      select from public.study_sessions o where o.user_id = p_session.user_id and o.status = 'active' and not o.background),
    silence_check_at = internal.clock() + interval '60 minutes', updated_at = internal.clock()
  where session_id = p_session.session_id returning * into p_session;
  return p_session;
end $$;

-- Why an event's session is missing: its start has not arrived, or was rejected.
create function internal.missing_session(p_user_id uuid, p_session_id uuid, p_refused jsonb) returns internal.event_result
language plpgsql stable set search_path = '' as $$
declare
  v_start jsonb := coalesce(p_refused -> p_session_id::text, (
    select jsonb_build_object('error_code', error_code, 'message', message) from public.rejected_events
    where user_id = p_user_id and session_id = p_session_id and event_type = 'start' and error_code is not null limit 1));
begin
  if v_start is null then
    return internal.rejection_result('SESSION_NOT_FOUND', 'The start of this session has not arrived.', true);
  end if;
  return internal.rejection_result(
    v_start ->> 'error_code', 'The start of this session was rejected: ' || (v_start ->> 'message'), true);
end $$;

-- The rejection of an event that is too early for its session; null otherwise.
create function internal.order_error(p_session public.study_sessions, p_event internal.sync_event) returns internal.event_result
language sql immutable set search_path = '' as $$
  select case when p_event.occurred_at < p_session.started_at - internal.clock_tolerance()
              then internal.rejection_result('EVENT_BEFORE_START', 'The event lies before the start of its session.') end
$$;

-- End a session as the event says. A completion takes precedence over an abandonment, whichever came first.
create function internal.apply_end(p_session public.study_sessions, p_event internal.sync_event, p_mode text)
returns internal.event_result
language plpgsql set search_path = '' as $$
declare
  v_was_over boolean := p_session.status = case p_event.event_type when 'complete' then 'completed' else 'abandoned' end;
begin
  p_session := internal.unarchive_session(p_session);
  if p_event.event_type = 'abandon' then
    perform internal.record_abandonment(p_session, p_event.occurred_at, 'client', p_event.event_id, p_event.claimed_at, p_event.payload);
  elsif internal.record_completion(
      p_session, p_event.occurred_at, p_event.claimed_at, (p_event.payload ->> 'efficiency')::numeric, p_mode, null, p_event.event_id, p_event.payload) is null then
    if p_session.status = 'active' or internal.is_assumed_over(p_session) then
      perform internal.record_abandonment(p_session, p_event.occurred_at, 'overlap');
    end if;
    return internal.rejection_result('SESSION_OVERLAP', 'Other sessions cover this one.', true);
  end if;
  return internal.success_result(case when v_was_over then 'duplicate' else 'applied' end);
end $$;

-- The rejection of an event for reasons other than its session; null if it is valid. The account exists since p_account_at.
create function internal.event_error(p_event internal.sync_event, p_account_at timestamptz) returns internal.event_result
language plpgsql immutable set search_path = '' as $$
begin
  if p_event.error_code is not null then
    return internal.rejection_result(p_event.error_code, p_event.message);
  elsif p_event.occurred_at > p_event.received_at + internal.clock_tolerance() then
    return internal.rejection_result('EVENT_IN_FUTURE', 'The event lies in the future.');
  elsif p_event.occurred_at < p_event.received_at - interval '30 days' then
    return internal.rejection_result('EVENT_TOO_OLD', 'The event is older than 30 days.');
  elsif p_event.occurred_at < p_account_at - internal.clock_tolerance() then
    return internal.rejection_result('EVENT_BEFORE_ACCOUNT', 'The event lies before the account was made.');
  end if;
  return null;
end $$;

select internal.lock_down();
