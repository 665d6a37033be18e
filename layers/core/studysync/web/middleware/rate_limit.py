"""Rate limits: a user is counted by account, anyone else by the address that API Gateway saw.

Everyone behind one address also shares a limit, a multiple of a single caller's per minute.
"""

from __future__ import annotations

from functools import lru_cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resilience import Limit, RateLimiter, begin
from studysync.auth.dependencies import caller_of
from studysync.aws.switches import flag
from studysync.errors import RATE_LIMIT_EXCEEDED, ApiError
from studysync.web.middleware.error_handler import error_response
from studysync.web.rate_limits import Bucket, hit, network_of

# Load balancers and alarms call these all the time, from one address.
UNLIMITED_PREFIX = "/health"


class RateLimitMiddleware:
    """Rejects calls over the limit (429), and adds what is left to every response. It can be added in any order.

    Failure policy: while DynamoDB is down, calls are not counted or limited.

    Args:
        app: the inner ASGI application.
        requests_per_minute: calls per minute and caller, unless operators set another limit.
        requests_per_hour: calls per hour and caller, likewise.
        address_factor: everyone behind one address may make this many times the calls per minute.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        requests_per_minute: int = 100,
        requests_per_hour: int = 1000,
        address_factor: int = 10,
    ) -> None:
        self.app = app
        self.limiter = RateLimiter(per_minute=requests_per_minute, per_hour=requests_per_hour, name="api")
        self._deployed = (requests_per_minute, requests_per_hour, address_factor)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or scope["path"].startswith(UNLIMITED_PREFIX):
            await self.app(scope, receive, send)
            return
        begin()  # after a pause, the fleet's circuits are read in parallel to the limiter's own call
        decision = await hit(*await self._buckets(scope))
        fields = decision.headers()
        if not decision.allowed:
            details = {"retry_after_seconds": int(fields["Retry-After"])}
            refused = ApiError(RATE_LIMIT_EXCEEDED, "Too many requests.", details, fields)
            await error_response(refused, scope["path"])(scope, receive, send)
            return

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in fields.items():
                    headers.setdefault(name, value)  # a 429 of another limit describes that one
            await send(message)

        await self.app(scope, receive, send_with_fields)

    async def _buckets(self, scope: Scope) -> tuple[Bucket, Bucket]:
        client = scope.get("client")
        network = network_of(client[0] if client else None)
        caller = await caller_of(Headers(scope=scope).get("authorization"))
        own = f"user:{caller.user_id}" if caller is not None else f"address:{network}"
        limits, of_address = self._limits()
        return Bucket(self.limiter, own, limits), Bucket(self.limiter, f"all:{network}", of_address)

    def _limits(self) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
        per_minute, per_hour, address_factor = self._deployed
        per_minute, per_hour = flag("rate_limit_per_minute", per_minute), flag("rate_limit_per_hour", per_hour)
        return _limits(per_minute, per_hour, address_factor)


@lru_cache(maxsize=4)
def _limits(per_minute: int, per_hour: int, address_factor: int) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    """Return the limits of a caller, and those of everyone behind one address."""
    # Per minute only: a second window would cost a busy address another request to the table for every 20 calls.
    of_address = Limit("address-minute", per_minute * address_factor, 60)
    return (Limit("minute", per_minute, 60), Limit("hour", per_hour, 3600)), (of_address,)
