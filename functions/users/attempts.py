"""How often passwords may be tried. Supabase Auth sees one address, ours, so its own limits cannot tell who guesses.

Only what fails counts, for addresses that nobody has as well, so that the limit tells nothing. An account has two
limits: one for each address that tries, and a wider one for all together. Who guesses from one address is stopped by
the first, long before the owner would notice; a crowd is stopped by the second, and then the owner has to wait as well,
unless signed in already.

Failure policy: while DynamoDB is down attempts go through uncounted, as all calls do.
"""

from __future__ import annotations

import hashlib

from resilience import RateLimiter
from studysync.context import request_context
from studysync.errors import RATE_LIMIT_EXCEEDED, ApiError
from studysync.logging import app_logger

# A try counts until it is known to have been right, so these are also how many may sign in to one account at once.
from_one_address = RateLimiter(per_minute=30, per_hour=60, name="sign-in")
from_everywhere = RateLimiter(per_minute=60, per_hour=300, name="sign-in-account")


class Attempt:
    """One try at the password of an account.

    Args:
        email: the account's, whether it exists or not.
    """

    def __init__(self, email: str) -> None:
        context = request_context()
        # No address of mail goes into the table or into a log.
        account = hashlib.sha256(email.lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._subjects = (
            (from_one_address, f"{account}@{context.address if context else None}"),
            (from_everywhere, account),
        )

    async def count(self) -> None:
        """Count it.

        Raises:
            ApiError: RATE_LIMIT_EXCEEDED.
        """
        for limiter, subject in self._subjects:
            tried = await limiter.check_async(subject)
            if not tried.allowed:
                app_logger.log_security_event(event_type="passwords_guessed", severity="high", limit=limiter.name)
                raise ApiError(RATE_LIMIT_EXCEEDED, "Too many attempts to sign in.", headers=tried.headers())

    def forget(self) -> None:
        """Uncount it: the password was right, or nobody could tell."""
        for limiter, subject in self._subjects:
            limiter.give_back(subject)
