"""Profiles: reading, searching, and their audit trail."""

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
from studysync.web.pagination import DEFERRED, BigCount, Count, decode_cursor, page_up_to
from studysync.web.responses import Page
from users.models import AuditEntry, OwnProfile, PublicProfile

_POSITION: TypeAdapter[tuple[int, str]] = TypeAdapter(
    tuple[Annotated[int, Field(ge=0, le=2)], Annotated[str, Field(pattern=r"^[a-z0-9_]{0,30}$")]], config=DEFERRED
)
# The last entry of each of the two lists that are merged into a trail; null if none was returned yet.
_ENTRY: TypeAdapter[tuple[int | None, datetime | None, int | None, UUID | None]] = TypeAdapter(
    tuple[BigCount | None, Timestamp | None, Count | None, UUID | None], config=DEFERRED
)


async def audit_trail(caller: Caller, limit: int, cursor: str | None) -> Page[AuditEntry]:
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
    return page_up_to(Page[AuditEntry], found["entries"], found["next"])


async def profile(caller: Caller, user_id: UUID) -> OwnProfile | PublicProfile:
    """Return the profile of `user_id`: in full to the user, the public part to others."""
    if user_id == caller.user_id:
        return await own_profile(caller)
    found = await _get_profile(caller, user_id)
    audit_logger.log_access_by(caller.user_id, "profile", user_id)
    return PublicProfile.model_validate(found)


async def own_profile(caller: Caller) -> OwnProfile:
    """Return the caller's own profile.

    Raises:
        ApiError: AUTHENTICATION_ERROR, the account was deleted after the token was issued.
    """
    try:
        return OwnProfile.model_validate(await _get_profile(caller, caller.user_id))
    except ApiError as error:
        if error.kind is NOT_FOUND:
            raise unauthenticated("This account no longer exists.") from error
        raise


async def _get_profile(caller: Caller, user_id: UUID) -> Any:
    return await database().call("get_profile", p_caller_id=str(caller.user_id), p_user_id=str(user_id))


async def search(query: str | None, limit: int, cursor: str | None) -> Page[PublicProfile]:
    """Return a page of public profiles whose user name or display name contains `query`.

    The database reads a bounded number of names per call, so a page may have fewer than `limit` rows before the last
    one.
    """
    step, name = decode_cursor(cursor, _POSITION) or (0, "")
    query = one_spelling(query) if query else None
    found = await database().call("search_users", p_query=query, p_limit=limit, p_step=step, p_after=name)
    return page_up_to(Page[PublicProfile], found["users"], found["next"])
