-- Users: the profile of a Supabase Auth account, its totals, and how accounts are created.

create table public.profiles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  username text not null check (username ~ '^[A-Za-z0-9_]{3,30}$'),
  display_name text not null check (char_length(display_name) between 1 and 80),
  timezone text not null default 'UTC',
  daily_goal_minutes integer not null default 60 check (daily_goal_minutes between 1 and 1440),
  discoverable boolean not null default true,    -- false: hidden from search
  share_activity boolean not null default true,  -- false: others do not see when this user is studying
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.profiles is 'The profile of a Supabase Auth account; every other table of a user references it.';
create unique index profiles_username_key on public.profiles (internal.skeleton(username));

create function internal.refuse_reserved_name() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if internal.is_reserved(new.username) then
    perform internal.fail('SS004', 'This username is reserved.', '{"location": "body.username"}');
  end if;
  return new;
end $$;
create trigger studysync_reserved_names before insert or update of username on public.profiles
  for each row execute function internal.refuse_reserved_name();

-- The last 20 former mailboxes of an account: a banned user must not come back with one of them.
create table internal.former_mailboxes (
  user_id uuid not null references public.profiles on delete cascade,
  mailbox bytea not null,  -- see internal.mailbox_hash
  left_at timestamptz not null,
  primary key (user_id, mailbox)
);
comment on table internal.former_mailboxes is 'Hashes of the last 20 former email addresses of an account.';

-- All current and former mailboxes of an account.
create function internal.mailboxes(p_user_id uuid) returns setof bytea
language sql stable set search_path = '' as $$
  select internal.mailbox_hash(email) from auth.users where id = p_user_id and email is not null
  union
  select mailbox from internal.former_mailboxes where user_id = p_user_id
$$;

-- The totals of a user, always the sum of xp_ledger and study_sessions (checked by the invariants). The row is also the lock
-- that serializes all writes of a user: every writer locks it first.
create table public.user_stats (
  user_id uuid primary key references public.profiles on delete cascade,
  total_xp bigint not null default 0 check (total_xp >= 0),
  session_xp bigint not null default 0 check (session_xp >= 0),
  level integer generated always as ((1 + total_xp / 100)::integer) stored,
  completed_sessions integer not null default 0,
  focus_seconds bigint not null default 0,
  best_streak integer not null default 0,
  best_day_seconds integer not null default 0,
  xp_by_source jsonb not null default '{}',
  updated_at timestamptz not null default now()
);
comment on table public.user_stats is 'Totals of a user. Locking the row serializes all writes of the user.';

-- One row per local day with credited time. `streak` is the length of the streak that ends on this day; 0: the day has less
-- than a minute of credit and does not count.
create table public.study_days (
  user_id uuid not null references public.profiles on delete cascade,
  day date not null,
  sessions integer not null default 0,              -- sessions that ended that day
  focus_seconds numeric(12, 6) not null default 0,  -- exact, so that the sum does not depend on the order
  xp integer not null default 0,                    -- all awards of the day, including milestones
  bonus_xp integer not null default 0,              -- of these, all except credited minutes and milestones
  short_sessions_paid smallint not null default 0,
  daily_bonus_paid boolean not null default false,
  streak_bonus smallint not null default 0,         -- paid so far
  streak integer not null default 0,
  primary key (user_id, day)
);
comment on table public.study_days is 'One row per local day on which a user completed a session.';

-- Users whose writes are rejected (internal.lock_user) and who cannot sign in.
create table internal.suspensions (
  user_id uuid primary key references public.profiles on delete cascade,
  suspended_at timestamptz not null
);
comment on table internal.suspensions is 'Accounts that an operator has suspended.';

-- The same for registrations, whose caller has no account yet. A key belongs to the account created with it, whose owner may
-- repeat the registration from anywhere, and to the network address it came from, where no other registration may use it.
-- Clients elsewhere may choose the same key. The table never holds a password or a password hash.
create table public.registration_keys (
  user_id uuid primary key references auth.users (id) on delete cascade,
  key text not null check (char_length(key) between 1 and 255),
  scope text not null unique,  -- hash of key and network address
  fingerprint text not null,
  created_at timestamptz not null default internal.clock()
);
comment on table public.registration_keys is 'Idempotency keys of registrations.';
create index registration_keys_created on public.registration_keys (created_at);

