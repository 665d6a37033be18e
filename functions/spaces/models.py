"""Requests and answers of the spaces domain (docs/contract.md: "Spaces")."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from studysync.fields import UNCHANGED, DisplayText, RequestBody

Role = Literal["member", "moderator", "owner"]
Visibility = Literal["public", "private"]
SpaceName = Annotated[DisplayText, StringConstraints(min_length=1, max_length=80)]
Description = Annotated[DisplayText, StringConstraints(max_length=1000)]
Capacity = Annotated[int, Field(ge=2, le=500)]
InviteCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,40}$")]


class CreateSpace(RequestBody):
    """A new space; the caller becomes its owner."""

    name: SpaceName
    description: Description | None = None
    visibility: Visibility
    capacity: Capacity = 50


class JoinSpace(RequestBody):
    """Joining by id; a private space asks for its code."""

    invite_code: InviteCode | None = None


class JoinByCode(RequestBody):
    """Joining by code alone."""

    invite_code: InviteCode


class SpaceChanges(RequestBody):
    """What to change of a space; what is absent stays."""

    name: SpaceName = UNCHANGED
    description: Description | None = None
    visibility: Visibility = UNCHANGED
    capacity: Capacity = UNCHANGED


class RoleChange(RequestBody):
    """A member's new role; `owner` hands the space over."""

    role: Role


class Space(BaseModel):
    """A space as the caller sees it."""

    space_id: UUID
    name: str
    description: str | None
    visibility: Visibility
    capacity: int
    member_count: int
    created_at: datetime
    owner_id: UUID
    is_member: bool
    role: Role | None = Field(description="The caller's; null for outsiders.")
    invite_code: str | None = Field(description="For owner and moderators; null for others.")


class OwnSpace(Space):
    """A space that the caller belongs to."""

    joined_at: datetime


class Membership(BaseModel):
    """Somebody's place in a space."""

    space_id: UUID
    user_id: UUID
    is_member: Literal[True]
    role: Role
    joined_at: datetime


class OwnMembership(BaseModel):
    """Whether the caller belongs to a space."""

    space_id: UUID
    is_member: bool
    role: Role | None


class Removed(BaseModel):
    """Somebody who does not belong to the space any more."""

    space_id: UUID
    user_id: UUID
    is_member: Literal[False]
    banned: bool


class Member(BaseModel):
    """A member of a space."""

    user_id: UUID
    username: str
    role: Role
    joined_at: datetime
    xp: int
    is_studying: bool = Field(description="A session of theirs runs.")


class Activity(BaseModel):
    """Something that happened in a space."""

    activity_id: int
    activity_type: Literal["joined", "left", "session_started", "session_completed", "badge_earned"]
    user_id: UUID
    username: str
    details: dict[str, Any]
    occurred_at: datetime


class RenewedCode(BaseModel):
    """A new code; the old one is dead."""

    space_id: UUID
    invite_code: str


class SpaceDeleted(BaseModel):
    """The space is gone."""

    space_id: UUID
    deleted: Literal[True]
