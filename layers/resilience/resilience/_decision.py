"""A rate limiter's answer, and the header fields that report it to a client."""

from __future__ import annotations

import math
from typing import NamedTuple


class Limit(NamedTuple):
    """A number of calls per window.

    Attributes:
        name: Names the policy in the header fields, for instance "minute".
        limit: Calls per window.
        window: Seconds.
    """

    name: str
    limit: int
    window: int


class Decision(NamedTuple):
    """Whether a call may go on, and how much is left.

    Attributes:
        allowed: Whether it may.
        limit: The limit of the window with the fewest tokens left.
        remaining: Calls left in that window as far as this environment knows; 0 when refused.
        reset: Seconds until that window ends.
        retry_after: Seconds to wait when refused; 0.0 when allowed.
        policy: The name of that window.
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
        """The fields of draft-ietf-httpapi-ratelimit-headers, and Retry-After (whole seconds) when refused."""
        fields = {
            "RateLimit-Policy": ", ".join(f'"{each.name}";q={each.limit};w={each.window}' for each in self.policies),
            "RateLimit": f'"{self.policy}";r={self.remaining};t={math.ceil(self.reset)}',
        }
        if not self.allowed:
            fields["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return fields
