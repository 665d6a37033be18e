-- Which sessions of a user lie beside each other (docs/contract.md: "Sessions" and "Offline sync"). Sessions that take time never
-- overlap, so whichever ends first after a moment tells all about it: each question looks at a handful of rows, however
-- long the student's history is.

-- The sessions that take time and are known to go on beyond p_after, the first to end first, at most a handful.
create function internal.occupying_sessions_after(p_user_id uuid, p_except uuid, p_after timestamptz)
returns setof public.study_sessions
language sql stable rows 8 set search_path = '' as $$
  select * from public.study_sessions
  where user_id = p_user_id and occupies and known_until > p_after and session_id <> p_except
  order by known_until limit 8
$$;

-- The same of those that are undecided. They may overlap, so of very many only the nearest are seen: which of them may
-- begin is a courtesy to clients, and what is paid is decided by those that take time.
create function internal.undecided_sessions_after(p_user_id uuid, p_except uuid, p_after timestamptz)
returns setof public.study_sessions
language sql stable rows 8 set search_path = '' as $$
  select * from public.study_sessions
  where user_id = p_user_id and not occupies and known_until > p_after and session_id <> p_except
  order by known_until limit 64
$$;

-- Of two that overlap and are both undecided the first to be completed counts.
create function internal.overlaps_other_session(p_session public.study_sessions, p_until timestamptz) returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from internal.occupying_sessions_after(p_session.user_id, p_session.session_id, p_session.started_at) o
    where o.started_at < p_until)
$$;

-- A session that was begun offline may turn out to have been beside another one; then it takes no more.
create function internal.require_no_overlap(p_session public.study_sessions) returns void
language plpgsql set search_path = '' as $$
begin
  if p_session.replayed and internal.overlaps_other_session(p_session, internal.clock()) then
    perform internal.fail(
      'SS003', 'This session overlaps another one.', jsonb_build_object('session_id', p_session.session_id));
  end if;
end $$;

-- Whether another session was completed between two moments.
create function internal.has_completed_session_between(
  p_session public.study_sessions, p_from timestamptz, p_until timestamptz)
returns boolean
language sql stable set search_path = '' as $$
  select exists (
    select from internal.occupying_sessions_after(p_session.user_id, p_session.session_id, p_from) o
    where o.status = 'completed' and o.started_at < p_until)
$$;

-- When a session of p_user_id that seems to begin at p_at began: after the session before it, when that reaches only a
-- little beyond p_at; null when they truly overlap. One that runs online is displaced or refused
-- (displace_active_session).
create function internal.non_overlapping_start(p_user_id uuid, p_session_id uuid, p_at timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select case when coalesce(max(o.known_until), p_at) <= p_at + internal.clock_tolerance()
              then greatest(p_at, max(o.known_until)) end
  from (
    select * from internal.occupying_sessions_after(p_user_id, p_session_id, p_at)
    union all
    select * from internal.undecided_sessions_after(p_user_id, p_session_id, p_at)
  ) o
  where o.started_at <= p_at and not (o.status = 'active' and not o.replayed)
$$;

-- When a session that seems to end at p_at ended: before the next one began, when that was only a little before p_at;
-- null when it truly overlaps another.
create function internal.non_overlapping_end(p_session public.study_sessions, p_at timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select case when coalesce(min(o.started_at), p_at)
                >= greatest(p_session.started_at, p_at - internal.clock_tolerance())
              then coalesce(min(o.started_at), p_at) end
  from internal.occupying_sessions_after(p_session.user_id, p_session.session_id, p_session.started_at) o
  where o.started_at < p_at
$$;

-- A session that the schedule gave up for silent may go on: its phone was only offline.
create function internal.can_be_reopened(p_session public.study_sessions) returns boolean
language sql immutable set search_path = '' as $$
  select p_session.status = 'abandoned' and p_session.end_reason = 'silent'
$$;

select internal.lock_down();
