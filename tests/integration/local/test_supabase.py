"""The project at its single address, and Auth as `supabase/config.toml` configures it, like a hosted project."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local.auth.app import SPOKEN
from local.auth.config import Config
from local.backends import Backends
from local.errors import StackError
from local.keys import Keys, new_api_key, write_keys
from local.stack_directory import REPOSITORY
from testing import mailbox

PASSWORD = "correct horse 1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """A stack as `make serve` has it, with the project's own configuration and limits."""
    with Backends(tmp_path_factory.mktemp("home"), durable=False) as stack:
        yield stack


@pytest.fixture
def publishable(stack: Backends) -> Iterator[httpx.Client]:
    """A client with the publishable key."""
    with httpx.Client(base_url=stack.project.url, headers={"apikey": stack.keys.publishable_key}) as client:
        yield client


@pytest.fixture
def secret(stack: Backends) -> Iterator[httpx.Client]:
    """A client with the secret key."""
    with httpx.Client(base_url=stack.project.url, headers={"apikey": stack.keys.secret_keys[0]}) as client:
        yield client


@pytest.fixture
def email(secret: httpx.Client) -> str:
    """The email address of an account."""
    address = f"{uuid4().hex}@example.com"
    account = {"email": address, "password": PASSWORD, "email_confirm": True, "user_metadata": {}}
    assert secret.post("/auth/v1/admin/users", json=account).status_code == 200
    return address


def sign_in(client: httpx.Client, email: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    url, body = "/auth/v1/token?grant_type=password", {"email": email, "password": password}
    return client.post(url, json=body, headers=headers)


def test_one_connection_serves_tables_and_auth(secret: httpx.Client, email: str) -> None:
    """Requests for tables and auth share one connection, with bodies of known and unknown length."""
    for _ in range(3):
        assert secret.get("/rest/v1/profiles?select=user_id&limit=1").status_code == 200
        assert sign_in(secret, email).status_code == 200
        chunks = secret.post(
            "/rest/v1/rpc/ping", content=iter([b"{", b"}"]), headers={"content-type": "application/json"}
        )
        assert chunks.json() is True


@pytest.mark.parametrize("path", ["/rest/v1/profiles", "/auth/v1/settings", "/auth/v1/user"])
@pytest.mark.parametrize("key", [None, "", "wrong", "sb_secret_wrong", "sb_publishable_x"])
def test_nothing_passes_without_a_key(stack: Backends, path: str, key: str | None) -> None:
    """Without a key the answer is the hosted gateway's 401, in JSON that a page can read."""
    headers = {} if key is None else {"apikey": key}
    answer = httpx.get(f"{stack.project.url}{path}", headers=headers)
    assert (answer.status_code, set(answer.json())) == (401, {"message"})
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_secret_key_is_for_servers(stack: Backends, secret: httpx.Client) -> None:
    """A secret key is the service role, is sent in `apikey` only, and is refused from a browser."""
    assert secret.get("/rest/v1/profiles").status_code == 200
    key = stack.keys.secret_keys[0]
    assert secret.get("/rest/v1/profiles", headers={"authorization": f"Bearer {key}"}).status_code == 200
    mixed = {"apikey": stack.keys.publishable_key, "authorization": f"Bearer {key}"}
    assert secret.get("/rest/v1/profiles", headers=mixed).status_code == 401
    browser = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}
    assert secret.get("/rest/v1/profiles", headers=browser).status_code == 401


def test_a_publishable_key_reads_no_table(publishable: httpx.Client, email: str) -> None:
    """A publishable key reads no table, neither anonymously nor with a signed-in user's token."""
    assert publishable.get("/rest/v1/profiles").status_code == 401
    token = sign_in(publishable, email).json()["access_token"]
    own = publishable.get("/rest/v1/profiles", headers={"authorization": f"Bearer {token}"})
    assert (own.status_code, own.json()["code"]) == (403, "42501")


def test_a_key_is_changed_while_the_project_runs(stack: Backends) -> None:
    """A second key works beside the first until one of them is removed."""
    path, before = stack.home.data / "keys.json", stack.keys
    new = new_api_key("secret")

    def status(key: str) -> int:
        return httpx.get(f"{stack.project.url}/rest/v1/profiles", headers={"apikey": key}).status_code

    assert status(new) == 401
    write_keys(path, replace(before, secret_keys=(*before.secret_keys, new)))
    assert (status(before.secret_keys[0]), status(new)) == (200, 200)
    write_keys(path, replace(before, secret_keys=(new,)))
    assert (status(before.secret_keys[0]), status(new)) == (401, 200)
    write_keys(path, before)
    assert Keys.read(path) == before


def test_a_page_of_any_origin_may_ask_first(publishable: httpx.Client) -> None:
    """Preflights need no key, and allow the headers that supabase-js sends."""
    asking = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    asking["access-control-request-headers"] = "apikey,authorization,x-client-info"
    for path in ("/auth/v1/token", "/rest/v1/profiles"):
        answer = httpx.options(f"{publishable.base_url}{path}", headers=asking)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-headers"] == "apikey,authorization,x-client-info"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /rest/v1/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /rest/v1/rpc/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\napikey: {key}\r\n\r\n",
        b"GET /rest/v1/ HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_400(stack: Backends, raw: bytes) -> None:
    """The gateway refuses a malformed request, which the service behind it could interpret differently."""
    host = httpx.URL(stack.project.url)
    with socket.create_connection((host.host, host.port)) as connection:
        connection.sendall(raw.replace(b"{key}", stack.keys.secret_keys[0].encode()))
        assert connection.recv(64).startswith(b"HTTP/1.1 400")


