"""Profiles: read, found by name, and with the trail of what was done to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter

from studysync.auth.tokens import Caller
from studysync.db.client import database
from studysync.display_names import one_spelling
from studysync.errors import (
    NOT_FOUND,
    ApiError,
    unauthenticated,
)
from studysync.fields import Timestamp
from studysync.telemetry.audit import audit_logger
from studysync.web.pagination import DEFERRED, BigCount, Count, decode_cursor, encode_cursor

_POSITION: TypeAdapter[tuple[int, str]] = TypeAdapter(
    tuple[Annotated[int, Field(ge=0, le=2)], Annotated[str, Field(pattern=r"^[a-z0-9_]{0,30}$")]], config=DEFERRED
)
# The last entry of each of the two lists that a trail is woven of; null where it has not begun.
_ENTRY: TypeAdapter[tuple[int | None, datetime | None, int | None, UUID | None]] = TypeAdapter(
    tuple[BigCount | None, Timestamp | None, Count | None, UUID | None], config=DEFERRED
)


async def audit_trail(caller: Caller, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of the caller's own audit trail, newest first."""
    before, at, turn, session_id = decode_cursor(cursor, _ENTRY) or (None, None, None, None)
    found = await database().call(
        "get_audit",
        p_user_id=str(caller.user_id),
        p_limit=limit,
        p_before=before,
        p_at=at.isoformat() if at else None,
        p_turn=turn,
        p_session_id=str(session_id) if session_id else None,
    )
    return _page(found, "entries")


def _page(found: dict[str, Any], rows: str) -> dict[str, Any]:
    """Return the page of what the database found, which says itself where the next one begins."""
    following = found["next"]
    return {"success": True, "data": found[rows], "next_cursor": encode_cursor(following) if following else None}


async def profile(caller: Caller, user_id: UUID) -> dict[str, Any]:
    """Return the profile of `user_id`: all of it to themselves, the public part to others."""
    found: dict[str, Any] = await database().call(
        "get_profile", p_caller_id=str(caller.user_id), p_user_id=str(user_id)
    )
    audit_logger.log_access_by(caller.user_id, "profile", user_id)
    return found


async def own_profile(caller: Caller) -> dict[str, Any]:
    """Return the caller's own profile.

    Raises:
        ApiError: AUTHENTICATION_ERROR, the token has outlived its account.
    """
    try:
        return await profile(caller, caller.user_id)
    except ApiError as error:
        if error.kind is NOT_FOUND:
            raise unauthenticated("This account no longer exists.") from error
        raise


async def search(query: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of public profiles whose user name or display name contains `query`.

    The database reads a bounded number of names a call, so a page may hold fewer than there are; its cursor goes on.
    """
    step, name = decode_cursor(cursor, _POSITION) or (0, "")
    query = one_spelling(query) if query else None
    found = await database().call("search_users", p_query=query, p_limit=limit, p_step=step, p_after=name)
    return _page(found, "users")
