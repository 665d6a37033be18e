-- Events of sessions that were rejected (docs/contract.md: "Offline sync"). Kept beside sessions, because whatever ends one may
-- also send an event back here.

-- Events that were rejected, kept so that their client can see why, and so that they can be tried again; and those that
-- were applied when they were, for whoever tries once more.
create table public.rejected_events (
  user_id uuid not null references public.profiles on delete cascade,
  event_id uuid not null,
  session_id uuid,                    -- null only where the client sent none
  event_type text,
  payload jsonb not null default '{}',
  claimed_at timestamptz,             -- by the client's clock
  occurred_at timestamptz,            -- the same, corrected by sent_at against the server's clock
  position integer not null,          -- in its batch
  client_id text,
  fingerprint text not null,          -- of what the client sent, to know a reused id from a repeat
  error_code text,                    -- null: applied when it was tried again
  message text,
  received_at timestamptz not null,
  sent_as uuid,                       -- the id that it was sent with, where that is another event's
  waits boolean not null,             -- it is judged again when something else comes or ends
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