def test_a_part_that_is_gone_is_a_502(stack: Backends, secret: httpx.Client) -> None:
    """While a service is gone the answer is 502, and once it is back any connection works."""
    assert secret.get("/rest/v1/profiles").status_code == 200
    stack.project.postgrest.kill()
    assert httpx.get(f"{stack.project.url}/rest/v1/profiles", headers=secret.headers).status_code == 502
    stack.project.postgrest.start()
    assert httpx.get(f"{stack.project.url}/rest/v1/profiles", headers=secret.headers).status_code == 200


@pytest.mark.parametrize("path", ["/auth/v1/sso", "/auth/v1/admin/nothing", "/auth/v1/token/x", "/auth/v1/"])
def test_what_auth_does_not_speak_is_gotrue_s_json(publishable: httpx.Client, path: str) -> None:
    """Unknown paths and methods of Auth are answered in GoTrue's JSON."""
    answer = publishable.post(path)
    assert answer.status_code in (404, 405)
    assert set(answer.json()) == {"code", "error_code", "msg"}


def test_the_configuration_is_obeyed(publishable: httpx.Client, email: str) -> None:
    """Nobody can register without the API, and no password is shorter than the configuration allows."""
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    assert publishable.post("/auth/v1/signup", json=body).json()["error_code"] == "signup_disabled"
    bearer = {"authorization": f"Bearer {sign_in(publishable, email).json()['access_token']}"}
    short = publishable.put("/auth/v1/user", json={"password": "1234567"}, headers=bearer)
    assert (short.status_code, short.json()["error_code"]) == (422, "weak_password")
    config = Config.load(REPOSITORY / "supabase" / "config.toml")
    assert (config.refresh_token_reuse_interval, config.minimum_password_length) == (10, 8)


def test_a_broken_configuration_is_a_clear_error(tmp_path: Path) -> None:
    """The error names the configuration file."""
    (tmp_path / "config.toml").write_text("[api]\n")
    with pytest.raises(StackError, match=r"config\.toml is no configuration"):
        Config.load(tmp_path / "config.toml")


def test_guessing_straight_at_auth_is_limited_by_address(publishable: httpx.Client, email: str) -> None:
    """Auth allows a burst of 30 and then a trickle, whatever address a client claims."""
    url, body = "/auth/v1/token?grant_type=password", {"email": email, "password": "wrong horse 1"}
    said = {"x-forwarded-for": "203.0.113.1", "sb-forwarded-for": "203.0.113.2"}
    found = Counter(publishable.post(url, json=body, headers=said).status_code for _ in range(120))
    assert found[400] < 90
    assert found[429] >= 30
    server = {"apikey": str(publishable.headers["apikey"])}
    assert sign_in(publishable, email, **server).status_code == 429


def test_a_server_tells_whom_it_asks_for(secret: httpx.Client, publishable: httpx.Client, email: str) -> None:
    """With the secret key each forwarded client is counted separately."""
    for _ in range(60):
        sign_in(secret, email, "wrong horse 1", **{"sb-forwarded-for": "198.51.100.1"})
    assert sign_in(secret, email, **{"sb-forwarded-for": "198.51.100.1"}).status_code == 429
    assert sign_in(secret, email, **{"sb-forwarded-for": "198.51.100.2"}).status_code == 200


def test_a_link_in_a_mail_works(stack: Backends, secret: httpx.Client, email: str) -> None:
    """GoTrue's link signs in and redirects to the site; the second time it is refused there."""
    link = secret.post("/auth/v1/admin/generate_link", json={"type": "recovery", "email": email}).json()["action_link"]
    assert mailbox.token(stack.project.mailbox, email) in link
    first, second = httpx.get(link), httpx.get(link)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"].startswith("http://localhost:3000#access_token=")
    assert "error_code=otp_expired" in second.headers["location"]


def test_a_link_leads_nowhere_else(secret: httpx.Client, email: str) -> None:
    """A redirect that the configuration does not list is replaced by the site's address."""
    path = "/auth/v1/admin/generate_link?redirect_to=https://evil.example"
    link = secret.post(path, json={"type": "magiclink", "email": email}).json()["action_link"]
    assert (
        httpx.get(link.replace("localhost%3A3000", "evil.example"))
        .headers["location"]
        .startswith("http://localhost:3000")
    )


def test_mail_is_read_on_a_page_that_no_other_page_reads(stack: Backends, secret: httpx.Client, email: str) -> None:
    """The list and each mail can be read, but not from other origins or under another host name."""
    secret.post("/auth/v1/recover", json={"email": email}, headers={"sb-forwarded-for": "198.51.100.3"})
    page = httpx.get(f"{stack.project.url}/mailbox", headers={"origin": "https://evil.example"})
    assert email in page.text
    assert "access-control-allow-origin" not in page.headers
    name = re.findall(r'href="(/mailbox/[0-9]+\.eml)"', page.text)[0]
    assert email in httpx.get(f"{stack.project.url}{name}").text
    assert httpx.get(f"{stack.project.url}/mailbox", headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(f"{stack.project.url}/mailbox/..%2Fkeys.json").status_code == 404


def test_mails_to_one_account_are_apart(publishable: httpx.Client, email: str) -> None:
    """A second mail within the configured interval is refused."""
    own = {"sb-forwarded-for": "198.51.100.4"}
    answers = [publishable.post("/auth/v1/recover", json={"email": email}, headers=own) for _ in range(2)]
    told: list[Any] = [(answer.status_code, answer.json().get("error_code")) for answer in answers]
    assert told in ([(200, None), (429, "over_email_send_rate_limit")], [(429, "over_request_rate_limit")] * 2)


def test_the_documentation_lists_what_is_spoken() -> None:
    """The documentation lists exactly the paths that the stand-in supports."""
    text = (REPOSITORY / "docs" / "local.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(GET|POST|PUT|DELETE) (/[^`]*)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(SPOKEN)
