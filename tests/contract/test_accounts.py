"""Accounts: forgotten and changed passwords, confirmed and changed addresses, sessions, second factors and deletion."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from local.auth.factors import totp
from local.backends import Backends
from studysync.settings import get_settings
from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.mailbox import last_mail, link, mails, token

NEW = "battery staple 2"


@pytest.fixture
def mailbox(backends: Backends) -> Path:
    """The folder that holds the stack's mail."""
    return backends.project.mailbox


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set an environment variable of the functions for one test."""

    def configure(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    yield configure
    monkeypatch.undo()
    get_settings.cache_clear()


def sign_in(api: Api, student: Student, password: str | None = None) -> httpx.Response:
    return api.post("/api/auth/login", {"email": student.email, "password": password or student.password})


def signed_in(api: Api, student: Student, **headers: str) -> dict[str, Any]:
    body = {"email": student.email, "password": student.password}
    answer = api.post("/api/auth/login", body, headers=headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def is_alive(api: Api, tokens: dict[str, Any]) -> bool:
    return api.post("/api/auth/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 200


def test_a_forgotten_password_is_chosen_anew(api: Api, student: Student, mailbox: Path) -> None:
    """The mailed token sets a new password once; every other session ends, and the old password stops working."""
    other = signed_in(api, student)
    assert api.post("/api/auth/password/forgot", {"email": student.email.upper()}).status_code == 202
    mail = last_mail(mailbox, student.email)
    assert link(mail).startswith("http://localhost:3000/reset?token=")
    body = {"token": token(mailbox, student.email), "password": NEW}
    weak = api.post("/api/auth/password/reset", {**body, "password": "short1"})
    assert_problem(weak, 400, "VALIDATION_ERROR")  # and the token is still valid
    answer = api.post("/api/auth/password/reset", body)
    assert answer.status_code == 200, answer.text
    assert api.get("/api/users/me", token=answer.json()["data"]["token"]).status_code == 200
    assert not is_alive(api, other)
    assert is_alive(api, answer.json()["data"])
    assert_problem(sign_in(api, student), 401, "AUTHENTICATION_ERROR")
    assert sign_in(api, student, NEW).status_code == 200
    assert_problem(api.post("/api/auth/password/reset", body), 401, "AUTHENTICATION_ERROR")


@pytest.mark.parametrize("sent", ["nonsense", "0" * 56, "\ud800", "\0"])
def test_a_token_that_no_mail_held_opens_nothing(api: Api, sent: str) -> None:
    """A made-up token is answered with 401, for passwords and for addresses."""
    content = {"token": sent, "password": NEW}
    for path, body in (("password/reset", content), ("email/confirm", {"token": sent})):
        answer = api.request(
            "POST",
            f"/api/auth/{path}",
            content=__import__("json").dumps(body),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in (400, 401), answer.text


def test_a_password_is_changed_by_who_knows_it(api: Api, student: Student) -> None:
    """Changing the password takes the old one and ends every session but the current one."""
    other = signed_in(api, student)
    change = {"password": "wrong horse 1", "new_password": NEW}
    assert_problem(student.post("/api/auth/password/change", change), 403, "REAUTHENTICATION_REQUIRED")
    change = {"password": student.password, "new_password": "password1"}
    assert_problem(student.post("/api/auth/password/change", change), 400, "VALIDATION_ERROR")
    change = {"password": student.password, "new_password": NEW}
    assert student.post("/api/auth/password/change", change).status_code == 200
    assert not is_alive(api, other)
    assert is_alive(api, student.registered)
    assert sign_in(api, student, NEW).status_code == 200


def test_an_address_is_changed_by_both_mailboxes(api: Api, student: Student, mailbox: Path) -> None:
    """A change of address must be confirmed from both addresses; nothing changes until then."""
    new = f"new_{student.email}"
    wrong = {"email": new, "password": "wrong horse 1"}
    assert_problem(student.post("/api/auth/email/change", wrong), 403, "REAUTHENTICATION_REQUIRED")
    assert not mails(mailbox, new)
    body = {"email": new, "password": student.password}
    assert student.post("/api/auth/email/change", body).status_code == 202
    confirmed = []
    for address in (new, student.email):
        assert student.get("/api/users/me").json()["data"]["email"] == student.email
        answer = api.post("/api/auth/email/confirm", {"token": token(mailbox, address)})
        assert answer.status_code == 200, answer.text
        confirmed.append(answer.json()["data"]["confirmed"])
    assert confirmed == [False, True]
    profile = student.get("/api/users/me").json()["data"]
    assert (profile["email"], profile["email_confirmed"]) == (new, True)
    assert api.post("/api/auth/login", body).status_code == 200


def test_a_taken_address_is_not_told_of(api: Api, student: Student, mailbox: Path) -> None:
    """A change to a taken address is answered like one to a free address, and its owner gets no mail."""
    owner = api.student()
    before = len(mails(mailbox, owner.email))
    body = {"email": owner.email, "password": student.password}
    taken = student.post("/api/auth/email/change", body)
    free = student.post("/api/auth/email/change", {**body, "email": f"x_{student.email}"})
    assert (taken.status_code, taken.json()) == (free.status_code, free.json())
    assert len(mails(mailbox, owner.email)) == before


def test_sessions_are_listed_and_ended_one_by_one(api: Api, student: Student) -> None:
    """Sessions are listed with the client's name for itself; the current one is marked, and another user's is a 404."""
    phone = signed_in(api, student, **{"User-Agent": "Mozilla/5.0 (Phone)"})
    listed = student.get("/api/auth/sessions").json()["data"]
    assert listed[0]["user_agent"] == "Mozilla/5.0 (Phone)"
    assert [entry["current"] for entry in listed] == [False, True]
    stranger = api.student()
    path = f"/api/auth/sessions/{listed[0]['session_id']}"
    assert_problem(stranger.delete(path), 404, "NOT_FOUND")
    assert_problem(student.delete("/api/auth/sessions/nonsense"), 400, "VALIDATION_ERROR")
    assert student.delete(path).json()["data"] == {"session_id": listed[0]["session_id"], "ended": True}
    assert_problem(student.delete(path), 404, "NOT_FOUND")
    assert not is_alive(api, phone)
    assert is_alive(api, student.registered)


@pytest.mark.parametrize(
    ("body", "alive"),
    [(None, [False, True]), ({"scope": "others"}, [True, False]), ({"scope": "global"}, [False, False])],
)
def test_logging_out_has_a_scope(api: Api, student: Student, body: Any, alive: list[bool]) -> None:
    """Logging out ends the current session by default, and the others or all sessions on request."""
    other = signed_in(api, student)
    assert student.post("/api/auth/logout", body).status_code == 200
    assert [is_alive(api, each) for each in (student.registered, other)] == alive


def test_an_unknown_scope_is_refused(student: Student) -> None:
    """An unknown logout scope is answered with 400."""
    assert_problem(student.post("/api/auth/logout", {"scope": "all"}), 400, "VALIDATION_ERROR")


def test_deletion_asks_who_signed_in_long_ago(student: Student, sql: psycopg.Connection[Any]) -> None:
    """After ten minutes deletion asks for the password and refuses a wrong one; a repeat gets the same answer."""
    sql.execute(
        "update auth.sessions set created_at = now() - interval '11 minutes' where user_id = %s", [student.user_id]
    )
    assert_problem(student.delete("/api/users/me"), 403, "REAUTHENTICATION_REQUIRED")
    wrong = student.delete("/api/users/me", json={"password": "wrong horse 1"})
    assert_problem(wrong, 403, "REAUTHENTICATION_REQUIRED")
    for _ in range(2):
        answer = student.delete("/api/users/me", json={"password": student.password})
        assert answer.status_code == 200, answer.text
    assert sql.execute("select 1 from auth.users where id = %s", [student.user_id]).fetchone() is None


def test_a_token_whose_session_has_ended_deletes_nothing(api: Api, student: Student) -> None:
    """A token of an ended session cannot delete the account, even with the password, because it may be stolen."""
    signed_in(api, student)
    student.post("/api/auth/logout")
    for body in ({}, {"password": student.password}):
        assert_problem(student.delete("/api/users/me", json=body), 401, "AUTHENTICATION_ERROR")
    assert sign_in(api, student).status_code == 200


def test_a_second_factor_is_asked_for_once_there_is_one(api: Api, backends: Backends, student: Student) -> None:
    """A token of the first factor alone only allows signing out; a token of both factors allows everything."""
    base = f"{backends.project.url}/auth/v1"
    headers = {"apikey": backends.keys.publishable_key, "authorization": f"Bearer {student.token}"}
    with httpx.Client(headers=headers) as auth:
        factor = auth.post(f"{base}/factors", json={"factor_type": "totp", "friendly_name": "phone"}).json()
        # An unverified factor is not asked for.
        assert student.get("/api/users/me").status_code == 200
        challenge = auth.post(f"{base}/factors/{factor['id']}/challenge").json()
        code = totp(factor["totp"]["secret"], time.time())
        both = auth.post(f"{base}/factors/{factor['id']}/verify", json={"challenge_id": challenge["id"], "code": code})
        assert both.status_code == 200, both.text
    first = signed_in(api, student)
    assert first["second_factor_required"] is True
    refused = api.get("/api/users/me", token=first["token"])
    assert_problem(refused, 401, "AUTHENTICATION_ERROR")
    assert "insufficient_user_authentication" in refused.headers["www-authenticate"]
    assert api.get("/api/users/me", token=both.json()["access_token"]).status_code == 200
    assert api.post("/api/auth/logout", token=first["token"]).status_code == 200


def test_a_common_password_is_refused(api: Api) -> None:
    """A common password is refused in any spelling, because attackers try those first."""
    for password in ("password1", "Password1", "QWERTY123"):
        name = f"c_{uuid.uuid4().hex[:12]}"
        body = {"username": name, "email": f"{name}@example.test", "password": password}
        problem = assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")
        assert problem["details"]["validation_errors"][0]["location"] == "body.password"


def registration() -> dict[str, str]:
    name = f"c_{uuid.uuid4().hex[:12]}"
    return {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}


def test_an_address_is_confirmed_before_the_first_sign_in(
    api: Api, mailbox: Path, stage: Any, student: Student
) -> None:
    """Where confirmation is required, there is no token before it, and nobody can see the account."""
    stage(EMAIL_CONFIRMATION="required")
    body = registration()
    made = api.post("/api/auth/register", body)
    assert made.status_code == 201, made.text
    data = made.json()["data"]
    assert (data["token"], data["refresh_token"]) == (None, None)
    assert data["confirmation_sent_at"]
    assert_problem(
        api.post("/api/auth/login", {k: body[k] for k in ("email", "password")}), 401, "AUTHENTICATION_ERROR"
    )
    assert_problem(student.get(f"/api/users/{data['user_id']}"), 404, "NOT_FOUND")
    assert student.get(f"/api/users?query={body['username']}").json()["data"] == []
    answer = api.post("/api/auth/email/confirm", {"token": token(mailbox, body["email"])})
    assert answer.json()["data"] == {"confirmed": True}
    tokens = api.post("/api/auth/login", {k: body[k] for k in ("email", "password")})
    assert tokens.status_code == 200
    assert api.get("/api/users/me", token=tokens.json()["data"]["token"]).json()["data"]["email_confirmed"] is True
    assert student.get(f"/api/users/{data['user_id']}").status_code == 200


def test_a_registration_of_somebody_else_s_address_does_not_last(
    api: Api, mailbox: Path, stage: Any, sql: psycopg.Connection[Any]
) -> None:
    """An unconfirmed registration frees its address after an hour and is deleted after a day."""
    stage(EMAIL_CONFIRMATION="required")
    body = registration()
    api.post("/api/auth/register", body)
    mine = {**registration(), "email": body["email"]}
    assert api.post("/api/auth/register", mine).status_code == 201
    assert len(mails(mailbox, body["email"])) == 1, "the first one holds it while its link is good"
    sql.execute("update auth.users set created_at = now() - interval '61 minutes' where email = %s", [body["email"]])
    assert api.post("/api/auth/register", mine).status_code == 201
    api.post("/api/auth/email/confirm", {"token": token(mailbox, body["email"])})
    assert api.post("/api/auth/login", {k: mine[k] for k in ("email", "password")}).status_code == 200
    left = registration()
    api.post("/api/auth/register", left)
    sql.execute("update auth.users set created_at = now() - interval '25 hours' where email = %s", [left["email"]])
    sql.execute("select purge_idempotency_keys()")
    assert sql.execute("select 1 from auth.users where email = %s", [left["email"]]).fetchone() is None


def test_an_optional_confirmation_keeps_nobody_out(
    api: Api, mailbox: Path, stage: Any, sql: psycopg.Connection[Any]
) -> None:
    """With optional confirmation the account works immediately, and the confirmation mail can be requested again."""
    stage(EMAIL_CONFIRMATION="optional")
    body = registration()
    data = api.post("/api/auth/register", body).json()["data"]
    own = {"token": data["token"]}
    assert api.get("/api/users/me", **own).json()["data"]["email_confirmed"] is False
    sql.execute(
        "update auth.users set recovery_sent_at = now() - interval '1 minute' where email = %s", [body["email"]]
    )
    assert api.post("/api/auth/email/resend", {"email": body["email"]}).status_code == 202
    assert len(mails(mailbox, body["email"])) == 2
    assert api.post("/api/auth/email/confirm", {"token": token(mailbox, body["email"])}).status_code == 200
    assert api.get("/api/users/me", **own).json()["data"]["email_confirmed"] is True
    assert len(api.get("/api/auth/sessions", **own).json()["data"]) == 1, "a link in a mail is no sign-in"


def test_registrations_may_ask_for_a_captcha(api: Api, stage: Any) -> None:
    """Nobody can register without a captcha solution, with a wrong one, or while the captcha service is down."""
    import http.server
    import threading

    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"])).decode()
            body = b'{"success": true}' if "response=right" in sent and "secret=s3" in sent else b'{"success": false}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        stage(CAPTCHA_URL=f"http://127.0.0.1:{server.server_port}/siteverify", CAPTCHA_SECRET="s3")
        assert_problem(api.post("/api/auth/register", registration()), 400, "VALIDATION_ERROR")
        wrong = api.post("/api/auth/register", {**registration(), "captcha_token": "wrong"})
        assert_problem(wrong, 400, "VALIDATION_ERROR")
        assert api.post("/api/auth/register", {**registration(), "captcha_token": "right"}).status_code == 201
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    gone = api.post("/api/auth/register", {**registration(), "captcha_token": "right"})
    assert_problem(gone, 503, "SERVICE_UNAVAILABLE")


def test_who_is_not_discoverable_is_in_no_search(api: Api, student: Student) -> None:
    """A user who is not discoverable is in no search by user name or display name, but can still be read by id."""
    other = api.student(discoverable=False, display_name="Hidden Hannah")
    for query in (other.username, "Hidden Hannah", "idden"):
        found = student.get(f"/api/users?query={query}").json()["data"]
        assert other.user_id not in [entry["user_id"] for entry in found]
    assert student.get(f"/api/users/{other.user_id}").status_code == 200


def test_who_does_not_share_activity_shows_no_days(api: Api, student: Student, clock: DatabaseClock) -> None:
    """Others see neither that the user is studying nor when they studied; the user sees both."""
    other = api.student(share_activity=False)
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    other.post(f"/api/spaces/{space}/join")
    session = other.start()
    clock.advance(minutes=1)
    other.complete(session)
    other.start()

    def seen_by(caller: Student) -> tuple[Any, ...]:
        members = {m["user_id"]: m for m in caller.get(f"/api/spaces/{space}/members").json()["data"]}
        streak = caller.get(f"/api/gamification/streaks/{other.user_id}").json()["data"]
        return members[other.user_id]["is_studying"], streak["last_active_date"] is not None, streak["active_today"]

    assert seen_by(student) == (False, False, False)
    assert seen_by(other) == (True, True, True)


@pytest.mark.parametrize("path", ["password/forgot", "email/resend"])
def test_mails_are_not_asked_for_without_end(api: Api, student: Student, path: str) -> None:
    """At most three mails a minute are sent to one address, whether it has an account or not."""
    for email in (student.email, f"{uuid.uuid4().hex}@example.test"):
        answers = [api.post(f"/api/auth/{path}", {"email": email}).status_code for _ in range(6)]
        assert answers[:3] == [202] * 3
        assert 429 in answers
