"""Who may operate: whoever shows the operator token. Without one configured a deployed stack is closed."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from studysync.errors import forbidden, unauthenticated
from studysync.settings import get_settings

LOCAL_STAGE = "local"
_bearer = HTTPBearer(auto_error=False, scheme_name="operatorToken", description="The operator token of the stack.")


async def operator(credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> None:
    """Let operators through.

    Raises:
        ApiError: AUTHENTICATION_ERROR, no token or a wrong one; AUTHORIZATION_ERROR, the stack has none.
    """
    settings = get_settings()
    expected = settings.operator_token.get_secret_value()
    if not expected:
        if settings.stage == LOCAL_STAGE:
            return
        raise forbidden("This stack has no operator token, so nobody may operate it.")
    given = credentials.credentials if credentials is not None else ""
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise unauthenticated("An operator token is required.")


Operator = Depends(operator)
