-- Local days: the day to which a moment belongs, and the length of streaks (docs/contract.md: "Days and streaks"). Only this
-- database counts days, by its own time zone data.

-- The zones of profiles whose zone changed after their first day: when each takes effect, and the offset added to its dates
-- so that days continue without a gap or a repeat. A user without rows here has only ever had one zone.
create table internal.user_zones (
  user_id uuid not null references public.profiles on delete cascade,
  from_at timestamptz not null,
  timezone text not null,
  day_offset integer not null,
  primary key (user_id, from_at)
);
comment on table internal.user_zones is 'The time zones of profiles whose zone changed after their first day.';

-- Dates that a zone skipped when it moved across the date line, and the moment at which it did. No day is missing there.
create function internal.dates_left_out() returns table (timezone text, at timestamptz)
language sql immutable set search_path = '' as $$
  values ('Pacific/Apia', timestamptz '2011-12-30 10:00+00'), ('Pacific/Fakaofo', '2011-12-30 11:00+00')
$$;

-- The zones of a profile, including one that has never changed.
create function internal.zones_as_set(p_user_id uuid)
returns table (from_at timestamptz, until_at timestamptz, timezone text, day_offset integer)
language sql stable rows 1 set search_path = '' as $$
  select z.from_at, lead(z.from_at, 1, 'infinity') over (order by z.from_at), z.timezone, z.day_offset
  from internal.user_zones z where z.user_id = p_user_id
  union all
  select '-infinity', 'infinity', p.timezone, (
    select count(*)::integer from internal.dates_left_out() l where l.timezone = p.timezone)
  from public.profiles p
  where p.user_id = p_user_id and not exists (select from internal.user_zones z where z.user_id = p_user_id)
$$;

-- The same, also split where a date was skipped, with the last day that each zone counts.
create function internal.zones_of(p_user_id uuid)
returns table (from_at timestamptz, until_at timestamptz, timezone text, day_offset integer, last_day date)
language sql stable rows 1 set search_path = '' as $$
  select z.from_at, coalesce(lead(z.from_at) over later, 'infinity'), z.timezone, z.day_offset,
         coalesce((lead(z.from_at) over later at time zone lead(z.timezone) over later)::date
                  + lead(z.day_offset) over later - 1, 'infinity')
  from (
    select s.from_at, s.timezone, s.day_offset from internal.zones_as_set(p_user_id) s
    union all
    select l.at, s.timezone, s.day_offset - 1 from internal.zones_as_set(p_user_id) s
    join internal.dates_left_out() l on l.timezone = s.timezone and l.at > s.from_at and l.at < s.until_at
  ) z
  window later as (order by z.from_at)
$$;

-- The first moment of a date. If midnight occurs twice because the clocks go back across it, PostgreSQL takes the second.
create function internal.day_start(p_date date, p_timezone text) returns timestamptz
language sql stable set search_path = '' as $$
  select case when ((at - interval '1 hour') at time zone p_timezone)::date >= p_date then at - interval '1 hour' else at end
  from (select p_date::timestamp at time zone p_timezone as at) midnight
$$;

-- The day to which a moment counts.
create function internal.study_day(p_user_id uuid, p_at timestamptz) returns date
language sql stable set search_path = '' as $$
  select least((p_at at time zone z.timezone)::date + z.day_offset, z.last_day)
  from internal.zones_of(p_user_id) z where z.from_at <= p_at and p_at < z.until_at
$$;

-- The first moment that no longer counts to a day.
create function internal.day_end(p_user_id uuid, p_day date) returns timestamptz
language sql stable set search_path = '' as $$
  select case when z.last_day = p_day then z.until_at
              else internal.day_start(p_day - z.day_offset + 1, z.timezone) end
  from internal.zones_of(p_user_id) z where z.last_day >= p_day order by z.from_at limit 1
$$;

-- The user's calendar date on a counted day.
create function internal.calendar_date(p_user_id uuid, p_day date) returns date
language sql stable set search_path = '' as $$
  select p_day - z.day_offset from internal.zones_of(p_user_id) z where z.last_day >= p_day order by z.from_at limit 1
$$;

create function internal.seconds_of(p_time tstzmultirange) returns numeric
language sql immutable set search_path = '' as $$
  select coalesce(sum(extract(epoch from upper(stretch) - lower(stretch))), 0) from unnest(p_time) stretch
$$;

