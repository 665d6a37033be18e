"""HTTP in and out of the users domain."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from studysync.auth.dependencies import CurrentUser, UserInPath, refuse_other_user
from studysync.errors import forbidden
from studysync.fields import RequestBody, SearchText
from studysync.web.idempotency import IdempotencyKey, Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router
from users import service
from users.models import (
    AccountDeleted,
    AuditEntry,
    LoggedOut,
    Login,
    OwnProfile,
    ProfileChanges,
    PublicProfile,
    Refresh,
    Registered,
    Registration,
    Tokens,
)

router = create_router("users")


@router.post("/api/auth/register", status_code=201)
async def register(body: Registration, idempotency_key: IdempotencyKey = None) -> Success[Registered]:
    """Make an account and sign in to it."""
    if body.user_id is not None or body.created_by is not None:
        raise forbidden("An account gets its id from the server.")
    return Success(data=await service.register(body, idempotency_key))


@router.post("/api/auth/login")
async def login(body: Login) -> Success[Tokens]:
    """Sign in with address and password."""
    tokens = await service.sign_in(body.email.strip().lower(), body.password.get_secret_value())
    return Success(data=_own(tokens, body))


@router.post("/api/auth/refresh")
async def refresh(body: Refresh) -> Success[Tokens]:
    """Exchange a refresh token for a new session; it works once."""
    return Success(data=_own(await service.refresh(body.refresh_token.get_secret_value()), body))


def _own(tokens: Tokens, body: RequestBody) -> Tokens:
    refuse_other_user(tokens.user_id, body)
    return tokens


@router.post("/api/auth/logout")
async def logout(caller: CurrentUser, body: RequestBody | None = None) -> Success[LoggedOut]:
    """End the session; its refresh token is dead afterwards."""
    refuse_other_user(caller.user_id, body)
    await service.sign_out(caller)
    return Success(data=LoggedOut())


@router.get("/api/users")
async def search_users(
    caller: CurrentUser,  # noqa: ARG001  # only signed-in users may search
    query: Annotated[
        SearchText | None,
        Query(
            description="Beginning of a user name or display name, which come first, or, with three letters or digits "
            "in a row, any part of one. A page may hold fewer than `limit` and still have a `next_cursor`."
        ),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PublicProfile]:
    """Find users by name."""
    return await service.search(query, limit, cursor)


@router.get("/api/users/me/audit")
async def audit_trail(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[AuditEntry]:
    """List what was done by the caller and to what is theirs, newest first; kept for 30 days."""
    return await service.audit_trail(caller, limit, cursor)


@router.get("/api/users/me")
async def get_own_profile(caller: CurrentUser) -> Success[OwnProfile]:
    """Get your profile."""
    return Success(data=await service.own_profile(caller))


@router.get("/api/users/{user_id}")
async def get_user(caller: CurrentUser, user_id: UserInPath) -> Success[OwnProfile | PublicProfile]:
    """Get a profile: all of your own, the public part of anybody else's."""
    return Success(data=await service.profile(caller, user_id))


@router.patch("/api/users/me")
async def change_profile(write: Write, body: ProfileChanges) -> Success[OwnProfile]:
    """Update your profile. Fields that you leave out keep their values."""
    return Success(data=await write.run("update_profile", OwnProfile, body))


@router.delete("/api/users/me")
async def delete_account(write: Write, body: RequestBody | None = None) -> Success[AccountDeleted]:
    """Delete your account and all your personal data."""
    return Success(data=await write.run("delete_account", AccountDeleted, body))
