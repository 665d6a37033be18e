"""A rate limiter's answer, and the header fields that report it to a client."""

from __future__ import annotations

import math
from typing import NamedTuple


class Limit(NamedTuple):
    """A number of calls per window.

    Attributes:
        name: The policy's name in the header fields, for instance "minute".
        limit: Calls per window.
        window: Length of the window in seconds.
    """

    name: str
    limit: int
    window: int


class Decision(NamedTuple):
    """Whether a call is allowed, and how many are left.

    `limit`, `remaining`, `reset` and `policy` describe one window: for an allowed call the one with the smallest share
    of its limit left, for a refused call the longest one that refused it.

    Attributes:
        allowed: Whether the call may proceed.
        limit: Calls that the window allows.
        remaining: Calls left in the window as far as this environment knows; 0 when refused.
        reset: Seconds until the window ends.
        retry_after: Seconds to wait when refused; 0.0 when allowed.
        policy: The name of the window's limit.
        policies: Every limit that was checked.
        fail_open: True when the store did not answer and the call was let through uncounted.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: float
    retry_after: float
    policy: str
    policies: tuple[Limit, ...]
    fail_open: bool = False

    def headers(self) -> dict[str, str]:
        """Return the response header fields by name.

        These are the fields of draft-ietf-httpapi-ratelimit-headers and, when refused, Retry-After: whole seconds,
        rounded up, at least 1.
        """
        fields = {
            "RateLimit-Policy": ", ".join(f'"{each.name}";q={each.limit};w={each.window}' for each in self.policies),
            "RateLimit": f'"{self.policy}";r={self.remaining};t={math.ceil(self.reset)}',
        }
        if not self.allowed:
            fields["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return fields
