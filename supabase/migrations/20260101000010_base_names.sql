-- What people are known by: user names that are not to be mistaken for each other or for us, and addresses of mail, which
-- a ban must know again when the account is gone.

-- What a user name looks like: two with the same skeleton are taken for each other at a glance. The idea of Unicode's
-- confusables (UTS 39) for the characters that a user name may have: i, l, 1 and their capitals, o and 0, and letters that
-- read as another one side by side. Underscores part words, so ann_a is not anna; but how many there are in a row, and
-- whether there are any at the ends, nobody sees.
create function internal.skeleton(p_username text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select trim('_' from regexp_replace(replace(replace(replace(
    translate(lower(p_username collate "C"), '10i', 'lol'), 'rn', 'm'), 'vv', 'w'), 'cl', 'd'), '_+', '_', 'g'))
$$;

-- Names that would speak for the service, or mean nothing or nobody in somebody's program.
create table internal.reserved_names (name text primary key);
comment on table internal.reserved_names is 'Usernames that nobody may take.';
insert into internal.reserved_names (name)
select unnest(string_to_array(
  'admin admins administrator administrators administration sysadmin superuser root owner operator support helpdesk help '
  'moderator moderators mod mods staff team official verified system security service services abuse billing contact info '
  'legal privacy news noreply postmaster webmaster hostmaster api bot login logout register me everyone everybody all '
  'nobody anonymous deleted banned unknown guest null undefined none nil nan true false', ' '));

-- A name as it is compared with those: without underscores, digits read as the letters they stand for.
create function internal.normalized_name(p_name text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select replace(replace(replace(translate(lower(p_name collate "C"), '01l345789_', 'oiieastbg'), 'rn', 'm'), 'vv', 'w'), 'ci', 'd')
$$;

-- Reserved are those names, also with digits or underscores (4dm1n, admin_7) or put together (support_team), and
-- whatever has our own name in it.
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
      -- Short ones are in too many words.
      or n.plain ~ (select '^(' || string_agg(word, '|') || ')+$' from words where char_length(word) > 3))
$$;

-- Keys of keyed hashes, made with the database and never shown: nobody but the owner of the functions reads this schema.
create table internal.secret_keys (
  name text primary key,
  key bytea not null check (octet_length(key) >= 32)
);
comment on table internal.secret_keys is 'Keys of keyed hashes, made with the database and never shown.';
insert into internal.secret_keys (name, key)
select 'address', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- The mailbox that an address of mail leads to: case and what follows a plus do not matter, nor dots at Gmail.
create function internal.mailbox(p_email text) returns text
language sql immutable strict parallel safe set search_path = '' as $$
  select case when a.domain in ('gmail.com', 'googlemail.com') then replace(a.local, '.', '') || '@gmail.com'
              else a.local || '@' || a.domain end
  from (
    select regexp_replace(substring(lower(trim(p_email)) from '^(.*)@'), '(.)\+.*$', '\1') as local,
           rtrim(substring(lower(trim(p_email)) from '@([^@]*)$'), '.') as domain
  ) a
$$;

-- A mailbox as a ban keeps it. The outer hash has one length, so the inner one cannot be lengthened without the key: what
-- HMAC is for, and SQL has no other way to it.
create function internal.mailbox_hash(p_email text) returns bytea
language sql stable strict set search_path = '' as $$
  select sha256(k.key || sha256(k.key || convert_to(internal.mailbox(p_email), 'UTF8')))
  from internal.secret_keys k where k.name = 'address'
$$;

select internal.lock_down();
