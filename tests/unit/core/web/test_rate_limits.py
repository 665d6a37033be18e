"""What an address counts as, and calls with several limits."""

from __future__ import annotations

import asyncio

import pytest

from resilience import Limit, RateLimiter
from resilience.store import MemoryStore
from resilience.testing import ManualClock
from studysync.context import _current
from studysync.web.rate_limits import Bucket, by_network, hit, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:cb00:7107", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:0db8:0001:0002:0000:0000:0000:0001", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::2%eth1", "fe80::/64"),
        ("::1", "::/64"),
        ("unix socket", "unix socket"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_counts_as_its_network(address: str | None, network: str) -> None:
    """In any notation, IPv6 counts by a customer's prefix and IPv4 by the address."""
    assert network_of(address) == network


def test_a_refused_call_counts_for_none() -> None:
    """A refused call counts neither for earlier limits nor for later ones."""
    store, clock = MemoryStore(), ManualClock()
    narrow = RateLimiter(per_minute=2, per_hour=None, name="narrow", store=store, clock=clock)
    wide = RateLimiter(per_minute=6, per_hour=None, name="wide", store=store, clock=clock)

    async def allowed(*buckets: Bucket) -> bool:
        return (await hit(*buckets)).allowed

    async def scenario() -> None:
        before, own, after = (Bucket(limiter, name) for limiter, name in ((wide, "a"), (narrow, "b"), (wide, "c")))
        assert [await allowed(before, own, after) for _ in range(20)].count(True) == 2
        for each in (before, after):
            assert [await allowed(each) for _ in range(20)].count(True) == 4

    asyncio.run(scenario())


def test_the_first_refusal_is_told() -> None:
    """The answer has the refusing limit, and when to try again."""
    clock = ManualClock()
    limiter = RateLimiter(per_minute=5, per_hour=None, name="n", store=MemoryStore(), clock=clock)
    small = (Limit("small", 1, 3600),)

    async def scenario() -> None:
        asked = Bucket(limiter, "a"), Bucket(limiter, "b", small)
        assert (await hit(*asked)).policy == "minute"
        refused = await hit(*asked)
        while refused.allowed:
            refused = await hit(*asked)
        assert (refused.policy, refused.retry_after > 60) == ("small", True)

    asyncio.run(scenario())


def test_outside_a_request_nobody_calls() -> None:
    """Outside a request, a limit counts for one unknown network."""
    token = _current.set(None)
    bucket = by_network(RateLimiter(name="n", store=MemoryStore()), 1, 2)
    _current.reset(token)
    assert bucket.subject == "address:unknown"
    assert bucket.limits == (Limit("minute", 1, 60), Limit("hour", 2, 3600))
