"""Text that cannot be encoded is never a valid password or token, and does not affect other users' sign-ins."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from testing.client import Api, Student, assert_problem
from users.auth_client import breaker

HALF = "\\ud800"  # in JSON: one half of a surrogate pair
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/auth/login", f'{{"email": "nobody@x.yy", "password": "{HALF}"}}', 401, "AUTHENTICATION_ERROR"),
        ("/api/auth/login", f'{{"email": "{HALF}@x.yy", "password": "a"}}', 400, "VALIDATION_ERROR"),
        ("/api/auth/refresh", f'{{"refresh_token": "{HALF}"}}', 401, "AUTHENTICATION_ERROR"),
        (
            "/api/auth/register",
            f'{{"username": "somebody", "email": "s@x.yy", "password": "{HALF}abcdefg1"}}',
            400,
            "VALIDATION_ERROR",
        ),
    ],
)
def test_half_a_character_is_refused(api: Api, student: Student, path: str, body: str, status: int, code: str) -> None:
    """A lone surrogate is refused as a bad request and never opens the circuit of Supabase Auth."""
    for _ in range(8):
        assert_problem(api.request("POST", path, content=body, headers=JSON), status, code)
    assert breaker.get_state() == "closed"
    right = {"email": student.email, "password": student.password}
    assert api.post("/api/auth/login", right).status_code == 200


@pytest.mark.parametrize("field", ["user_id", "created_by"])
def test_a_sign_in_speaks_for_nobody_else(api: Api, student: Student, field: str) -> None:
    """A user_id in a sign-in is accepted when it is the caller's own, and refused otherwise."""
    right: dict[str, Any] = {"email": student.email, "password": student.password}
    assert api.post("/api/auth/login", {**right, field: student.user_id.upper()}).status_code == 200
    assert_problem(api.post("/api/auth/login", {**right, field: str(uuid.uuid4())}), 403, "AUTHORIZATION_ERROR")
    token = api.post("/api/auth/login", right).json()["data"]["refresh_token"]
    refused = api.post("/api/auth/refresh", {"refresh_token": token, field: str(uuid.uuid4())})
    assert_problem(refused, 403, "AUTHORIZATION_ERROR")
    new = {"username": f"n_{uuid.uuid4().hex[:12]}", "email": f"{uuid.uuid4().hex}@x.yy", "password": "analytical1"}
    assert_problem(api.post("/api/auth/register", {**new, field: ""}), 403, "AUTHORIZATION_ERROR")
