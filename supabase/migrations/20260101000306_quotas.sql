-- How much an account may store a day: bounds that nobody meets who studies, so that nobody fills the database who does not.

-- Add to what an account has stored today (UTC), and fail once that is more than a day's quota. p_rejected_bytes is of
-- payloads that nobody can use again; returns what of such was stored today before.
create function internal.use_quota(
  p_user_id uuid, p_events integer, p_bytes bigint, p_sessions integer default 0, p_rejected_bytes bigint default 0)
returns bigint
language plpgsql set search_path = '' as $$
declare
  v_now timestamp := internal.clock() at time zone 'UTC';
  u public.account_usage;
  max_events constant integer := 100000;
  max_bytes constant bigint := 4 * 1024 * 1024;
  max_sessions constant integer := 2000;
begin
  insert into public.account_usage as old (user_id, day, events, bytes, sessions, rejected_bytes)
  values (p_user_id, v_now::date, p_events, p_bytes, p_sessions, p_rejected_bytes)
  on conflict (user_id) do update set
    day = excluded.day,
    events = excluded.events + case when old.day = excluded.day then old.events else 0 end,
    bytes = excluded.bytes + case when old.day = excluded.day then old.bytes else 0 end,
    sessions = excluded.sessions + case when old.day = excluded.day then old.sessions else 0 end,
    rejected_bytes = excluded.rejected_bytes + case when old.day = excluded.day then old.rejected_bytes else 0 end,
    rejected_events = case when old.day = excluded.day then old.rejected_events else 0 end
  returning * into u;
  if u.events > max_events or u.bytes > max_bytes or u.sessions > max_sessions then
    perform internal.fail('SS040', 'This account has stored all it may store today.', jsonb_build_object(
      'retry_after_seconds', ceil(extract(epoch from date_trunc('day', v_now) + interval '1 day' - v_now)),
      'events_per_day', max_events, 'payload_bytes_per_day', max_bytes, 'sessions_per_day', max_sessions));
  end if;
  return u.rejected_bytes - p_rejected_bytes;
end $$;

-- Of so many events that were rejected, how many are kept: 10,000 of an account a day.
create function internal.kept_rejections(p_user_id uuid, p_events integer) returns integer
language sql volatile set search_path = '' as $$
  update public.account_usage set rejected_events = rejected_events + p_events where user_id = p_user_id
  returning greatest(0, least(p_events, 10000 - (rejected_events - p_events)))
$$;

-- Fail where a session that runs online has no room for another event of this type.
create function internal.require_room(s public.study_sessions, p_event_type text) returns void
language plpgsql set search_path = '' as $$
begin
  if not internal.has_room(s, p_event_type, 0, 0) then
    perform internal.fail('SS041', 'This session has taken all the events that a session takes.', jsonb_build_object(
      'max_events', internal.max_session_events(), 'max_breaks', internal.max_session_breaks()));
  end if;
end $$;

-- Whether a session has room for another event, beside so many events and breaks that are on their way.
create function internal.has_room(s public.study_sessions, p_event_type text, p_events integer, p_breaks integer)
returns boolean
language sql immutable set search_path = '' as $$
  select (s.progress).events + p_events < internal.max_session_events()
    and (p_event_type not in ('break_start', 'break_end')
      or (s.progress).breaks + p_breaks < internal.max_session_breaks())
$$;

select internal.lock_down();
