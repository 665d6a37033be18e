"""IAM for the one table: what the template's policies let each function do, and a guard that enforces them.

A function's process calls DynamoDB with its logical id as access key. Without the guard, a missing permission would
show up only after deployment, and go unnoticed even then, because functions work without the table.
"""

import fnmatch
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import StackError

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")
_TOLD = 1000


@dataclass(frozen=True)
class Permission:
    """An action, such as `dynamodb:GetItem`, on items whose partition key matches one of the patterns."""

    action: str
    keys: tuple[str, ...]

    def covers(self, action: str, key: str) -> str | None:
        """Return the pattern that allows this action on this key."""
        if action != self.action:
            return None
        return next((pattern for pattern in self.keys if fnmatch.fnmatchcase(key, pattern)), None)


def permissions(policies: Iterable[Any]) -> Iterator[Permission]:
    """Yield what a function's policies allow on DynamoDB; StackError for policies that the guard cannot enforce."""
    documents = (policy for policy in policies if isinstance(policy, Mapping))  # SAM's own policies go by name
    for statement in (each for policy in documents for each in policy["Statement"]):
        given = statement.get("Action", "dynamodb:*")  # NotAction, which could mean anything
        for action in [given] if isinstance(given, str) else given:
            if action.startswith("dynamodb:"):
                if "*" in action or statement["Effect"] != "Allow":
                    raise StackError(
                        f"The local stack supports only policies that allow single actions of DynamoDB: {statement}"
                    )
                yield Permission(action, _keys(statement.get("Condition", {})))


def _keys(condition: Mapping[str, Any]) -> tuple[str, ...]:
    match condition:
        case {} if not condition:
            return ("*",)
        case {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [*patterns]}} if len(condition) == 1:
            return tuple(patterns)
        case _:
            raise StackError(f"The local stack supports only conditions on dynamodb:LeadingKeys, not {condition}")


def write_permissions(path: Path, functions: Mapping[str, Iterable[Permission]]) -> None:
    """Write each function's permissions for the guard."""
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps({name: [[p.action, p.keys] for p in found] for name, found in functions.items()}))
    aside.rename(path)


class Guard:
    """Rejects what a function's policies do not allow, as DynamoDB does; other access keys may do everything.

    Args:
        application: DynamoDB.
        path: written by `write_permissions`; read again when it changes. If it does not exist, nothing is rejected.
        tell: called once for each kind of call: function, action, the pattern that allows it or None, and the key.
    """

    def __init__(self, application: Wsgi, path: Path, tell: Callable[[dict[str, str | None]], None]) -> None:
        self._application, self._path, self._tell = application, path, tell
        self._read_at = 0
        self._permissions: dict[str, list[Permission]] = {}
        self._told: set[tuple[str | None, ...]] = set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        name = found[1] if found else ""
        if name in self._known():
            action = "dynamodb:" + environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            key = _partition_key(json.loads(body))
            pattern = self._pattern(name, action, key)
            self._report_once(name, action, pattern, key)
            if pattern is None:
                return _refuse(name, action, key, start_response)
        return self._application(environ, start_response)

    def _known(self) -> dict[str, list[Permission]]:
        try:
            written = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if written != self._read_at:
            listed = json.loads(self._path.read_text())
            self._permissions = {
                name: [Permission(action, tuple(keys)) for action, keys in each] for name, each in listed.items()
            }
            self._read_at = written
        return self._permissions

    def _pattern(self, name: str, action: str, key: str) -> str | None:
        patterns = (permission.covers(action, key) for permission in self._permissions[name])
        return next((pattern for pattern in patterns if pattern is not None), None)

    def _report_once(self, name: str, action: str, pattern: str | None, key: str) -> None:
        kind = (name, action, pattern, None if pattern else key)
        if kind not in self._told and len(self._told) < _TOLD:
            self._told.add(kind)
            self._tell({"function": name, "action": action, "allowed_by": pattern, "key": key})


def _partition_key(request: Mapping[str, Any]) -> str:
    """Return the partition key of a request, in any of the forms that the store and boto3 use."""
    values = request.get("Key") or request.get("Item") or {}
    if "pk" in values:
        return str(values["pk"]["S"])
    condition, given = request.get("KeyConditionExpression", ""), request.get("ExpressionAttributeValues", {})
    asked = re.match(r"\(?pk = (:\w+)", condition)
    return str(given[asked[1]]["S"]) if asked else ""


def _refuse(name: str, action: str, key: str, start_response: Any) -> list[bytes]:
    message = f"{name} is not authorized to perform: {action} on the partition {key!r}: no policy of it allows that"
    body = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": message}).encode()
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start_response("400 Bad Request", headers)
    return [body]
