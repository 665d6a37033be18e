"""Requests and responses of the spaces domain (docs/contract.md: "Spaces")."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from studysync.fields import UNCHANGED, DisplayText, Integer, MultilineText, RequestBody, UtcDatetime

Role = Literal["member", "moderator", "owner"]
Visibility = Literal["public", "private"]
SpaceName = Annotated[DisplayText, StringConstraints(min_length=1, max_length=80)]
Description = Annotated[MultilineText, StringConstraints(max_length=1000)]
Capacity = Annotated[Integer, Field(ge=2, le=500)]
InviteCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,40}$")]


class CreateSpace(RequestBody):
    """A new space. The caller becomes its owner."""

    name: SpaceName
    description: Description | None = None
    visibility: Visibility
    capacity: Capacity = 50


class JoinSpace(RequestBody):
    """Joins a space by id. A private space requires its invite code."""

    invite_code: InviteCode | None = None


class JoinByCode(RequestBody):
    """Joins a space by invite code alone."""

    invite_code: InviteCode


class SpaceChanges(RequestBody):
    """The fields to change. Omitted fields keep their values."""

    name: SpaceName = UNCHANGED
    description: Description | None = None
    visibility: Visibility = UNCHANGED
    capacity: Capacity = UNCHANGED


class RoleChange(RequestBody):
    """A member's new role. `owner` transfers the space to them."""

    role: Role


class Space(BaseModel):
    """A space as the caller sees it."""

    space_id: UUID
    name: str
    description: str | None
    visibility: Visibility
    capacity: int
    member_count: int
    created_at: UtcDatetime
    owner_id: UUID
    is_member: bool
    role: Role | None = Field(description="The caller's role; null for non-members.")
    invite_code: str | None = Field(description="Visible to the owner and moderators; null for others.")


class OwnSpace(Space):
    """A space that the caller is a member of."""

    joined_at: UtcDatetime


class Membership(BaseModel):
    """A user's membership of a space."""

    space_id: UUID
    user_id: UUID
    is_member: Literal[True]
    role: Role
    joined_at: UtcDatetime


class OwnMembership(BaseModel):
    """Whether the caller is a member of a space."""

    space_id: UUID
    is_member: bool
    role: Role | None


class Removed(BaseModel):
    """A user who is no longer a member of the space."""

    space_id: UUID
    user_id: UUID
    is_member: Literal[False]
    banned: bool


class Member(BaseModel):
    """A member of a space."""

    user_id: UUID
    username: str
    role: Role
    joined_at: UtcDatetime
    xp: int
    is_studying: bool = Field(description="Whether the member has an active session.")


class Activity(BaseModel):
    """An event in a space."""

    activity_id: int
    activity_type: Literal["joined", "left", "session_started", "session_completed", "badge_earned"]
    user_id: UUID
    username: str
    details: dict[str, Any]
    occurred_at: UtcDatetime


class RenewedCode(BaseModel):
    """The new invite code. The old one no longer works."""

    space_id: UUID
    invite_code: str


class SpaceDeleted(BaseModel):
    """Confirms that the space was deleted."""

    space_id: UUID
    deleted: Literal[True]
