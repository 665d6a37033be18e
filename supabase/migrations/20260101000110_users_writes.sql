-- User writes: safely repeatable with an Idempotency-Key, and limited by a daily quota that no real student reaches, so that
-- nobody can fill the database.

-- First responses of writes that carried an Idempotency-Key.
create table public.idempotency_keys (
  user_id uuid not null references public.profiles on delete cascade,
  key text not null check (char_length(key) between 1 and 255),
  fingerprint text not null,
  response jsonb not null,
  expires_at timestamptz not null,
  primary key (user_id, key)
);
comment on table public.idempotency_keys is 'First responses of writes that carried an Idempotency-Key.';
create index idempotency_keys_expiry on public.idempotency_keys (expires_at);

-- Run the write p_operation(p_user_id, p_args) once per Idempotency-Key; a repeat gets the first response. The response is
-- stored in the same transaction as the write, so neither ever exists without the other. A failed write leaves no trace and
-- may be retried with the same key.
create function public.write_once(p_user_id uuid, p_operation text, p_args jsonb, p_key text, p_fingerprint text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_first public.idempotency_keys;
  v_response jsonb;
begin
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text || p_key, 0));
  select * into v_first from public.idempotency_keys where user_id = p_user_id and key = p_key;
  if found and v_first.fingerprint <> p_fingerprint then
    perform internal.fail('SS005', 'This Idempotency-Key was used with another request.');
  elsif found then
    return v_first.response;
  end if;
  execute format('select public.%I($1, $2)', p_operation) into v_response using p_user_id, p_args;
  -- A week is longer than any client retries. Events come in thousands, and after a day their session is over.
  insert into public.idempotency_keys (user_id, key, fingerprint, response, expires_at)
  select p_user_id, p_key, p_fingerprint, v_response,
    internal.clock() + case p_operation when 'record_session_event' then interval '1 day' else interval '7 days' end
  where exists (select from public.profiles where user_id = p_user_id);  -- not after account deletion
  return v_response;
end $$;
comment on function public.write_once is 'Run a write once per Idempotency-Key; a repeat gets the first response.';

-- Delete expired keys.
create function public.purge_idempotency_keys(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  select internal.purge('public.idempotency_keys', 'expires_at', interval '0', p_limit)
    + internal.purge('public.registration_keys', 'created_at', interval '7 days', p_limit)
    + internal.purge_unconfirmed_accounts(p_limit)
$$;
comment on function public.purge_idempotency_keys is
  'Delete expired idempotency keys, at most p_limit of each kind; returns how many.';

-- Storage used by an account on its last active day (UTC), for the daily quota.
create table public.account_usage (
  user_id uuid primary key references public.profiles on delete cascade,
  day date not null,
  events integer not null,
  bytes bigint not null,           -- payload bytes
  sessions integer not null,       -- started
  rejected_bytes bigint not null,  -- payload bytes of events that can never be applied
  rejected_events integer not null default 0
) with (fillfactor = 50);
comment on table public.account_usage is 'Storage used by an account on its last active day (UTC), for the daily quota.';

-- Add to the storage that an account has used today (UTC), and fail above the daily quota. p_rejected_bytes counts payloads
-- that can never be applied; returns how many such bytes were stored earlier today.
create function internal.consume_quota(
  p_user_id uuid, p_events integer, p_bytes bigint, p_sessions integer default 0, p_rejected_bytes bigint default 0)
returns bigint
language plpgsql set search_path = '' as $$
declare
  v_now timestamp := internal.clock() at time zone 'UTC';
  v_usage public.account_usage;
  v_max_events constant integer := 100000;
  v_max_bytes constant bigint := 4 * 1024 * 1024;
  v_max_sessions constant integer := 2000;
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
  returning * into v_usage;
  if v_usage.events > v_max_events or v_usage.bytes > v_max_bytes or v_usage.sessions > v_max_sessions then
    perform internal.fail('SS040', 'This account has stored all it may store today.', jsonb_build_object(
      'retry_after_seconds', ceil(extract(epoch from date_trunc('day', v_now) + interval '1 day' - v_now)),
      'events_per_day', v_max_events, 'payload_bytes_per_day', v_max_bytes, 'sessions_per_day', v_max_sessions));
  end if;
  return v_usage.rejected_bytes - p_rejected_bytes;
end $$;

-- How many of the rejected events may be stored: 10,000 per account and day.
create function internal.reserve_rejections(p_user_id uuid, p_events integer) returns integer
language sql volatile set search_path = '' as $$
  update public.account_usage set rejected_events = rejected_events + p_events where user_id = p_user_id
  returning greatest(0, least(p_events, 10000 - (rejected_events - p_events)))
$$;

select internal.lock_down();
