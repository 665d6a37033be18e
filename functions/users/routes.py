"""HTTP routes of the users domain."""

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
            description="Beginning of a user name or display name; with three letters or digits in a row, any part "
            "of one. A page may contain fewer than `limit` users and still have a `next_cursor`."
        ),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PublicProfile]:
    """Find users by name."""
    return await service.search(query, limit, cursor)


@router.get("/api/users/me/audit")
async def audit_trail(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[AuditEntry]:
    """List your audit trail of the last 30 days, newest first: what you did, and what others did to your data."""
    return await service.audit_trail(caller, limit, cursor)


@conditional_get(router, "/api/users/me")
async def get_own_profile(caller: CurrentUser) -> Success[OwnProfile]:
    """Get your profile."""
    return Success(data=await service.own_profile(caller))


@conditional_get(router, "/api/users/{user_id}")
async def get_user(caller: CurrentUser, user_id: UserInPath) -> Success[OwnProfile | PublicProfile]:
    """Get a profile: your own in full, or the public part of another user's."""
    return Success(data=await service.profile(caller, user_id))


@router.patch("/api/users/me")
async def change_profile(write: Write, body: ProfileChanges) -> Success[OwnProfile]:
    """Update your profile. Fields that you leave out keep their values."""
    return Success(data=await write.run("update_profile", OwnProfile, body))
