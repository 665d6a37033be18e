"""What happens in spaces; who may do what is decided in the database, under its locks."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from resilience import RateLimiter
from spaces.models import CreateSpace, JoinByCode, JoinSpace
from studysync.auth.tokens import Caller
from studysync.db.client import database
from studysync.errors import NOT_FOUND, ApiError
from studysync.fields import RequestBody, Timestamp
from studysync.settings import get_settings
from studysync.web.idempotency import WriteRequest
from studysync.web.pagination import DEFERRED, BigCount, decode_cursor, encode_cursor, page
from studysync.web.rate_limits import Allowance, Attempt, by_network

# Crockford's base 32: nothing that is mistaken for something else when read aloud. 14 characters are 70 bits.
_CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH = 14
# Codes are too long to guess; this keeps people from trying. Only wrong ones count.
_codes_tried = RateLimiter(per_minute=20, per_hour=100, name="invite-codes")
_POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[Timestamp, UUID], config=DEFERRED)
_FEED_POSITION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[BigCount], config=DEFERRED)


def new_invite_code() -> str:
    """Return a code that nobody guesses."""
    return "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))


def normal_invite_code(code: str) -> str:
    """Return `code` as it is kept: people type small letters and dashes."""
    return code.upper().replace("-", "")


async def create(write: WriteRequest, body: CreateSpace) -> dict[str, Any]:
    """Make a space. Its id is chosen here, so that a retry of ours makes no second one."""
    space: dict[str, Any] = await write.run("create_space", body, space_id=str(uuid4()), invite_code=new_invite_code())
    return space


async def join(
    write: WriteRequest, body: JoinSpace | JoinByCode | None, space_id: UUID | None = None
) -> dict[str, Any]:
    """Join a space by its id, its code, or both.

    Raises:
        ApiError: RATE_LIMIT_EXCEEDED, the caller, or their network, has tried too many wrong codes.
    """
    arguments = {} if space_id is None else {"space_id": str(space_id)}
    joined: dict[str, Any]
    if body is None or body.invite_code is None:
        joined = await write.run_once("join_space", body, **arguments)
        return joined
    attempt = _code_attempt(write.caller)
    await attempt.count()
    try:
        code = normal_invite_code(body.invite_code)
        joined = await write.run_once("join_space", body, **arguments, invite_code=code)
    except ApiError as error:
        if error.kind is not NOT_FOUND:  # a full space, and one that the caller is banned from, has this code
            attempt.forget()
        raise
    attempt.forget()
    return joined


def _code_attempt(caller: Caller) -> Attempt:
    settings = get_settings()
    return Attempt(
        "invite_codes_guessed",
        "Too many invite codes tried.",
        Allowance(_codes_tried, str(caller.user_id)),
        by_network(_codes_tried, settings.failed_codes_per_minute, settings.failed_codes_per_hour),
    )


async def remove_member(
    write: WriteRequest, body: RequestBody | None, space_id: UUID, member_id: UUID, *, ban: bool
) -> dict[str, Any]:
    """Remove a member; with `ban` the space gets a new invite code, since they know the old one."""
    code = {"invite_code": new_invite_code()} if ban else {}
    removed: dict[str, Any] = await write.run_once(
        "remove_member", body, space_id=str(space_id), member_id=str(member_id), ban=ban, **code
    )
    return removed


async def search(caller: Caller, query: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of public spaces, newest first; it may hold fewer than there are, and its cursor goes on."""
    found = await database().call(
        "search_spaces", p_user_id=str(caller.user_id), p_query=query or None, p_limit=limit, **_after(cursor)
    )
    return {
        "success": True,
        "data": found["spaces"],
        "next_cursor": encode_cursor(found["next"]) if found["next"] else None,
    }


async def own(caller: Caller, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of the caller's spaces, the last joined first."""
    rows = await database().call("get_own_spaces", p_user_id=str(caller.user_id), p_limit=limit, **_after(cursor))
    return page(rows, limit, lambda row: [row["joined_at"], row["space_id"]])


async def activity(caller: Caller, space_id: UUID, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of a space's feed, newest first."""
    before = decode_cursor(cursor, _FEED_POSITION)
    rows = await database().call(
        "get_space_activity",
        p_user_id=str(caller.user_id),
        p_space_id=str(space_id),
        p_limit=limit,
        p_before=before[0] if before else None,
    )
    return page(rows, limit, lambda row: [row["activity_id"]])


async def read(function: str, caller: Caller, space_id: UUID) -> Any:
    """Return what `function` reads of a space for the caller."""
    return await database().call(function, p_user_id=str(caller.user_id), p_space_id=str(space_id))


def _after(cursor: str | None) -> dict[str, str]:
    after = decode_cursor(cursor, _POSITION)
    return {} if after is None else {"p_after_at": after[0].isoformat(), "p_after_id": str(after[1])}
