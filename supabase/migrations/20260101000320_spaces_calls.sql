-- Space calls for clients and the schedule (docs/contract.md: "Spaces").

-- {"space_id", "name", "description"?, "visibility", "capacity"?, "invite_code"}: the service generates id and code.
create function public.create_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_space public.spaces;
begin
  perform internal.lock_user(p_user_id);
  insert into public.spaces (space_id, name, description, visibility, capacity, invite_code, created_at, updated_at)
  values ((p_args ->> 'space_id')::uuid, p_args ->> 'name', p_args ->> 'description', p_args ->> 'visibility',
          coalesce((p_args ->> 'capacity')::integer, 50), p_args ->> 'invite_code', internal.clock(), internal.clock())
  on conflict (space_id) do nothing;
  if found then
    perform internal.add_member((p_args ->> 'space_id')::uuid, p_user_id, 'owner');
  end if;
  v_space := internal.authorize_space(p_user_id, (p_args ->> 'space_id')::uuid, 'read');
  return internal.space_json(v_space, p_user_id);
end $$;
comment on function public.create_space is 'Create a space with the caller as its owner.';

create function public.get_space(p_user_id uuid, p_space_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select internal.space_json(internal.authorize_space(p_user_id, p_space_id, 'read'), p_user_id)
$$;
comment on function public.get_space is 'A space as the caller sees it.';

-- Up to p_limit public spaces, newest first, after (p_after_at, p_after_id).
create function internal.newest_spaces(p_after_at timestamptz, p_after_id uuid, p_limit integer) returns setof public.spaces
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
  select * from public.spaces
  where visibility = 'public' and (created_at, space_id) < (
    coalesce(p_after_at, 'infinity'), coalesce(p_after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  order by created_at desc, space_id desc limit p_limit
$$;

-- At most p_limit public spaces whose name begins with p_query, in no particular order.
create function internal.spaces_by_prefix(p_query text, p_limit integer) returns setof public.spaces
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
  select * from public.spaces
  where visibility = 'public' and lower(name) collate "C" >= p_query and lower(name) collate "C" < p_query || U&'\+10FFFF'
  order by lower(name) collate "C" limit p_limit
$$;

-- Public spaces whose name contains p_query, found through rare trigrams.
create function internal.spaces_by_trigrams(p_query text) returns setof public.spaces
language sql stable set search_path = '' set enable_seqscan = off set enable_indexscan = off as $$
  select * from public.spaces where visibility = 'public' and lower(name) like internal.contains_pattern(p_query)
$$;

-- {"spaces", "next": the position (created_at, space_id) after which the next page begins, or null}: public spaces, newest
-- first, whose name begins with p_query or, if it has three letters or digits in a row, contains it. Common matches are
-- found among the newest spaces. If those do not fill a page, an index finds the rest if it expects at most 10,000 matches;
-- otherwise the page is short or empty and the next one continues. So no query reads every space.
create function public.search_spaces(
  p_user_id uuid, p_query text, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_query text := lower(coalesce(p_query, ''));
  v_anywhere boolean := v_query ~ '[[:alnum:]]{3}';
  v_at_most integer := case v_query when '' then p_limit + 1 else 1000 end;
  v_read public.spaces[] := array(select s from internal.newest_spaces(p_after_at, p_after_id, v_at_most) s);
  v_page public.spaces[] := array(
    select s from unnest(v_read) s
    where case when v_anywhere then position(v_query in lower(s.name)) > 0 else starts_with(lower(s.name), v_query) end);
  v_more boolean := cardinality(v_read) = v_at_most;
  v_looked_up public.spaces[];
begin
  if v_more and cardinality(v_page) <= p_limit then
    if not v_anywhere then
      v_looked_up := array(select s from internal.spaces_by_prefix(v_query, 10001) s);
    elsif internal.estimated_matches('public.spaces', 'spaces_trigrams', v_query) <= 10000 then
      v_looked_up := array(select s from internal.spaces_by_trigrams(v_query) s);
    end if;
    if cardinality(v_looked_up) <= 10000 then
      v_more := false;
      v_page := array(
        select s from unnest(v_looked_up) s where p_after_id is null or (s.created_at, s.space_id) < (p_after_at, p_after_id)
        order by s.created_at desc, s.space_id desc limit p_limit + 1);
    end if;
  end if;
  return jsonb_build_object(
    'spaces', (select coalesce(jsonb_agg(internal.space_json(s, p_user_id)), '[]') from unnest(v_page[:p_limit]) s),
    'next', (
      select jsonb_build_array(created_at, space_id)
      from unnest(case when cardinality(v_page) > p_limit then v_page[p_limit:p_limit] when v_more then v_read[v_at_most:] end)));
end $$;
comment on function public.search_spaces is 'Search public spaces by name, newest first.';

create function public.get_own_spaces(
  p_user_id uuid, p_limit integer, p_after_at timestamptz default null, p_after_id uuid default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(internal.space_json(s, p_user_id) || jsonb_build_object('joined_at', m.joined_at)
                            order by m.joined_at desc, m.space_id desc), '[]')
  from (
    select * from public.space_members
    where user_id = p_user_id and (p_after_id is null or (joined_at, space_id) < (p_after_at, p_after_id))
    order by joined_at desc, space_id desc limit p_limit + 1
  ) m join public.spaces s using (space_id)
$$;
comment on function public.get_own_spaces is 'Spaces that the caller is a member of.';

-- {"space_id", "name"?, "description"?, "visibility"?, "capacity"?}
create function public.update_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
  v_space public.spaces := internal.lock_and_authorize_space(p_user_id, v_id, 'update');
begin
  if (p_args ->> 'capacity')::integer < v_space.member_count then
    perform internal.fail('SS003', 'The space has more members than that.',
                          jsonb_build_object('field', 'capacity', 'member_count', v_space.member_count));
  end if;
  update public.spaces set
    name = coalesce(p_args ->> 'name', name),
    description = case when p_args ? 'description' then p_args ->> 'description' else description end,
    visibility = coalesce(p_args ->> 'visibility', visibility),
    capacity = coalesce((p_args ->> 'capacity')::integer, capacity),
    updated_at = internal.clock()
  where space_id = v_id returning * into v_space;
  return internal.space_json(v_space, p_user_id);
end $$;
comment on function public.update_space is 'Change a space''s settings.';

-- {"space_id"}. Students keep the sessions that they studied there.
create function public.delete_space(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
begin
  perform internal.lock_and_authorize_space(p_user_id, v_id, 'delete');
  perform internal.declare_changes(array(select user_id from public.space_members where space_id = v_id));
  delete from public.spaces where space_id = v_id;
  return jsonb_build_object('space_id', v_id, 'deleted', true);
end $$;
comment on function public.delete_space is 'Delete a space; sessions studied in it are kept.';

-- {"space_id", "invite_code"}: the service generates the new code; the old one becomes invalid.
create function public.renew_invite_code(p_user_id uuid, p_args jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := (p_args ->> 'space_id')::uuid;
begin
  perform internal.lock_and_authorize_space(p_user_id, v_id, 'renew_invite_code');
  update public.spaces set invite_code = p_args ->> 'invite_code', updated_at = internal.clock() where space_id = v_id;
  return jsonb_build_object('space_id', v_id, 'invite_code', p_args ->> 'invite_code');
end $$;
comment on function public.renew_invite_code is 'Replace a space''s invite code.';

-- Newest first, below p_before. One extra row if there are more than p_limit.
create function public.get_space_activity(p_user_id uuid, p_space_id uuid, p_limit integer, p_before bigint default null)
returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'activity_id', a.activity_id, 'activity_type', a.activity_type, 'user_id', a.user_id, 'username', p.username,
    'details', a.details, 'occurred_at', a.occurred_at) order by a.activity_id desc), '[]')
  from internal.authorize_space(p_user_id, p_space_id, 'activity') s
  cross join lateral (
    select * from public.space_activity
    where space_id = s.space_id and activity_id < coalesce(p_before, 9223372036854775807)
    order by activity_id desc limit p_limit + 1
  ) a join public.profiles p using (user_id)
$$;
comment on function public.get_space_activity is 'A page of a space''s activity feed, newest first.';

-- A feed covers the last 90 days.
create function public.purge_space_activity(p_limit integer default 10000) returns integer
language sql security definer set search_path = '' as $$
  select internal.purge('public.space_activity', 'occurred_at', interval '90 days', p_limit)
$$;
comment on function public.purge_space_activity is
  'Delete feed entries older than 90 days, at most p_limit; returns how many.';

select internal.lock_down();
