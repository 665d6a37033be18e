"""A user account of the API, used over HTTP."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Self

import httpx


@dataclass(frozen=True)
class Account:
    """A registered user."""

    client: httpx.Client
    user_id: str
    token: str
    email: str

    @classmethod
    def register(cls, client: httpx.Client) -> Self:
        """Register a new account with random credentials.

        Raises:
            httpx.HTTPStatusError: the registration was refused, for example by the limit per address.
        """
        name = f"a{uuid.uuid4().hex[:16]}"
        body = {"username": name, "email": f"{name}@example.test", "password": f"Pw1{uuid.uuid4().hex}"}
        answer = client.post("/api/auth/register", json=body)
        answer.raise_for_status()
        found = answer.json()["data"]
        return cls(client, found["user_id"], found["token"], body["email"])

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Send a POST as this account."""
        return self.client.post(path, json=body, headers={"Authorization": f"Bearer {self.token}"})

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """Send a GET as this account."""
        return self.client.get(path, params=parameters, headers={"Authorization": f"Bearer {self.token}"})
