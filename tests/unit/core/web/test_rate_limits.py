"""What an address counts as, and calls that are counted more than once."""

from __future__ import annotations

import asyncio

import pytest

from resilience import Limit, RateLimiter
from resilience.store import MemoryStore
from resilience.testing import ManualClock
from studysync.context import _current
from studysync.web.rate_limits import Allowance, by_network, count, network_of


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
    """However it is spelled: IPv6 by what one customer gets of it, IPv4 as it is."""
    assert network_of(address) == network


def test_a_refused_call_counts_for_none() -> None:
    """Neither for those that were asked before nor for those after the one that refuses."""
    store, clock = MemoryStore(), ManualClock()
    narrow = RateLimiter(per_minute=2, per_hour=None, name="narrow", store=store, clock=clock)
    wide = RateLimiter(per_minute=6, per_hour=None, name="wide", store=store, clock=clock)

    async def allowed(*allowances: Allowance) -> bool:
        return (await count(*allowances)).allowed

    async def scenario() -> None:
        before, own, after = (Allowance(limiter, name) for limiter, name in ((wide, "a"), (narrow, "b"), (wide, "c")))
        assert [await allowed(before, own, after) for _ in range(20)].count(True) == 2
        for each in (before, after):
            assert [await allowed(each) for _ in range(20)].count(True) == 4

    asyncio.run(scenario())


def test_the_first_refusal_is_told() -> None:
    """With the limit that refused, which says when to come back."""
    clock = ManualClock()
    limiter = RateLimiter(per_minute=5, per_hour=None, name="n", store=MemoryStore(), clock=clock)
    small = (Limit("small", 1, 3600),)

    async def scenario() -> None:
        asked = Allowance(limiter, "a"), Allowance(limiter, "b", small)
        assert (await count(*asked)).policy == "minute"
        refused = await count(*asked)
        while refused.allowed:
            refused = await count(*asked)
        assert (refused.policy, refused.retry_after > 60) == ("small", True)

    asyncio.run(scenario())


def test_outside_a_request_nobody_calls() -> None:
    """A limit that is asked there counts for one unknown network."""
    token = _current.set(None)
    allowance = by_network(RateLimiter(name="n", store=MemoryStore()), 1, 2)
    _current.reset(token)
    assert allowance.subject == "address:unknown"
    assert allowance.limits == (Limit("minute", 1, 60), Limit("hour", 2, 3600))
