"""Every attack that once denied others the service, on a whole stack, while another student works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from benchmarks.attacks.beside import bystander
from benchmarks.attacks.program import ATTACKS, LIMITS, Statuses, attack, attackers
from benchmarks.load.stack import Stack, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with the limits of a deployed one."""
    with running(tmp_path_factory.mktemp("attacked") / "home", more=LIMITS, new_accounts=True) as stack:
        yield stack


@pytest.fixture(scope="module")
def played(stack: Stack) -> tuple[dict[str, Statuses], dict[str, Any]]:
    """How each attack was answered, and what the other student experienced."""
    facts = stack.facts
    with attackers(stack.url, facts["dsn"], facts["environment"]) as target, bystander(stack.url) as met:
        answered = attack(target)
    return answered, met


def test_another_student_notices_nothing(played: tuple[dict[str, Statuses], dict[str, Any]]) -> None:
    """The other student's session continues, and every answer they get is a success."""
    _, met = played
    assert met["answers"] > 5
    assert met["failed"] == []


def test_no_attack_makes_an_error_of_ours(played: tuple[dict[str, Statuses], dict[str, Any]]) -> None:
    """Attackers are served, refused or rate limited; none of their requests is a 5xx."""
    answered, _ = played
    assert answered.keys() == ATTACKS.keys()
    for name, statuses in answered.items():
        assert max(statuses) < 500, (name, statuses)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("a backtracking filter, straight at PostgREST", {403}),
        ("85,000 unknown fields", {400, 429}),
        ("forged cursors", {400, 429}),
        ("orders of a foreign page", {400, 401, 403}),
    ],
)
def test_what_nobody_may_do_is_refused(
    played: tuple[dict[str, Statuses], dict[str, Any]], name: str, statuses: set[int]
) -> None:
    """Forbidden requests are refused, however often they are tried."""
    assert set(played[0][name]) <= statuses


def test_limits_are_met(played: tuple[dict[str, Statuses], dict[str, Any]]) -> None:
    """Guessing, registering and other calls at this rate end in a 429."""
    for name in ("guessed passwords", "registrations from one address", "three accounts from one address"):
        assert Counter(played[0][name])[429] > 0, (name, played[0][name])


def test_a_forged_month_is_worth_nothing(played: tuple[dict[str, Statuses], dict[str, Any]], stack: Stack) -> None:
    """Forged events pay only a few XP, and rejected events take little space."""
    assert set(played[0]["a month of sessions of a minute"]) <= {200, 429}
    with psycopg.connect(stack.facts["dsn"]) as connection:
        assert (connection.execute("select max(total_xp) from user_stats").fetchone() or [None])[0] < 50
        stored = connection.execute("select sum(octet_length(payload::text)) from rejected_events").fetchone()
        assert stored is not None
        assert stored[0] < 1024 * 1024
        assert connection.execute("select count(*) from check_invariants()").fetchone() == (0,)
