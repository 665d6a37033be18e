"""Authentication of operators, by named tokens. Without any token, their endpoints are disabled.

Wrong tokens are limited per network; a valid one is always accepted, so that nobody can lock operators out during an
incident. Tokens are too long to guess anyway (`studysync.settings`); the limit reveals attempts.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from resilience import RateLimiter
from studysync.context import request_context
from studysync.errors import forbidden, unauthenticated
from studysync.settings import get_settings
from studysync.web.rate_limits import Allowance, Attempt, network_of

wrong_tokens = RateLimiter(per_minute=10, per_hour=60, name="operators", block=1)
_bearer = HTTPBearer(auto_error=False, scheme_name="operatorToken", description="The token of an operator.")


async def operator(credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> str:
    """Return the name of the calling operator.

    Raises:
        ApiError: AUTHENTICATION_ERROR, no token or a wrong one; RATE_LIMIT_EXCEEDED, too many wrong ones;
            AUTHORIZATION_ERROR, the stack has no operators.
    """
    if not get_settings().operator_tokens:
        raise forbidden("This stack has no operator tokens, so its operators' endpoints are disabled.")
    if credentials is None:
        raise unauthenticated("An operator token is required.")
    name = _owner(credentials.credentials)
    if name is None:
        await _count_wrong_token()
        raise unauthenticated("An operator token is required.")
    return name


def _owner(given: str) -> str | None:
    """Return the token's operator; every token is compared, so that the duration reveals nothing."""
    tokens = get_settings().operator_tokens.items()
    found = [name for name, token in tokens if hmac.compare_digest(given.encode(), token.get_secret_value().encode())]
    return found[0] if found else None


async def _count_wrong_token() -> None:
    context = request_context()
    network = Allowance(wrong_tokens, f"address:{network_of(context.address if context else None)}")
    await Attempt("operator_tokens_guessed", "Too many wrong operator tokens. Try again later.", network).count()


Operator = Annotated[str, Depends(operator)]
