-- How people are identified: usernames that cannot be confused with each other or with ours, and email addresses, which a
-- ban must recognize even after the account is deleted.

-- The visual skeleton of a username: names with the same skeleton look alike at a glance. Based on Unicode's confusables
-- (UTS 39) for the characters allowed in usernames: i, l, 1 and their capitals, o and 0, and letter pairs that look like
-- another letter. Underscores separate words, so ann_a is not anna; but nobody notices how many are in a row, or any at the
-- ends.
create function internal.skeleton(p_username text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select trim('_' from regexp_replace(replace(replace(replace(
    translate(lower(p_username collate "C"), '10i', 'lol'), 'rn', 'm'), 'vv', 'w'), 'cl', 'd'), '_+', '_', 'g'))
$$;

-- Names that seem to speak for the service, or that programs treat as nothing or nobody.
create table internal.reserved_names (name text primary key);
comment on table internal.reserved_names is 'Usernames that nobody may take.';
insert into internal.reserved_names (name)
select unnest(string_to_array(
  'admin admins administrator administrators administration sysadmin superuser root owner operator support helpdesk help '
  'moderator moderators mod mods staff team official verified system security service services abuse billing contact info '
  'legal privacy news noreply postmaster webmaster hostmaster api bot login logout register me everyone everybody all '
  'nobody anonymous deleted banned unknown guest null undefined none nil nan true false', ' '));

-- A name in the form compared with those: without underscores, and digits replaced by the letters they resemble.
create function internal.normalized_name(p_name text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select replace(replace(replace(translate(lower(p_name collate "C"), '01l345789_', 'oiieastbg'), 'rn', 'm'), 'vv', 'w'), 'ci', 'd')
$$;

-- Reserved: those names, also with digits or underscores (4dm1n, admin_7) or combined (support_team), and any name that
-- contains our own.
create function internal.is_reserved(p_username text) returns boolean
language sql stable set search_path = '' as $$
  with names as (
    select internal.normalized_name(p_username) as plain
    union
    select internal.normalized_name(regexp_replace(p_username, '^[0-9_]+|[0-9_]+$', '', 'g'))
  ), words as (
    select internal.normalized_name(name) as word from internal.reserved_names
  )
  select exists (
    select from names n where n.plain like '%' || internal.normalized_name('studysync') || '%'
      or n.plain in (select word from words)
      -- Short ones occur in too many words.
      or n.plain ~ (select '^(' || string_agg(word, '|') || ')+$' from words where char_length(word) > 3))
$$;

-- Keys for keyed hashes, generated with the database and never exposed: only the owner of the functions can read this
-- schema.
create table internal.secret_keys (
  name text primary key,
  key bytea not null check (octet_length(key) >= 32)
);
comment on table internal.secret_keys is 'Keys for keyed hashes, generated with the database and never exposed.';
insert into internal.secret_keys (name, key)
select 'address', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- The mailbox of an email address: case and anything after a plus are ignored, and so are dots at Gmail.
create function internal.mailbox(p_email text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select case when a.domain in ('gmail.com', 'googlemail.com') then replace(a.local, '.', '') || '@gmail.com'
              else a.local || '@' || a.domain end
  from (
    select regexp_replace(substring(lower(trim(p_email)) from '^(.*)@'), '(.)\+.*$', '\1') as local,
           rtrim(substring(lower(trim(p_email)) from '@([^@]*)$'), '.') as domain
  ) a
$$;

-- The mailbox hash that a ban stores. The outer hash has a fixed length, so the inner one cannot be extended without the
-- key. That is the purpose of HMAC, which plain SQL does not offer.
create function internal.mailbox_hash(p_email text) returns bytea
language sql stable strict set search_path = '' as $$
  select sha256(k.key || sha256(k.key || convert_to(internal.mailbox(p_email), 'UTF8')))
  from internal.secret_keys k where k.name = 'address'
$$;

select internal.lock_down();
