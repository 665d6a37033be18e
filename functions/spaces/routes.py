"""HTTP routes of the spaces domain."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from spaces import service
from spaces.models import (
    Activity,
    CreateSpace,
    JoinByCode,
    JoinSpace,
    Member,
    Membership,
    OwnMembership,
    OwnSpace,
    Removed,
    RenewedCode,
    RoleChange,
    Space,
    SpaceChanges,
    SpaceDeleted,
)
from studysync.auth.dependencies import CurrentUser, UserInPath
from studysync.fields import RequestBody, SearchText
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router

router = create_router("spaces", prefix="/api/spaces")


@router.post("/create", status_code=201)
async def create(write: Write, body: CreateSpace) -> Success[Space]:
    """Create a space. You become its owner."""
    return Success(data=await service.create(write, body))


@router.get("")
async def search(
    caller: CurrentUser,
    query: Annotated[
        SearchText | None,
        Query(
            description="Part of a name. Without three letters or digits in a row, it matches the beginning only. "
            "A page may contain fewer than `limit` spaces and still have a `next_cursor`."
        ),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Space]:
    """Search public spaces."""
    return await service.search(caller, query, limit, cursor)


@router.get("/mine")
async def mine(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[OwnSpace]:
    """List the spaces that you belong to."""
    return await service.own(caller, limit, cursor)


@router.post("/join")
async def join_by_code(write: Write, body: JoinByCode) -> Success[Membership]:
    """Join the space that has this invite code."""
    return Success(data=await service.join(write, body))


@router.get("/{space_id}")
async def get_space(caller: CurrentUser, space_id: UUID) -> Success[Space]:
    """Get a space."""
    return Success(data=await service.get(caller, space_id))


@router.patch("/{space_id}")
async def change_space(write: Write, space_id: UUID, body: SpaceChanges) -> Success[Space]:
    """Update a space. Fields that you leave out keep their values."""
    return Success(data=await write.run("update_space", Space, body, space_id=str(space_id)))


@router.delete("/{space_id}")
async def delete_space(write: Write, space_id: UUID, body: RequestBody | None = None) -> Success[SpaceDeleted]:
    """Delete a space. Sessions studied in it are kept."""
    return Success(data=await write.run_once("delete_space", SpaceDeleted, body, space_id=str(space_id)))


@router.post("/{space_id}/join")
async def join(write: Write, space_id: UUID, body: JoinSpace | None = None) -> Success[Membership]:
    """Join a space. Joining again returns the same answer."""
    return Success(data=await service.join(write, body, space_id))


@router.post("/{space_id}/leave")
async def leave(write: Write, space_id: UUID, body: RequestBody | None = None) -> Success[OwnMembership]:
    """Leave a space. An owner with other members must transfer it first."""
    return Success(data=await write.run_once("leave_space", OwnMembership, body, space_id=str(space_id)))


@router.get("/{space_id}/members")
async def members(caller: CurrentUser, space_id: UUID) -> Success[list[Member]]:
    """List the members, and who is studying now."""
    return await service.members(caller, space_id)


@router.get("/{space_id}/membership")
async def membership(caller: CurrentUser, space_id: UUID) -> Success[OwnMembership]:
    """Get your membership of a space."""
    return Success(data=await service.membership(caller, space_id))


@router.post("/{space_id}/invite-code")
async def renew_invite_code(write: Write, space_id: UUID, body: RequestBody | None = None) -> Success[RenewedCode]:
    """Replace the invite code. The old one stops working."""
    return Success(data=await service.renew_invite_code(write, body, space_id))


@router.patch("/{space_id}/members/{user_id}")
async def change_role(write: Write, space_id: UUID, user_id: UserInPath, body: RoleChange) -> Success[Membership]:
    """Change a member's role. `owner` transfers the space to them."""
    return Success(data=await service.change_role(write, body, space_id, user_id))


@router.delete("/{space_id}/members/{user_id}")
async def remove_member(
    write: Write, space_id: UUID, user_id: UserInPath, ban: bool = False, body: RequestBody | None = None
) -> Success[Removed]:
    """Remove a member. With `ban`, they cannot rejoin, and the invite code is replaced."""
    return Success(data=await service.remove_member(write, body, space_id, user_id, ban=ban))


@router.get("/{space_id}/activity")
async def activity(
    caller: CurrentUser, space_id: UUID, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Activity]:
    """List what happened in a space, newest first."""
    return await service.activity(caller, space_id, limit, cursor)
