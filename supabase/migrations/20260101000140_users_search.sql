-- User search by name. Any query reads a bounded number of rows, however many users there are: prefixes through ordered
-- indexes, substrings through trigrams if those are rare, otherwise a slice of all names with a cursor to continue.

create index profiles_usernames on public.profiles (lower(username) collate "C");
create index profiles_display_names on public.profiles (lower(display_name) collate "C", lower(username) collate "C")
  where lower(display_name) <> lower(username);
-- Both names, separated by a character that neither names nor queries contain. Every search would also read the pending list
-- of an index with fastupdate.
create index profiles_letters on public.profiles
  using gin (lower(username || E'\x01' || display_name) extensions.gin_trgm_ops) with (fastupdate = off);

-- Trigram frequencies for internal.estimated_matches; ANALYZE counts them like the words of a text.
create statistics public.profiles_trigrams on (extensions.show_trgm(username || E'\x01' || display_name)) from public.profiles;

-- The trigrams of every text that contains p_text, without those that depend on word boundaries.
create function internal.inner_trigrams(p_text text) returns setof text
language sql immutable strict parallel safe set search_path = '' as $$
  select distinct unnest(extensions.show_trgm(run))
  from (select substr(p_text, n, 3) as run from generate_series(1, char_length(p_text) - 2) n) runs
  where run ~ '^[[:alnum:]]{3}$'
  except
  select unnest(extensions.show_trgm(part))
  from (select substr(p_text, n, 2) as part from generate_series(1, char_length(p_text) - 1) n) parts
$$;

-- An upper bound on the rows with a text's rarest trigram, from p_statistics. All rows if the table was never analyzed or
-- the index cannot see the trigrams, such as non-ASCII letters with locale C.
create function internal.estimated_matches(p_table regclass, p_statistics text, p_text text) returns double precision
language sql stable set search_path = '' as $$
  select pg_relation_size(c.oid) / 8192 * case when c.relpages > 0 then greatest(c.reltuples / c.relpages, 1) else 100 end
    * coalesce((
        select min(coalesce(k.freq, case when s.runs is null then 0.002 else s.freqs[cardinality(s.runs) + 1] end))
        from (
          select most_common_elems::text::text[] as runs, most_common_elem_freqs as freqs
          from pg_stats_ext_exprs
          where statistics_schemaname = 'public' and statistics_name = p_statistics and null_frac is not null
        ) s
        cross join internal.inner_trigrams(p_text) wanted (run)
        -- Uncounted trigrams are rarer than all of these: the element after the last is the minimum.
        left join lateral unnest(s.runs, s.freqs) k (run, freq) using (run)), 1)
  from pg_class c where c.oid = p_table
$$;

-- At most p_limit users whose username begins with p_query, after p_after, ordered by username.
create function internal.users_by_username(p_query text, p_after text, p_limit integer) returns setof public.profiles
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
  select * from public.profiles
  where lower(username) collate "C" >= p_query and lower(username) collate "C" < p_query || U&'\+10FFFF'
    and lower(username) collate "C" > p_after
  order by lower(username) collate "C" limit p_limit
$$;

-- The same for display names, ordered by display name and username; p_after is a username here, too. Only one bound per end:
-- given two lower bounds, a scan may start at the wrong one.
create function internal.users_by_display_name(p_query text, p_after text, p_limit integer) returns setof public.profiles
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
  with last as (
    select lower(display_name) as display_name from public.profiles
    where lower(username) collate "C" = p_after and lower(display_name) collate "C" > p_query
  )
  select * from public.profiles
  where lower(display_name) <> lower(username) and lower(display_name) collate "C" < p_query || U&'\+10FFFF'
    and (lower(display_name) collate "C", lower(username) collate "C") > (
      coalesce((select display_name from last), p_query), p_after)
  order by lower(display_name) collate "C", lower(username) collate "C" limit p_limit
$$;

-- The same for names that contain p_query, found through rare trigrams.
create function internal.users_by_trigrams(p_query text, p_after text, p_limit integer) returns setof public.profiles
language sql stable set search_path = '' set enable_seqscan = off set enable_indexscan = off as $$
  select (found).* from (
    select p as found from public.profiles p
    where lower(username || E'\x01' || display_name) like internal.contains_pattern(p_query) offset 0
  ) candidates
  where lower((found).username) collate "C" > p_after
  order by lower((found).username) collate "C" limit p_limit
$$;

-- The search step that finds a user: 0 if the username begins with p_query, 1 if the display name does, 2 if either contains
-- p_query elsewhere; otherwise null.
create function internal.search_step(p_profile public.profiles, p_query text) returns integer
language sql stable set search_path = '' as $$
  select case when starts_with(lower(p_profile.username), p_query) then 0
              when starts_with(lower(p_profile.display_name), p_query) then 1
              when position(p_query in lower(p_profile.username || E'\x01' || p_profile.display_name)) > 0 then 2 end
$$;

-- {"users": at most p_limit public profiles, "next": [p_step, p_after] of the next page, or null}: first users whose
-- username begins with p_query, then by display name, then those that contain it elsewhere, if it has three letters or
-- digits in a row. A page may be short or empty and still have a next one.
create function public.search_users(p_query text, p_limit integer, p_step integer default 0, p_after text default '')
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_query text := lower(coalesce(p_query, ''));
  v_last_step integer := case when v_query = '' then 0 when v_query ~ '[[:alnum:]]{3}' then 2 else 1 end;
  v_after text := p_after;
  v_at_most integer;
  v_read public.profiles[];
  v_found public.profiles[];
  v_page public.profiles[] := array[]::public.profiles[];
  v_room integer;
  v_next jsonb;
begin
  for v_step in p_step .. v_last_step loop
    v_at_most := case v_step when 0 then p_limit + 1 when 1 then 2 * p_limit + 100 else 1000 end;
    if v_step = 0 then
      v_read := array(select u from internal.users_by_username(v_query, v_after, v_at_most) u);
    elsif v_step = 1 then
      v_read := array(select u from internal.users_by_display_name(v_query, v_after, v_at_most) u);
    elsif internal.estimated_matches('public.profiles', 'profiles_trigrams', v_query) <= 10000 then
      v_read := array(select u from internal.users_by_trigrams(v_query, v_after, v_at_most) u);
    else
      v_read := array(select u from internal.users_by_username('', v_after, v_at_most) u);
    end if;
    v_room := p_limit - cardinality(v_page);
    -- Check last whether accounts are public, and only for those shown plus one.
    v_found := array(select u from unnest(v_read) u
      where case when internal.search_step(u, v_query) = v_step and u.discoverable
                 then internal.is_public(u.user_id) end
      limit v_room + 1);
    v_page := v_page || v_found[:v_room];
    if cardinality(v_found) > v_room then
      v_next := jsonb_build_array(v_step, case when v_room = 0 then v_after else lower(v_found[v_room].username) end);
    elsif cardinality(v_read) = v_at_most then
      v_next := jsonb_build_array(v_step, lower(v_read[v_at_most].username));
    end if;
    exit when v_next is not null;
    v_after := '';
  end loop;
  return jsonb_build_object('next', v_next, 'users', (
    select coalesce(jsonb_agg(internal.public_profile(u)), '[]') from unnest(v_page) u));
end $$;
comment on function public.search_users is 'Search users by username or display name, page by page.';

select internal.lock_down();
