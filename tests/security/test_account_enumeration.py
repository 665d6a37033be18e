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
Ask = Callable[[str], tuple[str, dict[str, str]]]


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage that asks for confirmed addresses, and answers what may send a mail in 0.8 s."""
    monkeypatch.setenv("EMAIL_CONFIRMATION", "required")
    monkeypatch.setenv("MAIL_ANSWER_SECONDS", "0.8")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def forgot(email: str) -> tuple[str, dict[str, str]]:
    return "/api/auth/password/forgot", {"email": email}


def resend(email: str) -> tuple[str, dict[str, str]]:
    return "/api/auth/email/resend", {"email": email}


def register(email: str) -> tuple[str, dict[str, str]]:
    name = f"e_{uuid.uuid4().hex[:16]}"
    return "/api/auth/register", {"username": name, "email": email, "password": "correct horse 1"}


def sign_in(email: str) -> tuple[str, dict[str, str]]:
    return "/api/auth/login", {"email": email, "password": "wrong horse 1"}


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

    async def send(known: bool, email: str) -> httpx.Response:
        path, body = ask(email)
        began = time.perf_counter()
        answers[known].append(await api.send("POST", path, json=body))
        times[known].append(time.perf_counter() - began)
        return answers[known][-1]

    for first in range(0, PAIRS, 5):
        known = [send(True, student.email) for student in students[first : first + 5]]
        api.at_once([*known, *(send(False, f"{uuid.uuid4().hex}@example.test") for _ in known)])
    assert {str(_told(a)) for a in answers[True]} == {str(_told(a)) for a in answers[False]}
    noise = statistics.stdev(times[True] + times[False])
    assert abs(statistics.median(times[True]) - statistics.median(times[False])) < max(noise, 0.02)
    if ask is forgot:
        folder: Path = backends.project.mailbox
        assert all(mails(folder, student.email) for student in students), "and yet the mails went out"
