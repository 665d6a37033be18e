"""Creates and joins spaces through the API."""

from __future__ import annotations

from typing import Any

from testing.client import Student


def create(owner: Student, **changes: Any) -> dict[str, Any]:
    """Create a public space, with `changes` to the body, and return it."""
    body = {"name": "Night owls 🦉", "visibility": "public", **changes}
    response = owner.post("/api/spaces/create", body)
    assert response.status_code == 201, response.text
    space: dict[str, Any] = response.json()["data"]
    return space


def join(student: Student, space: dict[str, Any], code: bool = False) -> Any:
    """Join a space, with its invite code if `code` is True, and return the response."""
    body = {"invite_code": space["invite_code"]} if code else None
    return student.post(f"/api/spaces/{space['space_id']}/join", body)


def members(student: Student, space: dict[str, Any]) -> dict[str, str]:
    """Return the role of every member, by user id."""
    response = student.get(f"/api/spaces/{space['space_id']}/members")
    assert response.status_code == 200, response.text
    return {member["user_id"]: member["role"] for member in response.json()["data"]}