create policy own_profile on public.profiles for select to authenticated using (user_id = (select auth.uid()));
create policy own_stats on public.user_stats for select to authenticated using (user_id = (select auth.uid()));
create policy own_days on public.study_days for select to authenticated using (user_id = (select auth.uid()));

-- The username of an account that was not created through our API (the Supabase dashboard, a social login): from its
-- metadata if a user could have chosen that name, otherwise a generated one.
create function internal.default_username(p_wanted text, p_user_id uuid) returns text
language sql stable set search_path = '' as $$
  select case when p_wanted ~ '^[A-Za-z0-9_]{3,30}$' and not internal.is_reserved(p_wanted) and not exists (
           select from public.profiles where internal.skeleton(username) = internal.skeleton(p_wanted))
         then p_wanted else 'user_' || left(replace(p_user_id::text, '-', ''), 16) end
$$;

-- Account and profile are created in one transaction: Supabase Auth inserts the account and this trigger the rest. If the
-- trigger fails (the name is taken), no account is created either.
create function internal.on_account_created() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_registration jsonb := new.raw_user_meta_data -> 'registration';
  v_username text := new.raw_user_meta_data ->> 'username';
begin
  if v_registration is null then
    v_username := internal.default_username(v_username, new.id);
  end if;
  insert into public.profiles (user_id, username, display_name) values (new.id, v_username, v_username);
  insert into public.user_stats (user_id) values (new.id);
  if v_registration ->> 'key' is not null then
    insert into public.registration_keys (key, scope, fingerprint, user_id)
    values (v_registration ->> 'key', v_registration ->> 'scope', v_registration ->> 'fingerprint', new.id);
    update auth.users set raw_user_meta_data = raw_user_meta_data where id = new.id;  -- and removes it, see below
  end if;
  return new;
end $$;
create trigger studysync_on_account_created after insert on auth.users
  for each row execute function internal.on_account_created();

-- The registration data are no longer needed once the account exists, and tokens show an account's metadata. They are
-- removed at each update, because Supabase Auth writes the original metadata again when it confirms the address.
create function internal.strip_registration() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.raw_user_meta_data := new.raw_user_meta_data - 'registration';
  return new;
end $$;
create trigger studysync_forget_registration before update of raw_user_meta_data on auth.users
  for each row when (new.raw_user_meta_data ? 'registration') execute function internal.strip_registration();

-- Lock the user's row of user_stats. A token outlives its deleted account by up to an hour. Every API write locks the
-- caller's row before any other, so the first locked row is the actor of this transaction, which the audit trail needs. A
-- schedule locks many rows in sequence and has no actor.
create function internal.lock_user(p_user_id uuid) returns public.user_stats
language plpgsql set search_path = '' as $$
declare
  v_stats public.user_stats;
begin
  select * into v_stats from public.user_stats where user_id = p_user_id for update;
  if not found then
    perform internal.fail('SS006', 'This account no longer exists.');
  end if;
  if coalesce(current_setting('studysync.actor', true), '') = '' then
    if exists (select from internal.suspensions where user_id = p_user_id) then
      perform internal.fail('SS002', 'This account is suspended.');
    end if;
    perform set_config('studysync.actor', p_user_id::text, true);
  end if;
  return v_stats;
end $$;

-- The acting account; null if there is none.
create function internal.actor() returns uuid
language sql stable set search_path = '' as $$
  select user_id from public.profiles where user_id = nullif(current_setting('studysync.actor', true), '')::uuid
$$;

create function internal.require_user(p_user_id uuid) returns public.user_stats
language plpgsql stable set search_path = '' as $$
declare
  v_stats public.user_stats;
begin
  select * into v_stats from public.user_stats where user_id = p_user_id;
  if not found then
    perform internal.fail('SS001', 'No such user.');
  end if;
  return v_stats;
end $$;

select internal.lock_down();
