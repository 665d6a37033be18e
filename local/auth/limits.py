"""Token buckets per address, like GoTrue's: a burst of 30, refilled at the configured rate."""

import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from starlette.requests import Request

from local.auth.errors import AuthError

_BURST = 30
_WINDOW = 300.0  # seconds that a configured number is for


class RateLimits:
    """The remaining calls of each address.

    Args:
        limits: calls in five minutes, by name; None: nothing is limited.
        clock: seconds.
    """

    def __init__(self, limits: Mapping[str, int] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, request: Request, name: str) -> None:
        """Count a call.

        Raises:
            AuthError: 429, the address has none left.
        """
        if self._limits is None:
            return
        key, now = (name, address_of(request)), self._clock()
        left, then = self._buckets.get(key, (float(_BURST), now))
        left = min(float(_BURST), left + (now - then) * self._limits[name] / _WINDOW)
        self._buckets[key] = (max(0.0, left - 1), now)
        if left < 1:
            raise AuthError(429, "over_request_rate_limit", "Request rate limit reached")


def address_of(request: Request) -> str:
    """Return the client's address, as reported by the gateway, or by a server with a secret key for its client."""
    forwarded = request.headers.get("sb-forwarded-for") or request.headers.get("x-forwarded-for")
    first = (forwarded or "").partition(",")[0].strip()
    try:
        return str(ip_address(first))
    except ValueError:
        return request.client.host if request.client else "127.0.0.1"
