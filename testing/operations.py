"""Requests derived from the OpenAPI document, so that security tests cover a new route without a change here."""

from __future__ import annotations

import json
import os
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from testing.client import Student, openapi

Schema = dict[str, Any]
UNKNOWN = str(uuid.UUID(int=7))


@dataclass
class Operation:
    """One operation of the OpenAPI document."""

    method: str
    path: str
    spec: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    def parameters(self, place: str) -> dict[str, Schema]:
        """Return the schemas of its parameters in ``path``, ``query`` or ``header``, by name."""
        return {each["name"]: each["schema"] for each in self.spec.get("parameters", []) if each["in"] == place}

    @property
    def body_schema(self) -> Schema | None:
        """The schema of its body, resolved (see `resolved`); None if it takes no body."""
        content = self.spec.get("requestBody", {}).get("content", {})
        return resolved(content["application/json"]["schema"]) if content else None

    def concrete(self, **values: str) -> str:
        """Return its path with these values; a parameter without one gets a value that finds nothing."""
        return re.sub(r"\{([^}]+)\}", lambda found: values.get(found[1], default_of(found[1])), self.path)

    def token(self, student: Student) -> str:
        """Return a token that may call it: an operator's if it is tagged "operations", else the student's."""
        if self.spec["tags"] != ["operations"]:
            return student.token
        tokens: dict[str, str] = json.loads(os.environ["OPERATOR_TOKENS"])
        return next(iter(tokens.values()))

    def body(self) -> dict[str, Any] | None:
        """Return a body that the document allows, with the required fields only; None if it takes no body."""
        schema = self.body_schema
        if schema is None:
            return None
        return {name: example(schema["properties"][name], name) for name in schema.get("required", [])}


def default_of(parameter: str) -> str:
    """Return a valid value for a path parameter; as an id or a name, one that does not exist."""
    return {"period": "weekly", "name": "nothing"}.get(parameter, UNKNOWN)


def resolved(schema: Schema) -> Schema:
    """Return a schema with its reference followed; of several choices, the first that is not null."""
    if "$ref" in schema:
        return resolved(openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema and "type" not in schema:
        return resolved(next(each for each in schema["anyOf"] if each.get("type") != "null"))
    return schema


def example(schema: Schema, name: str = "") -> Any:
    """Return a value that the schema allows; some fields, by `name`, need a more specific one."""
    known = {
        "email": "nobody@example.test",
        "password": "analytical1",
        "new_password": "analytical2",
        "username": f"x_{uuid.uuid4().hex[:12]}",
    }
    if name in known:
        return known[name]
    schema = resolved(schema)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type", "string")
    if kind == "array":
        return [example(schema["items"])]
    if kind == "object":
        return {each: example(schema["properties"][each], each) for each in schema.get("required", [])}
    texts = {"uuid": str(uuid.uuid4()), "date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31"}
    return {"string": texts.get(schema.get("format", ""), "text"), "boolean": True}.get(
        kind, int(schema.get("minimum", 1))
    )


ALL = [
    Operation(method.upper(), path, spec)
    for path, methods in openapi()["paths"].items()
    for method, spec in methods.items()
]
PROTECTED = [each for each in ALL if each.spec.get("security") == [{"accessToken": []}]]
WITH_BODY = [each for each in ALL if each.body_schema is not None]
