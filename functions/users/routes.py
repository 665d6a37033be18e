"""HTTP in and out of the users domain."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from studysync.auth.dependencies import CurrentUser, UserInPath
from studysync.fields import SearchText
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


@router.get("/api/users", response_model=Page[PublicProfile])
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
) -> Any:
    """Find users by name."""
    return await service.search(query, limit, cursor)


@router.get("/api/users/me/audit", response_model=Page[AuditEntry])
async def audit_trail(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Any:
    """List what was done by the caller and to what is theirs, newest first; kept for 30 days."""
    return await service.audit_trail(caller, limit, cursor)


@router.get("/api/users/me", response_model=Success[OwnProfile])
async def get_own_profile(caller: CurrentUser) -> Any:
    """Read the own profile."""
    return {"data": await service.own_profile(caller)}


@router.get("/api/users/{user_id}", response_model=Success[OwnProfile | PublicProfile])
async def get_user(caller: CurrentUser, user_id: UserInPath) -> Any:
    """Read a profile: the own one whole, others' public part."""
    return {"data": await service.profile(caller, user_id)}


@router.patch("/api/users/me", response_model=Success[OwnProfile])
async def change_profile(write: Write, body: ProfileChanges) -> Any:
    """Change the own profile; what is absent stays."""
    return {"data": await write.run("update_profile", body)}
