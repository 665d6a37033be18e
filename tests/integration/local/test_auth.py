"""The auth stand-in, called with the same client as the functions use."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from local.backends import Backends

pytestmark = pytest.mark.slow

# Refuses an account whose metadata ask for it, and creates a profile for every other.
MIGRATION = """
create table public.profiles (user_id uuid primary key references auth.users on delete cascade, name text unique);
create function public.make_profile() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if new.raw_user_meta_data ? 'refuse' then raise exception 'no'; end if;
  insert into public.profiles values (new.id, new.raw_user_meta_data ->> 'name');
  return new;
end $$;
create trigger make_profile after insert on auth.users for each row execute function public.make_profile();
"""
PASSWORD = "secret123"

Flow = Callable[[AsyncGoTrueClient], Awaitable[Any]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Backends with one small migration."""
    root = tmp_path_factory.mktemp("auth")
    (root / "migrations").mkdir()
    (root / "migrations" / "1_profiles.sql").write_text(MIGRATION)
    (root / "config.toml").write_text("[auth]\nenable_signup = true\nminimum_password_length = 6\n")
    options: dict[str, Any] = {"migrations": root / "migrations", "config": root / "config.toml", "limited": False}
    with Backends(root / "home", durable=False, **options) as stack:
        yield stack


def run(stack: Backends, flow: Flow, key: str = "SUPABASE_SECRET_KEY") -> Any:
    """Run a function with a client of the auth API."""

    async def go() -> Any:
        async with httpx.AsyncClient() as http:
            environment = stack.environment
            headers = {"apikey": environment[key]}
            client = AsyncGoTrueClient(
                url=f"{stack.project.url}/auth/v1", headers=headers, http_client=http, auto_refresh_token=False
            )
            return await flow(client)

    return asyncio.run(go())


def address() -> str:
    return f"{uuid4().hex}@Example.com"


def create(client: AsyncGoTrueClient, email: str, **metadata: object) -> Awaitable[Any]:
    attributes = {"email": email, "password": PASSWORD, "email_confirm": True, "user_metadata": metadata}
    return client.admin.create_user(attributes)  # type: ignore[arg-type]


async def refusal(work: Awaitable[Any]) -> tuple[int, str | None]:
    """The status and code with which a call is refused."""
    try:
        await work
    except (AuthApiError, AuthWeakPasswordError) as error:
        return error.status, error.code
    raise AssertionError("it was not refused")


def rows(stack: Backends, query: str, *values: object) -> list[tuple[Any, ...]]:
    assert stack.dsn
    with psycopg.connect(stack.dsn) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def test_an_account_from_its_making_to_its_end(stack: Backends) -> None:
    """An account is created, signed in, read, refreshed and deleted; then its tokens are dead and its rows gone."""

    async def flow(client: AsyncGoTrueClient) -> None:
        email = address()
        made = (await create(client, email, name=email)).user
        assert made.email == email.lower()
        assert made.email_confirmed_at is not None
        signed_in = await client.sign_in_with_password({"email": email.upper(), "password": PASSWORD})
        assert signed_in.session is not None
        reader = await client.get_user(signed_in.session.access_token)
        assert reader is not None
        assert reader.user.id == made.id
        assert reader.user.user_metadata == {"name": email}
        renewed = await client.refresh_session(signed_in.session.refresh_token)
        assert renewed.session is not None
        assert renewed.session.refresh_token != signed_in.session.refresh_token
        assert (await client.admin.get_user_by_id(made.id)).user.email == made.email
        await client.admin.delete_user(made.id)
        assert await refusal(client.get_user(renewed.session.access_token)) == (403, "user_not_found")
        assert await refusal(client.refresh_session(renewed.session.refresh_token)) == (400, "refresh_token_not_found")
        assert await refusal(client.admin.delete_user(made.id)) == (404, "user_not_found")
        assert rows(stack, "select 1 from public.profiles where user_id = %s", made.id) == []

    run(stack, flow)


