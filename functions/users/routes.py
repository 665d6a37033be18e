"""HTTP in and out of the users domain."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from studysync.auth.dependencies import CurrentUser, UserInPath
from studysync.fields import SearchText
from studysync.web.conditional import conditional_get
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router
from users import service
from users.models import (
    AuditEntry,
    OwnProfile,
    ProfileChanges,
    PublicProfile,
)

router = create_router("users")


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


@conditional_get(router, "/api/users/me")
async def get_own_profile(caller: CurrentUser) -> Success[OwnProfile]:
    """Get your profile."""
    return Success(data=await service.own_profile(caller))


@conditional_get(router, "/api/users/{user_id}")
async def get_user(caller: CurrentUser, user_id: UserInPath) -> Success[OwnProfile | PublicProfile]:
    """Get a profile: all of your own, the public part of anybody else's."""
    return Success(data=await service.profile(caller, user_id))


@router.patch("/api/users/me")
async def change_profile(write: Write, body: ProfileChanges) -> Success[OwnProfile]:
    """Update your profile. Fields that you leave out keep their values."""
    return Success(data=await write.run("update_profile", OwnProfile, body))
