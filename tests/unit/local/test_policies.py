"""Reading a function's policies."""

from __future__ import annotations

from typing import Any

import pytest

from local.errors import StackError
from local.policies import Permission, permissions


def _policy(**statement: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Resource": "table", **statement}]}


def test_actions_and_keys_are_read() -> None:
    """One or several actions are read with the condition's keys, or all keys; other services are ignored."""
    keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["a", "b#*"]}}
    found = permissions(
        [
            "AWSXrayWriteOnlyAccess",
            _policy(Action="sqs:SendMessage"),
            _policy(Action=["dynamodb:GetItem", "dynamodb:Query"], Condition=keys),
            _policy(Action="dynamodb:PutItem"),
        ]
    )
    assert list(found) == [
        Permission("dynamodb:GetItem", ("a", "b#*")),
        Permission("dynamodb:Query", ("a", "b#*")),
        Permission("dynamodb:PutItem", ("*",)),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "dynamodb:GetItem", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
        {"Action": "dynamodb:GetItem", "Effect": "Deny"},
        {"Action": "dynamodb:*"},
        {"NotAction": "s3:GetObject"},
    ],
)
def test_what_cannot_be_held_to_here_is_an_error(statement: dict[str, Any]) -> None:
    """An unsupported policy is an error, so that nothing is allowed here that AWS refuses, or the reverse."""
    with pytest.raises(StackError, match="local stack"):
        list(permissions([_policy(**statement)]))


def test_a_permission_covers_its_action_and_keys() -> None:
    """The answer is the matching pattern."""
    permission = Permission("dynamodb:GetItem", ("control", "cache#*"))
    assert permission.covers("dynamodb:GetItem", "cache#1#x") == "cache#*"
    assert permission.covers("dynamodb:GetItem", "controls") is None
    assert permission.covers("dynamodb:PutItem", "control") is None