-- The seconds of the given time that fall on each day.
create function internal.days_of(p_user_id uuid, p_time tstzmultirange) returns table (day date, seconds numeric)
language sql stable set search_path = '' as $$
  select least(local.date::date + z.day_offset, z.last_day), sum(internal.seconds_of(p_time * tstzmultirange(tstzrange(
    greatest(z.from_at, internal.day_start(local.date::date, z.timezone)),
    least(z.until_at, greatest(z.from_at, internal.day_start(local.date::date, z.timezone),
                               internal.day_start(local.date::date + 1, z.timezone)))))))
  from internal.zones_of(p_user_id) z
  cross join lateral (select p_time * tstzmultirange(tstzrange(z.from_at, z.until_at)) as time) part
  cross join lateral generate_series(
    (lower(part.time) at time zone z.timezone)::date::timestamp,
    ((upper(part.time) - interval '1 microsecond') at time zone z.timezone)::date::timestamp, interval '1 day') local (date)
  group by 1
$$;

-- Local days are counted here, so a zone that this database does not know must fail now and not at a completion. PostgreSQL
-- also accepts abbreviations and POSIX rules, but only names stay right when a clock changes.
create function internal.require_zone(p_timezone text) returns void
language plpgsql stable set search_path = '' as $$
begin
  if not exists (select from pg_catalog.pg_timezone_names where name = p_timezone) then
    perform internal.fail('SS004', 'timezone is not a known IANA time zone.', '{"location": "body.timezone"}');
  end if;
end $$;

-- Change a profile's zone to p_timezone from the next day on. That day begins at the first midnight in the new zone at least
-- 20 hours after the present day began. If the profile has no day yet, the zone applies from the start. A pending change is
-- dropped, but the present day stays what it is, because study time may already be counted to it.
create function internal.change_zone(p_user_id uuid, p_timezone text) returns void
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := internal.clock();
  v_day date := internal.study_day(p_user_id, v_now);
  v_began timestamptz := internal.day_end(p_user_id, v_day - 1);
  v_zone record;
  v_midnight timestamptz;
begin
  if not exists (select from public.study_days where user_id = p_user_id and focus_seconds > 0) then
    delete from internal.user_zones where user_id = p_user_id;
    return;
  elsif exists (select from internal.zones_as_set(p_user_id) n where n.until_at = 'infinity' and n.timezone = p_timezone) then
    return;
  end if;
  delete from internal.user_zones where user_id = p_user_id and from_at > v_now;
  select * into v_zone from internal.zones_as_set(p_user_id) n where n.until_at = 'infinity';
  if v_zone.timezone = p_timezone and internal.study_day(p_user_id, v_now) = v_day then
    return;
  end if;
  insert into internal.user_zones (user_id, from_at, timezone, day_offset)
  values (p_user_id, v_zone.from_at, v_zone.timezone, v_zone.day_offset) on conflict do nothing;
  v_midnight := internal.day_start(
    (greatest(v_now, v_began + interval '20 hours') at time zone p_timezone)::date + 1, p_timezone);
  insert into internal.user_zones (user_id, from_at, timezone, day_offset)
  values (p_user_id, v_midnight, p_timezone, v_day + 1 - (v_midnight at time zone p_timezone)::date);
end $$;

create function internal.local_today(p_user_id uuid) returns date
language sql stable set search_path = '' as $$
  select internal.study_day(p_user_id, internal.clock())
$$;

-- A streak is alive until the end of the day after it.
create function internal.current_streak(p_user_id uuid) returns integer
language sql stable set search_path = '' as $$
  select coalesce((
    select d.streak from public.study_days d
    where d.user_id = p_user_id and d.day >= (select internal.local_today(p_user_id)) - 1 and d.streak > 0
    order by d.day desc limit 1), 0)
$$;

-- Count a day for the streak. A late day joins the streak before it to the one after it: in the latter, day - streak is the
-- same for every day, namely the new day.
create function internal.join_streak(p_user_id uuid, p_day date) returns void
language plpgsql set search_path = '' as $$
declare
  v_before integer := coalesce((select streak from public.study_days where user_id = p_user_id and day = p_day - 1), 0);
begin
  update public.study_days set streak = streak + v_before + 1
  where user_id = p_user_id and day > p_day and streak > 0 and day - streak = p_day;
  update public.study_days set streak = v_before + 1 where user_id = p_user_id and day = p_day;
end $$;

-- Recount all streaks because a day no longer qualifies.
create function internal.recount_streaks(p_user_id uuid) returns void
language sql volatile set search_path = '' as $$
  update public.study_days d set streak = r.streak
  from (
    select n.day, case when n.counts then row_number() over (partition by n.counts, n.run order by n.day) else 0 end as streak
    from (
      select day, focus_seconds >= 60 as counts,
             day - (row_number() over (partition by focus_seconds >= 60 order by day))::integer as run
      from public.study_days where user_id = p_user_id
    ) n
  ) r
  where d.user_id = p_user_id and d.day = r.day and d.streak <> r.streak
$$;

select internal.lock_down();
