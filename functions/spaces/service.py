"""Spaces and their members. The database decides under its locks who may do what."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from resilience import RateLimiter
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
)
from studysync.auth.tokens import Caller
from studysync.db.client import database
from studysync.errors import NOT_FOUND, ApiError
from studysync.fields import RequestBody, Timestamp
from studysync.settings import get_settings
from studysync.web.idempotency import WriteRequest
from studysync.web.pagination import DEFERRED, BigCount, decode_cursor, page, page_up_to
from studysync.web.rate_limits import Allowance, Attempt, by_network
from studysync.web.responses import Page, Success

# Crockford's base 32: no characters that are confused when read aloud. 14 characters are 70 bits.
_CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH = 14
# Codes are too long to guess; this limit discourages trying. Only wrong codes count.
_codes_tried = RateLimiter(per_minute=20, per_hour=100, name="invite-codes", block=1)
_POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[Timestamp, UUID], config=DEFERRED)
_FEED_POSITION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[BigCount], config=DEFERRED)


def new_invite_code() -> str:
    """Return a code that cannot be guessed."""
    return "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))


def normal_invite_code(code: str) -> str:
    """Return `code` as it is stored: people type lower-case letters and dashes."""
    return code.upper().replace("-", "")


async def create(write: WriteRequest, body: CreateSpace) -> Space:
    """Create a space. The id is chosen here, so that our own retry does not create a second one."""
    return await write.run("create_space", Space, body, space_id=str(uuid4()), invite_code=new_invite_code())


async def join(write: WriteRequest, body: JoinSpace | JoinByCode | None, space_id: UUID | None = None) -> Membership:
    """Join a space by its id, its code, or both.

    Raises:
        ApiError: RATE_LIMIT_EXCEEDED, the caller or their network has tried too many wrong codes.
    """
    arguments = {} if space_id is None else {"space_id": str(space_id)}
    if body is None or body.invite_code is None:
        return await write.run_once("join_space", Membership, body, **arguments)
    attempt = _code_attempt(write.caller)
    await attempt.count()
    try:
        code = normal_invite_code(body.invite_code)
        joined = await write.run_once("join_space", Membership, body, **arguments, invite_code=code)
    except ApiError as error:
        if error.kind is not NOT_FOUND:  # the code was right, but the space is full or has banned the caller
            attempt.forget()
        raise
    attempt.forget()
    return joined


def _code_attempt(caller: Caller) -> Attempt:
    settings = get_settings()
    return Attempt(
        "invite_codes_guessed",
        "Too many wrong invite codes. Try again later.",
        Allowance(_codes_tried, str(caller.user_id)),
        by_network(_codes_tried, settings.failed_codes_per_minute, settings.failed_codes_per_hour),
    )


async def renew_invite_code(write: WriteRequest, body: RequestBody | None, space_id: UUID) -> RenewedCode:
    """Replace the invite code of a space."""
    code = new_invite_code()
    return await write.run_once("renew_invite_code", RenewedCode, body, space_id=str(space_id), invite_code=code)


async def change_role(write: WriteRequest, body: RoleChange, space_id: UUID, member_id: UUID) -> Membership:
    """Change a member's role; `owner` transfers the space."""
    place = {"space_id": str(space_id), "member_id": str(member_id)}
    return await write.run_once("change_member_role", Membership, body, **place)


async def remove_member(
    write: WriteRequest, body: RequestBody | None, space_id: UUID, member_id: UUID, *, ban: bool
) -> Removed:
    """Remove a member. With `ban` the space gets a new invite code, since they know the old one."""
    code = {"invite_code": new_invite_code()} if ban else {}
    return await write.run_once(
        "remove_member", Removed, body, space_id=str(space_id), member_id=str(member_id), ban=ban, **code
    )


async def search(caller: Caller, query: str | None, limit: int, cursor: str | None) -> Page[Space]:
    """Return a page of public spaces, newest first. It may have fewer than `limit` rows before the last page."""
    found = await database().call(
        "search_spaces", p_user_id=str(caller.user_id), p_query=query or None, p_limit=limit, **_after(cursor)
    )
    return page_up_to(Page[Space], found["spaces"], found["next"])


async def own(caller: Caller, limit: int, cursor: str | None) -> Page[OwnSpace]:
    """Return a page of the caller's spaces, most recently joined first."""
    rows = await database().call("get_own_spaces", p_user_id=str(caller.user_id), p_limit=limit, **_after(cursor))
    return page(Page[OwnSpace], rows, limit, lambda row: [row["joined_at"], row["space_id"]])


async def activity(caller: Caller, space_id: UUID, limit: int, cursor: str | None) -> Page[Activity]:
    """Return a page of a space's feed, newest first."""
    before = decode_cursor(cursor, _FEED_POSITION)
    rows = await _read("get_space_activity", caller, space_id, p_limit=limit, p_before=before[0] if before else None)
    return page(Page[Activity], rows, limit, lambda row: [row["activity_id"]])


async def get(caller: Caller, space_id: UUID) -> Space:
    """Return a space as the caller sees it."""
    return Space.model_validate(await _read("get_space", caller, space_id))


async def members(caller: Caller, space_id: UUID) -> Success[list[Member]]:
    """Return the members of a space."""
    return Success[list[Member]].model_validate({"data": await _read("get_space_members", caller, space_id)})


async def membership(caller: Caller, space_id: UUID) -> OwnMembership:
    """Return whether the caller is a member of a space."""
    return OwnMembership.model_validate(await _read("get_membership", caller, space_id))


async def _read(function: str, caller: Caller, space_id: UUID, **arguments: int | None) -> Any:
    return await database().call(function, p_user_id=str(caller.user_id), p_space_id=str(space_id), **arguments)


def _after(cursor: str | None) -> dict[str, str]:
    after = decode_cursor(cursor, _POSITION)
    return {} if after is None else {"p_after_at": after[0].isoformat(), "p_after_id": str(after[1])}
