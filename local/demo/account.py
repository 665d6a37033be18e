"""The demo's account that you can sign in with, registered through the API like any other."""

from __future__ import annotations

from uuid import UUID

import httpx

from local.errors import StackError

DEMO_EMAIL = "demo@demo.studysync.example"
DEMO_PASSWORD = "study1234"  # noqa: S105 - it is printed for everybody to use, on the machine of who runs it
_TIMEOUT = 30.0  # seconds; the first call meets cold functions


def demo_account(url: str) -> UUID:
    """Register the account, or sign in if it exists already; returns its id.

    Raises:
        StackError: the API does not answer, or rejects both.
    """
    credentials = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD}
    try:
        with httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False) as client:  # no proxy for loopback
            answer = client.post("/api/auth/register", json={"username": "demo_student", **credentials})
            if answer.status_code == httpx.codes.CONFLICT:
                answer = client.post("/api/auth/login", json=credentials)
    except httpx.HTTPError as error:
        raise StackError(
            f"The API on {url} does not answer ({type(error).__name__}); is `make serve` running?"
        ) from error
    if answer.is_error:
        raise StackError(f"The demo account could not be created: {answer.status_code} {answer.text}")
    return UUID(answer.json()["data"]["user_id"])
