"""The rate limiter's leases: its requests to the store, the remaining count, and events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import pytest

from resilience import Limit, MemoryStore, RateLimiter
from resilience.events import Event
from resilience.limits.window import Window
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


class CountingStore(FaultyStore):
    """A store that records each counter's increments and expiry."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(MemoryStore(clock=clock))
        self.asked: list[tuple[str, str, int, int | None]] = []
        self.tries = 0

    def add(
        self,
        pk: str,
        sk: str,
        deltas: Mapping[str, int],
        *,
        ttl: int | None = None,
        request_id: tuple[str, str] | None = None,
    ) -> dict[str, int]:
        self.tries += 1
        values = super().add(pk, sk, deltas, ttl=ttl, request_id=request_id)
        self.asked.append((pk, sk, sum(deltas.values()), ttl))
        return values


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000.0)  # the start of a minute and an hour


def test_blocks_are_small_and_get_smaller(clock: ManualClock) -> None:
    """A block grows with what is used here, to a tenth of the limit, and shrinks with what is left of the limit."""
    store = CountingStore(clock)
    limiter = RateLimiter(per_minute=200, per_hour=None, store=store, clock=clock)
    assert sum(limiter.check("u").allowed for _ in range(300)) == 200
    taken = 0
    blocks = [each[2] for each in store.asked if each[2]]  # reading adds nothing
    for number, asked in enumerate(blocks):
        owed = 2 if number == 0 else 0  # calls on credit, one hundredth of the limit
        assert asked - owed <= max(1, (200 - taken) // 5)
        taken += asked
    assert (blocks[0], max(blocks)) == (4 + 2, 20)
    assert taken == 200


@pytest.mark.parametrize(("per_minute", "environments"), [(40, 6), (40, 12), (40, 24), (60, 6), (60, 12), (60, 24)])
def test_calls_below_the_limit_pass_wherever_they_go(clock: ManualClock, per_minute: int, environments: int) -> None:
    """At 40 calls per minute of a hundred none is refused, at 60 few are, in however many environments they arrive."""
    chance, store = random.Random(1), MemoryStore(clock=clock)
    limiters = [RateLimiter(per_hour=None, store=store, clock=clock) for _ in range(environments)]
    refused = 0
    for _ in range(8 * per_minute):
        clock.advance(chance.expovariate(per_minute / 60))
        refused += not chance.choice(limiters).check("u").allowed
    assert refused <= (0 if per_minute == 40 else 0.06 * 8 * per_minute)


@pytest.mark.parametrize("windows", [1, 10])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
def test_tokens_that_were_not_used_are_no_calls(clock: ManualClock, windows: int, lost: bool) -> None:
    """The next window's first request takes them out of the last window's counter, once, in whichever item that is."""
    store = CountingStore(clock)
    limiter = RateLimiter(per_hour=None, store=store, clock=clock)
    clock.advance((windows - 1) * 60)
    limiter.check("u")
    limiter.check("u")
    clock.advance(60)
    limiter.check("u")
    store.lose_answers = lost
    limiter.check("u")
    store.calm()
    clock.advance(1)
    limiter.check("u")
    number = int(clock.wall()) // 60 - 1
    (item,) = store.inner.query("rate#api#u", sk_prefix=f"minute#60#{number // 10}")
    assert item.attributes[f"n{number % 10}"] == 2


def test_denied_tokens_are_subtracted_once() -> None:
    """A request whose answer was lost may have subtracted them already; unused tokens are subtracted in any case."""
    limit = Limit("minute", 10, 60)
    last = Window(limit, 0, None)
    last.answered(0.0, added=2, total=11, before=0)
    assert (last.tokens, last.denied) == (1, 1)
    assert Window(limit, 1, last).unused == 2
    last.request(0.0, 20)
    assert Window(limit, 1, last).unused == 1


def test_no_block_is_larger_than_twenty(clock: ManualClock) -> None:
    """However high the limit is, an environment that takes tokens may disappear with the next request."""
    store = CountingStore(clock)
    limiter = RateLimiter(per_minute=None, per_hour=100_000, store=store, clock=clock)
    for _ in range(3_000):
        limiter.check("u")
    assert max([asked for _, _, asked, _ in store.asked if asked][1:]) == 20


def test_counters_are_named_and_end(clock: ManualClock) -> None:
    """An item has ten windows of a subject and limit, and is kept for as long as the last one counts."""
    store = CountingStore(clock)
    limiter = RateLimiter(per_minute=10, per_hour=20, name="sms", store=store, clock=clock)
    for _ in range(3):
        limiter.check("u")
    minute, hour = 1_800_000_000 // 60, 1_800_000_000 // 3_600
    assert {(pk, sk, ttl) for pk, sk, _, ttl in store.asked} == {
        ("rate#sms#u", f"minute#60#{minute // 10}", (minute // 10 * 10 + 11) * 60),
        ("rate#sms#u", f"hour#3600#{hour // 10}", (hour // 10 * 10 + 11) * 3_600),
        # In the first window of an item, the last window of the previous item is read.
        ("rate#sms#u", f"minute#60#{minute // 10 - 1}", (minute // 10 * 10 + 1) * 60),
        ("rate#sms#u", f"hour#3600#{hour // 10 - 1}", (hour // 10 * 10 + 1) * 3_600),
    }


def test_what_is_left_counts_down(clock: ManualClock) -> None:
    """The count falls by one per call to zero, on credit, within a block and at its end; sync and async alike."""
    for call in (lambda each: each.check("u"), lambda each: asyncio.run(each.check_async("u"))):
        limiter = RateLimiter(per_minute=30, per_hour=None, store=CountingStore(clock), clock=clock)
        seen = [call(limiter) for _ in range(32)]
        assert [decision.remaining for decision in seen] == [*range(29, -1, -1), 0, 0]
        assert [decision.allowed for decision in seen] == [True] * 30 + [False] * 2
        assert {decision.retry_after for decision in seen[:30]} == {0.0}
        assert {decision.reset for decision in seen} == {60.0}


def test_the_window_that_is_nearest_its_end_is_told(clock: ManualClock) -> None:
    """Of several windows the one with the smallest share left counts; of several that refuse, the longest."""
    limiter = RateLimiter(per_minute=10, per_hour=12, clock=clock)
    assert [limiter.check("u").policy for _ in range(9)][-1] == "minute"
    limiter.check("u")
    clock.advance(120)
    assert limiter.check("u").policy == "hour"
    both = RateLimiter(per_minute=2, per_hour=2, clock=clock)
    refused = [both.check("v") for _ in range(4)][-1]
    assert (refused.allowed, refused.policy) == (False, "hour")
    assert refused.retry_after > 3_600 - 120


def test_a_refusal_is_told(clock: ManualClock, events: list[Event]) -> None:
    """A refusal is an event with the limiter, the subject and the window."""
    limiter = RateLimiter(per_minute=1, per_hour=None, name="sms", store=CountingStore(clock), clock=clock)
    while limiter.check("u").allowed:
        pass
    assert [(event.kind, event.name, dict(event.details)) for event in events] == [
        ("rate_limited", "sms", {"subject": "u", "policy": "minute"})
    ]


def test_an_outage_is_told_and_asked_about_once_a_second(clock: ManualClock, events: list[Event]) -> None:
    """Calls pass and are marked; the store is left alone for a second, and counts again when it is back."""
    store = CountingStore(clock)
    limiter = RateLimiter(per_minute=10, per_hour=None, name="sms", store=store, clock=clock)
    store.down = True
    assert [limiter.check("u").fail_open for _ in range(20)] == [False] + [True] * 19  # the first call is on credit
    assert store.tries == 1
    clock.advance(0.9)
    limiter.check("u")
    assert store.tries == 1
    clock.advance(0.1)
    limiter.check("u")
    assert store.tries == 2
    assert [(event.kind, event.name, dict(event.details)) for event in events] == [
        ("rate_limit_open", "sms", {"subject": "u", "error": "down"})
    ] * 2
    store.down = False
    clock.advance(1)
    decisions = [limiter.check("u") for _ in range(20)]
    assert not any(decision.fail_open for decision in decisions)
    assert sum(decision.allowed for decision in decisions) in {9, 10}
