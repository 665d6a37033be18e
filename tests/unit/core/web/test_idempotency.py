"""What makes two writes the same request."""

from __future__ import annotations

import pytest

from studysync.web.idempotency import fingerprint

TARGET = "POST /api/spaces/create?"


def test_the_order_of_fields_does_not_matter() -> None:
    """The same JSON in another field order is the same request."""
    assert fingerprint(TARGET, {"a": 1, "b": [2]}) == fingerprint(TARGET, {"b": [2], "a": 1})


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("POST /api/spaces/join?", {"name": "x"}),
        (TARGET, {"name": "y"}),
        (TARGET, {}),
        (TARGET, {"name": "x", "capacity": None}),
        (TARGET, {"nam": "ex"}),
    ],
)
def test_anything_else_does(target: str, sent: dict[str, object]) -> None:
    """A different path, value or set of fields is a different request under the same key."""
    assert fingerprint(target, sent) != fingerprint(TARGET, {"name": "x"})


def test_it_is_the_same_in_every_process() -> None:
    """The fingerprint is stored, and compared by other environments days later; unusual text has one too."""
    assert fingerprint("a", {"b": 1}) == "3d6f51e1fd2489c7f062f0347a710fa6a5f238bdd8c8bf55741236400da86492"
    assert len(fingerprint(TARGET, {"name": "\ud800"})) == 64
