"""Dependencies of routes: the caller from the access token, and the user id in the path."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPBearer

from studysync.auth.tokens import Caller, TokenVerifier
from studysync.context import request_context, route_template
from studysync.db.transport import http_client
from studysync.errors import ApiError, forbidden, invalid, unauthenticated
from studysync.fields import RequestBody
from studysync.settings import get_settings

_KEYS_SECONDS = 2.0
"""Timeout in seconds for each step of fetching keys; without keys, every request waits for it."""


@lru_cache(maxsize=1)
def token_verifier() -> TokenVerifier:
    """Return the process's token verifier."""
    settings = get_settings()

    async def fetch_keys() -> dict[str, Any]:
        response = await http_client().get(f"{settings.supabase_auth_url}/.well-known/jwks.json", timeout=_KEYS_SECONDS)
        response.raise_for_status()
        return dict(response.json())

    return TokenVerifier(
        issuer=settings.supabase_auth_url,
        fetch_keys=fetch_keys,
        shared_secret=settings.supabase_jwt_secret.get_secret_value(),
    )


async def caller_of(authorization: str | None) -> Caller | None:
    """Return the caller of an ``Authorization`` header; ``None`` without one that can be verified."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    try:
        return await token_verifier().verify(token)
    except ApiError:
        return None


class _AccessToken(HTTPBearer):
    """The security scheme and the dependency that returns the caller, in one step of FastAPI instead of two.

    Args:
        first_factor: accept a session that has not verified its account's second factor.
    """

    def __init__(self, *, first_factor: bool = False) -> None:
        super().__init__(auto_error=False, scheme_name="accessToken", description="An access token of Supabase Auth.")
        self._first_factor = first_factor

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        """Return the caller.

        Raises:
            ApiError: AUTHENTICATION_ERROR, the token is missing, is invalid, or lacks the account's second factor.
        """
        credentials = await super().__call__(request)
        if credentials is None:
            raise unauthenticated()
        caller = await token_verifier().verify(credentials.credentials)
        if caller.needs_second_factor and not self._first_factor:
            raise _second_factor_missing()
        context = request_context()
        if context is not None:  # pragma: no branch - an app without our middleware
            context.user_id, context.route = str(caller.user_id), route_template(request.scope)
        return caller


def _second_factor_missing() -> ApiError:
    """Return a 401 with the challenge of RFC 9470."""
    error = unauthenticated("Verify your second factor to continue.")
    error.headers["WWW-Authenticate"] = 'Bearer error="insufficient_user_authentication", acr_values="aal2"'
    return error


CurrentUser = Annotated[Caller, Security(_AccessToken())]
FirstFactorUser = Annotated[Caller, Security(_AccessToken(first_factor=True))]
"""For routes that end a session."""


async def user_in_path(
    caller: CurrentUser,
    user_id: Annotated[
        str,
        Path(
            description="The id of a user, or `me` for yourself.",
            json_schema_extra={"anyOf": [{"const": "me"}, {"format": "uuid"}]},
        ),
    ],
) -> UUID:
    """Return the user id in the path.

    Raises:
        ApiError: VALIDATION_ERROR, neither ``me`` nor a UUID.
    """
    if user_id == "me":
        return caller.user_id
    try:
        return UUID(user_id)
    except ValueError as error:
        raise invalid("user_id must be a UUID or `me`.", "path.user_id") from error


UserInPath = Annotated[UUID, Depends(user_in_path)]


def refuse_other_user(user_id: UUID, body: RequestBody | None) -> None:
    """Accept the user id that old clients repeat in the body only if it is the caller's own.

    Raises:
        ApiError: AUTHORIZATION_ERROR, it is another user's.
    """
    if body is not None and speaks_for_another(user_id, body.user_id, body.created_by):
        raise forbidden("You can only act as yourself. Leave out the user id, or send your own.")


def speaks_for_another(user_id: UUID, *named: Any) -> bool:
    """Return whether one of the ids in a body is not the caller's; omitted ones are `None`."""
    # Phones send UUIDs in upper case.
    return any(name is not None and str(name).lower() != str(user_id) for name in named)
