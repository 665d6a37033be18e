-- Rejected events of sessions (docs/contract.md: "Offline sync"). Defined next to sessions, because ending a session may
-- also put an event back here.

-- Rejected events, stored so that their client can see why and retry them. An event that a retry applied also stays, so that
-- a repeated retry finds it.
create table public.rejected_events (
  user_id uuid not null references public.profiles on delete cascade,
  event_id uuid not null,
  session_id uuid,                    -- null only if the client sent none
  event_type text,
  payload jsonb not null default '{}',
  claimed_at timestamptz,             -- by the client's clock
  occurred_at timestamptz,            -- claimed_at corrected by sent_at against the server's clock
  position integer not null,          -- within its batch
  client_id text,
  fingerprint text not null,          -- of the content sent, to tell a reused id from a repeat
  error_code text,                    -- null: applied on a retry
  message text,
  received_at timestamptz not null,
  sent_as uuid,                       -- the id it was sent with, if that belongs to another event
  waits boolean not null,             -- it is judged again when other events arrive or a session ends
  primary key (user_id, event_id)
);
comment on table public.rejected_events is
  'Events of offline batches that were rejected, kept for their client to inspect and retry.';
create index rejected_events_newest on public.rejected_events (user_id, received_at desc, event_id)
  where error_code is not null;
create index rejected_events_waiting on public.rejected_events (user_id, session_id) where waits;
create index rejected_events_starts on public.rejected_events (user_id, session_id)
  where event_type = 'start' and error_code is not null;
create index rejected_events_age on public.rejected_events (received_at);
create policy own_rejected_events on public.rejected_events for select to authenticated
  using (user_id = (select auth.uid()));

select internal.lock_down();