def test_access_tokens_are_verifiable_with_the_published_key(stack: Backends) -> None:
    """Access tokens are ES256 with a key id from the JWKS and the claims of Supabase."""

    async def flow(client: AsyncGoTrueClient) -> str:
        email = address()
        answer = await client.sign_up({"email": email, "password": PASSWORD})
        assert answer.session is not None
        return answer.session.access_token

    token, base = run(stack, flow, "SUPABASE_PUBLISHABLE_KEY"), f"{stack.project.url}/auth/v1"
    key = jwt.PyJWKClient(f"{base}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="authenticated", issuer=base)
    assert claims["role"] == "authenticated"
    assert claims["exp"] - claims["iat"] == 3600
    assert {"sub", "email", "session_id"} <= set(claims)


def test_a_refresh_token_comes_again_only_where_its_answer_was_lost(stack: Backends) -> None:
    """The previous refresh token returns the current one; an older token ends the session for both holders."""

    async def flow(client: AsyncGoTrueClient) -> None:
        session = (await client.sign_up({"email": address(), "password": PASSWORD})).session
        assert session is not None
        tokens = [session.refresh_token]
        for _ in range(2):
            renewed = (await client.refresh_session(tokens[-1])).session
            assert renewed is not None
            tokens.append(renewed.refresh_token)
        age = "update auth.refresh_tokens set updated_at = now() - interval '11 seconds' where session_id is not null"
        assert stack.dsn
        with psycopg.connect(stack.dsn) as connection:
            connection.execute(age)
        again = (await client.refresh_session(tokens[1])).session
        assert again is not None
        assert again.refresh_token == tokens[2]
        assert await refusal(client.refresh_session(tokens[0])) == (400, "refresh_token_already_used")
        assert await refusal(client.refresh_session(tokens[2])) == (400, "refresh_token_already_used")

    run(stack, flow)


def test_ten_refreshes_at_once_get_the_same_tokens(stack: Backends) -> None:
    """Concurrent refreshes exchange the token once under a lock, and all within the interval get its result."""

    async def flow(client: AsyncGoTrueClient) -> Counter[str]:
        session = (await client.sign_up({"email": address(), "password": PASSWORD})).session
        assert session is not None
        answers = await asyncio.gather(*(client.refresh_session(session.refresh_token) for _ in range(10)))
        return Counter(answer.session.refresh_token for answer in answers if answer.session)

    assert list(run(stack, flow).values()) == [10]


@pytest.mark.parametrize(
    ("scope", "alive"), [("local", [False, True]), ("others", [True, False]), ("global", [False, False])]
)
def test_logout(stack: Backends, scope: Any, alive: list[bool]) -> None:
    """Logout ends this session, the others, or all; an ended session can neither refresh nor read."""

    async def flow(client: AsyncGoTrueClient) -> None:
        email = address()
        await create(client, email, name=email)
        sessions = []
        for _ in range(2):
            answer = await client.sign_in_with_password({"email": email, "password": PASSWORD})
            assert answer.session is not None
            sessions.append(answer.session)
        await client.admin.sign_out(sessions[0].access_token, scope)
        for session, lives in zip(sessions, alive, strict=True):
            if lives:
                assert await client.get_user(session.access_token)
                continue
            assert await refusal(client.get_user(session.access_token)) == (403, "session_not_found")
            assert await refusal(client.refresh_session(session.refresh_token)) == (400, "refresh_token_not_found")

    run(stack, flow)


def test_one_address_registered_by_twenty_at_once(stack: Backends) -> None:
    """Twenty concurrent registrations create one account and one profile, by either endpoint."""

    async def flow(client: AsyncGoTrueClient) -> Counter[str | None]:
        email = address()
        calls = [create(client, email) for _ in range(10)]
        calls += [client.sign_up({"email": email, "password": PASSWORD}) for _ in range(10)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        query = "select 1 from public.profiles join auth.users on id = user_id where email = %s"
        assert len(rows(stack, query, email.lower())) == 1
        return Counter(answer.code if isinstance(answer, AuthApiError) else "made" for answer in answers)

    counted = run(stack, flow)
    assert counted.pop("made") == 1
    assert set(counted) <= {"email_exists", "user_already_exists"}


def test_a_trigger_that_raises_leaves_no_account(stack: Backends) -> None:
    """The error is GoTrue's and the address stays free; a trigger's own unique violation is not "address taken"."""

    async def flow(client: AsyncGoTrueClient) -> None:
        email, name = address(), uuid4().hex
        assert await refusal(create(client, email, refuse=True)) == (500, "unexpected_failure")
        refused = client.sign_up({"email": email, "password": PASSWORD, "options": {"data": {"refuse": True}}})
        assert await refusal(refused) == (500, "unexpected_failure")
        assert rows(stack, "select 1 from auth.users where email = %s", email.lower()) == []
        await create(client, email, name=name)
        assert await refusal(create(client, address(), name=name)) == (500, "unexpected_failure")

    run(stack, flow)


@pytest.mark.parametrize(
    ("email", "password", "expected"),
    [
        ("not an address", PASSWORD, (400, "validation_failed")),
        ("a@b", PASSWORD, (400, "validation_failed")),
        (f"{'a' * 250}@example.com", PASSWORD, (400, "validation_failed")),
        ("short@example.com", "12345", (422, "weak_password")),
        ("long@example.com", "x" * 73, (400, "validation_failed")),
    ],
)
def test_what_cannot_be_an_account(stack: Backends, email: str, password: str, expected: tuple[int, str]) -> None:
    """Malformed addresses and passwords are refused with GoTrue's codes."""

    async def flow(client: AsyncGoTrueClient) -> tuple[int, str | None]:
        return await refusal(client.sign_up({"email": email, "password": password}))

    assert run(stack, flow) == expected


def test_wrong_address_and_wrong_password_look_the_same(stack: Backends) -> None:
    """A failed login does not reveal who has an account."""

    async def flow(client: AsyncGoTrueClient) -> list[tuple[int, str | None]]:
        email = address()
        await create(client, email, name=email)
        tried = [(email, "wrong-password"), (address(), PASSWORD)]
        return [
            await refusal(client.sign_in_with_password({"email": email, "password": password}))
            for email, password in tried
        ]

    assert run(stack, flow) == [(400, "invalid_credentials")] * 2


@pytest.mark.parametrize("token", ["", "garbage", "service"])
def test_only_the_service_role_administers(stack: Backends, token: str) -> None:
    """Without a token, or with an invalid one, the anonymous key or a user's token, no account can be created."""
    environment = stack.environment
    base, apikey = f"{stack.project.url}/auth/v1", {"apikey": environment["SUPABASE_PUBLISHABLE_KEY"]}
    user = httpx.post(f"{base}/signup", json={"email": address(), "password": PASSWORD}, headers=apikey).json()
    bearers = {
        "": (None, 403, "not_admin"),  # the gateway adds no token for anonymous requests
        "garbage": ("garbage", 403, "bad_jwt"),
        "service": (user["access_token"], 403, "not_admin"),
    }
    bearer, status, code = bearers[token]
    headers = apikey | ({"authorization": f"Bearer {bearer}"} if bearer else {})
    answer = httpx.post(f"{base}/admin/users", json={"email": address()}, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_without_an_api_key_nothing_is_served(stack: Backends) -> None:
    """Without a key only the keys and health are served, as by Supabase's gateway."""
    base = f"{stack.project.url}/auth/v1"
    assert httpx.post(f"{base}/signup", json={}).status_code == 401
    assert httpx.get(f"{base}/user", headers={"apikey": "wrong"}).json() == {"message": "Invalid API key"}
    assert httpx.get(f"{base}/.well-known/jwks.json").status_code == 200


def test_malformed_json_is_a_400(stack: Backends) -> None:
    """Malformed JSON is a 400, in the old error format too for clients that send no API version."""
    base, key = f"{stack.project.url}/auth/v1", stack.environment["SUPABASE_PUBLISHABLE_KEY"]
    answer = httpx.post(f"{base}/token?grant_type=password", content="{", headers={"apikey": key})
    assert (answer.status_code, answer.json()["code"], answer.json()["error_code"]) == (400, 400, "bad_json")


def test_auth_survives_a_restart_of_the_database(stack: Backends) -> None:
    """Pooled connections that died with the server are replaced."""

    async def flow(client: AsyncGoTrueClient) -> None:
        await client.sign_up({"email": address(), "password": PASSWORD})

    run(stack, flow)
    stack.postgres.restart()
    run(stack, flow)


def test_keys_are_for_their_owner_alone(stack: Backends) -> None:
    """The file with the signing key is readable by its owner only."""
    assert (Path(stack.home.data) / "keys.json").stat().st_mode & 0o077 == 0
