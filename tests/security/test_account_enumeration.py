"""Who has an account is told by no status, no text and no time, but where the contract says so."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local.backends import Backends
from studysync.settings import get_settings
from testing.client import Api, Student
from testing.mailbox import mails

PAIRS = 50
Ask = Callable[[Api, str], httpx.Response]


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage that asks for confirmed addresses, and answers what may send a mail in 0.2 s."""
    monkeypatch.setenv("EMAIL_CONFIRMATION", "required")
    monkeypatch.setenv("MAIL_ANSWER_SECONDS", "0.2")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def forgot(api: Api, email: str) -> httpx.Response:
    return api.post("/api/auth/password/forgot", {"email": email})


def resend(api: Api, email: str) -> httpx.Response:
    return api.post("/api/auth/email/resend", {"email": email})


def register(api: Api, email: str) -> httpx.Response:
    body = {"username": f"e_{uuid.uuid4().hex[:16]}", "email": email, "password": "correct horse 1"}
    return api.post("/api/auth/register", body)


def sign_in(api: Api, email: str) -> httpx.Response:
    return api.post("/api/auth/login", {"email": email, "password": "wrong horse 1"})


def _told(answer: httpx.Response) -> tuple[int, list[str], list[str]]:
    """What an answer tells beside ids and times of its own."""
    body = answer.json()
    data = body.get("data", body)
    return answer.status_code, sorted(data), sorted(answer.headers)


@pytest.mark.parametrize("ask", [forgot, resend, register, sign_in])
def test_fifty_pairs_of_known_and_unknown_look_alike(
    api: Api, backends: Backends, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of each pair has an account; the answers have one shape, and their times lie among each other."""
    monkeypatch.setenv("EMAIL_CONFIRMATION", "off")
    get_settings.cache_clear()
    students: list[Student] = [api.student() for _ in range(PAIRS)]
    monkeypatch.setenv("EMAIL_CONFIRMATION", "required")
    get_settings.cache_clear()
    times: dict[bool, list[float]] = {True: [], False: []}
    answers: dict[bool, list[httpx.Response]] = {True: [], False: []}
    for number, student in enumerate(students):
        pair = [(True, student.email), (False, f"{uuid.uuid4().hex}@example.test")]
        for known, email in pair[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            answers[known].append(ask(api, email))
            times[known].append(time.perf_counter() - began)
    assert {str(_told(a)) for a in answers[True]} == {str(_told(a)) for a in answers[False]}
    noise = statistics.stdev(times[True] + times[False])
    assert abs(statistics.median(times[True]) - statistics.median(times[False])) < max(noise, 0.02)
    if ask is forgot:
        folder: Path = backends.project.mailbox
        assert all(mails(folder, student.email) for student in students), "and yet the mails went out"
