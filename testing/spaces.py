"""Spaces as clients make and join them."""

from __future__ import annotations

from typing import Any

from testing.client import Student


def create(owner: Student, **changes: Any) -> dict[str, Any]:
    """Make a public space, with `changes`."""
    body = {"name": "Night owls 🦉", "visibility": "public", **changes}
    response = owner.post("/api/spaces/create", body)
    assert response.status_code == 201, response.text
    space: dict[str, Any] = response.json()["data"]
    return space


def join(student: Student, space: dict[str, Any], code: bool = False) -> Any:
    """Join a space, with its code if need be; returns the response."""
    body = {"invite_code": space["invite_code"]} if code else None
    return student.post(f"/api/spaces/{space['space_id']}/join", body)


def members(student: Student, space: dict[str, Any]) -> dict[str, str]:
    """The role of every member."""
    response = student.get(f"/api/spaces/{space['space_id']}/members")
    assert response.status_code == 200, response.text
    return {member["user_id"]: member["role"] for member in response.json()["data"]}
