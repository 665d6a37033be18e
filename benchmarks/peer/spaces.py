"""The peer's routes for spaces."""

from typing import Literal
from uuid import UUID, uuid4

from peer.common import Answer, Body, User, call, create_app, create_handler, write
from pydantic import Field

app = create_app("Spaces")


class CreateSpace(Body):
    """A request to create a space."""

    name: str = Field(min_length=1, max_length=80)
    description: str | None = Field(default=None, max_length=1000)
    visibility: Literal["public", "private"]
    capacity: int = Field(default=50, ge=2, le=500)


class Join(Body):
    """A request to join a space, with an invite code if needed."""

    invite_code: str | None = Field(default=None, pattern=r"^[0-9A-Za-z-]{1,40}$")


class SpaceChanges(Body):
    """Changes to a space."""

    name: str | None = Field(default=None, min_length=1, max_length=80)
    description: str | None = Field(default=None, max_length=1000)
    visibility: Literal["public", "private"] | None = None
    capacity: int | None = Field(default=None, ge=2, le=500)


class RoleChange(Body):
    """A member's new role."""

    role: Literal["member", "moderator", "owner"]


@app.post("/api/spaces/create", status_code=201)
def create(user: User, body: CreateSpace) -> Answer:
    """Create a space."""
    return write("create_space", user, body, space_id=str(uuid4()), invite_code=uuid4().hex[:8])


@app.get("/api/spaces")
def search(user: User, query: str | None = None, limit: int = 50) -> Answer:
    """Search for public spaces."""
    return Answer(data=call("search_spaces", p_user_id=user, p_query=query, p_limit=limit))


@app.get("/api/spaces/mine")
def mine(user: User, limit: int = 50) -> Answer:
    """List the caller's spaces."""
    return Answer(data=call("get_own_spaces", p_user_id=user, p_limit=limit))


@app.post("/api/spaces/join")
def join_by_code(user: User, body: Join) -> Answer:
    """Join a space by its invite code."""
    return write("join_space", user, body)


@app.get("/api/spaces/{space_id}")
def get_space(user: User, space_id: UUID) -> Answer:
    """Read a space."""
    return Answer(data=call("get_space", p_user_id=user, p_space_id=str(space_id)))


@app.patch("/api/spaces/{space_id}")
def change(user: User, space_id: UUID, body: SpaceChanges) -> Answer:
    """Change a space."""
    return write("update_space", user, body, space_id=str(space_id))


@app.delete("/api/spaces/{space_id}")
def delete(user: User, space_id: UUID) -> Answer:
    """Delete a space."""
    return write("delete_space", user, space_id=str(space_id))


@app.post("/api/spaces/{space_id}/join")
def join(user: User, space_id: UUID, body: Join | None = None) -> Answer:
    """Join a space by its id."""
    return write("join_space", user, body, space_id=str(space_id))


@app.post("/api/spaces/{space_id}/leave")
def leave(user: User, space_id: UUID) -> Answer:
    """Leave a space."""
    return write("leave_space", user, space_id=str(space_id))


@app.get("/api/spaces/{space_id}/members")
def members(user: User, space_id: UUID) -> Answer:
    """List a space's members."""
    return Answer(data=call("get_space_members", p_user_id=user, p_space_id=str(space_id)))


@app.get("/api/spaces/{space_id}/membership")
def membership(user: User, space_id: UUID) -> Answer:
    """Read the caller's membership."""
    return Answer(data=call("get_membership", p_user_id=user, p_space_id=str(space_id)))


@app.post("/api/spaces/{space_id}/invite-code")
def renew(user: User, space_id: UUID) -> Answer:
    """Renew the invite code."""
    return write("renew_invite_code", user, space_id=str(space_id), invite_code=uuid4().hex[:8])


@app.patch("/api/spaces/{space_id}/members/{user_id}")
def change_role(user: User, space_id: UUID, user_id: UUID, body: RoleChange) -> Answer:
    """Change a member's role."""
    return write("change_member_role", user, body, space_id=str(space_id), member_id=str(user_id))


@app.delete("/api/spaces/{space_id}/members/{user_id}")
def remove(user: User, space_id: UUID, user_id: UUID, *, ban: bool = False) -> Answer:
    """Remove a member."""
    return write("remove_member", user, space_id=str(space_id), member_id=str(user_id), ban=ban)


@app.get("/api/spaces/{space_id}/activity")
def activity(user: User, space_id: UUID, limit: int = 50) -> Answer:
    """Read a space's activity feed."""
    return Answer(data=call("get_space_activity", p_user_id=user, p_space_id=str(space_id), p_limit=limit))


handler = create_handler(app)
