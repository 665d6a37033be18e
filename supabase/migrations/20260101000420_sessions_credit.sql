-- Credit across sessions: no second counts twice (docs/contract.md: "Sessions"). A session is credited within 24 hours of
-- its start, so only sessions of a day or two can overlap it, however long the student's history is.

-- The final credit of a session; null if it was never credited. The rest of a running session is not decided yet.
create function internal.credit_of(p_session public.study_sessions) returns tstzmultirange
language plpgsql stable set search_path = '' as $$
begin
  return case when p_session.credit is not null then p_session.credit
              when p_session.credit_in_trail then internal.archived_credit(p_session)
              when p_session.status = 'completed' then tstzmultirange(tstzrange(p_session.started_at, p_session.ended_at)) end;
end $$;

-- Restore the events and progress of a session that continues; returns it.
create function internal.unarchive_session(p_session public.study_sessions) returns public.study_sessions
language plpgsql set search_path = '' as $$
declare
  v_credit tstzmultirange := case when p_session.credit_in_trail then internal.credit_of(p_session) else p_session.credit end;
begin
  if p_session.archived then
    insert into public.session_events (user_id, event_id, session_id, occurred_at, claimed_at, source, event_type, payload)
    select user_id, event_id, session_id, occurred_at, claimed_at, source, event_type, payload
    from internal.archived_events(p_session) order by seq on conflict do nothing;  -- heartbeats at the same moment merge
    delete from public.session_trails where session_id = p_session.session_id;
  end if;
  if p_session.progress is null then
    update public.study_sessions set
      archived = false, progress = internal.recalculate_progress(p_session), credit = v_credit, credit_in_trail = false,
      updated_at = internal.clock()
    where session_id = p_session.session_id returning * into p_session;
  end if;
  return p_session;
end $$;

-- The user's sessions with credited time between two moments.
create function internal.credited_between(p_user_id uuid, p_except uuid, p_from timestamptz, p_until timestamptz)
returns setof public.study_sessions
language sql stable rows 2 set search_path = '' as $$
  select * from public.study_sessions s
  where s.user_id = p_user_id and s.started_at > p_from - interval '24 hours' and s.started_at < p_until
    and s.session_id <> p_except
    and case when s.credit is not null then s.credit && tstzrange(p_from, greatest(p_from, p_until))
             else s.status = 'completed' and s.ended_at > p_from end
$$;

-- If two sessions of one client overlap, the one that ended first keeps the shared time. A client runs one session at a
-- time, so its clock was set back. Whether o gives way to p_session, which ends at p_until.
create function internal.gives_way(o public.study_sessions, p_session public.study_sessions, p_until timestamptz) returns boolean
language sql immutable set search_path = '' as $$
  select coalesce(o.client = p_session.client and o.status = 'completed'
                  and (internal.counted_until(o), o.session_id) > (p_until, p_session.session_id), false)
$$;

-- The part of a session's time that was credited to other sessions, which keep it.
create function internal.taken_time(p_session public.study_sessions, p_own tstzmultirange, p_until timestamptz) returns tstzmultirange
language sql stable set search_path = '' as $$
  select coalesce(range_agg(stretch), '{}')
  from internal.credited_between(p_session.user_id, p_session.session_id, lower(p_own), upper(p_own)) o
  cross join lateral unnest(internal.credit_of(o) * p_own) stretch
  where not internal.gives_way(o, p_session, p_until)
$$;

-- Whether a session with p_focus seconds left after p_clipped went to others merely duplicates another one: the rest may be
-- up to the clock tolerance.
create function internal.is_covered(p_focus numeric, p_clipped numeric) returns boolean
language sql immutable set search_path = '' as $$
  select p_clipped > 0 and (p_focus < 1 or (p_clipped > v.seconds and p_focus <= v.seconds))
  from (select extract(epoch from internal.clock_tolerance()) as seconds) v
$$;

-- Whether another session has credited time between two moments.
create function internal.has_completed_session_between(p_session public.study_sessions, p_from timestamptz, p_until timestamptz)
returns boolean
language sql stable set search_path = '' as $$
  select p_from < p_until and exists (select from internal.credited_between(p_session.user_id, p_session.session_id, p_from, p_until))
$$;

select internal.lock_down();
