"""HTTP in and out of the spaces domain."""

from __future__ import annotations

from typing import Annotated, Any
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
from spaces.service import new_invite_code
from studysync.auth.dependencies import CurrentUser, UserInPath
from studysync.fields import RequestBody, SearchText
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router

router = create_router("spaces", prefix="/api/spaces")


@router.post("/create", status_code=201, response_model=Success[Space])
async def create(write: Write, body: CreateSpace) -> Any:
    """Make a space and become its owner."""
    return {"data": await service.create(write, body)}


@router.get("", response_model=Page[Space])
async def search(
    caller: CurrentUser,
    query: Annotated[
        SearchText | None,
        Query(
            description="Part of a name; its beginning where there are not three letters or digits in a row. "
            "A page may hold fewer than `limit` and still have a `next_cursor`."
        ),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Any:
    """Find public spaces."""
    return await service.search(caller, query, limit, cursor)


@router.get("/mine", response_model=Page[OwnSpace])
async def mine(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Any:
    """List the spaces that the caller belongs to."""
    return await service.own(caller, limit, cursor)


@router.post("/join", response_model=Success[Membership])
async def join_by_code(write: Write, body: JoinByCode) -> Any:
    """Join the space that has this code."""
    return {"data": await service.join(write, body)}


@router.get("/{space_id}", response_model=Success[Space])
async def get_space(caller: CurrentUser, space_id: UUID) -> Any:
    """Read a space."""
    return {"data": await service.read("get_space", caller, space_id)}


@router.patch("/{space_id}", response_model=Success[Space])
async def change_space(write: Write, space_id: UUID, body: SpaceChanges) -> Any:
    """Change a space; what is absent stays."""
    return {"data": await write.run("update_space", body, space_id=str(space_id))}


@router.delete("/{space_id}", response_model=Success[SpaceDeleted])
async def delete_space(write: Write, space_id: UUID, body: RequestBody | None = None) -> Any:
    """Delete a space; the sessions that were studied in it stay."""
    return {"data": await write.run_once("delete_space", body, space_id=str(space_id))}


@router.post("/{space_id}/join", response_model=Success[Membership])
async def join(write: Write, space_id: UUID, body: JoinSpace | None = None) -> Any:
    """Join a space; joining again is the same answer."""
    return {"data": await service.join(write, body, space_id)}


@router.post("/{space_id}/leave", response_model=Success[OwnMembership])
async def leave(write: Write, space_id: UUID, body: RequestBody | None = None) -> Any:
    """Leave a space; an owner must hand it over first, unless alone."""
    return {"data": await write.run_once("leave_space", body, space_id=str(space_id))}


@router.get("/{space_id}/members", response_model=Success[list[Member]])
async def members(caller: CurrentUser, space_id: UUID) -> Any:
    """List the members and who is studying now."""
    return {"data": await service.read("get_space_members", caller, space_id)}


@router.get("/{space_id}/membership", response_model=Success[OwnMembership])
async def membership(caller: CurrentUser, space_id: UUID) -> Any:
    """Tell whether the caller belongs to a space."""
    return {"data": await service.read("get_membership", caller, space_id)}


@router.post("/{space_id}/invite-code", response_model=Success[RenewedCode])
async def renew_invite_code(write: Write, space_id: UUID, body: RequestBody | None = None) -> Any:
    """Make a new invite code; the old one is dead."""
    renewed = await write.run_once("renew_invite_code", body, space_id=str(space_id), invite_code=new_invite_code())
    return {"data": renewed}


@router.patch("/{space_id}/members/{user_id}", response_model=Success[Membership])
async def change_role(write: Write, space_id: UUID, user_id: UserInPath, body: RoleChange) -> Any:
    """Change a member's role; `owner` hands the space over."""
    changed = await write.run_once("change_member_role", body, space_id=str(space_id), member_id=str(user_id))
    return {"data": changed}


@router.delete("/{space_id}/members/{user_id}", response_model=Success[Removed])
async def remove_member(
    write: Write, space_id: UUID, user_id: UserInPath, ban: bool = False, body: RequestBody | None = None
) -> Any:
    """Remove a member, or with `ban` keep them out as well, which renews the invite code."""
    return {"data": await service.remove_member(write, body, space_id, user_id, ban=ban)}


@router.get("/{space_id}/activity", response_model=Page[Activity])
async def activity(caller: CurrentUser, space_id: UUID, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Any:
    """Read what happened in a space, newest first."""
    return await service.activity(caller, space_id, limit, cursor)
