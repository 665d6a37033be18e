"""No status, text or response time reveals who has an account, except where the contract says so."""

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

PAIRS = 50
# As many strangers as students, because mails to one address are limited.
STRANGERS = [f"{uuid.uuid4().hex}@example.test" for _ in range(PAIRS)]
Ask = Callable[[str], tuple[str, dict[str, str]]]


@pytest.fixture(scope="module")
def students(api: Api) -> list[Student]:
    """Students with an account."""
    return [api.student() for _ in range(PAIRS)]


@pytest.fixture(autouse=True)
def stage(students: list[Student], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage that requires confirmed addresses."""
    monkeypatch.setenv("EMAIL_CONFIRMATION", "required")
    monkeypatch.setenv("MAIL_ANSWER_SECONDS", "0")
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
    """The answer without ids and times of its own."""
    body = answer.json()
    data = body.get("data", body)
    return answer.status_code, sorted(data), sorted(answer.headers)


@pytest.mark.parametrize("ask", [forgot, resend, register, sign_in])
def test_fifty_pairs_of_known_and_unknown_look_alike(
    api: Api, backends: Backends, students: list[Student], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known and unknown addresses get answers of one shape, and their response times overlap."""
    times: dict[bool, list[float]] = {True: [], False: []}
    answers: dict[bool, list[httpx.Response]] = {True: [], False: []}

    async def send(known: bool, email: str) -> httpx.Response:
        path, body = ask(email)
        began = time.perf_counter()
        answers[known].append(await api.send("POST", path, json=body))
        times[known].append(time.perf_counter() - began)
        return answers[known][-1]

    def send_pairs(first: int) -> None:
        known = [send(True, student.email) for student in students[first : first + 10]]
        api.at_once([*known, *(send(False, email) for email in STRANGERS[first : first + 10])])

    send_pairs(0)  # unpadded, to see how long it takes here
    unit = min(5.0, 3 * max(times[True] + times[False]))
    monkeypatch.setenv("MAIL_ANSWER_SECONDS", str(unit))
    get_settings.cache_clear()
    times.update({True: [], False: []})
    answers.update({True: [], False: []})
    for first in range(0, PAIRS, 10):
        send_pairs(first)
    assert {str(_told(a)) for a in answers[True]} == {str(_told(a)) for a in answers[False]}
    noise = statistics.stdev(times[True] + times[False])
    assert abs(statistics.median(times[True]) - statistics.median(times[False])) < max(noise, 0.02)
    if ask is forgot:
        folder: Path = backends.project.mailbox
        heads = [file.read_text(encoding="utf-8").partition("\n\n")[0] for file in folder.glob("*.eml")]
        sent = {line.removeprefix("To: ") for head in heads for line in head.splitlines() if line.startswith("To: ")}
        assert {student.email for student in students} <= sent, "and yet the mails went out"
