"""Rewrites the document in terms that every client generator understands.

The API still enforces what is omitted here. This was tested with openapi-generator, openapi-python-client,
openapi-typescript, hey-api and orval (`make clients`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]

_ME_OR_ID = "^(me|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$"


def simplify(document: Node) -> None:
    """Rewrite `document` in place."""
    for operation in (operation for methods in document["paths"].values() for operation in methods.values()):
        _simplify_inputs(operation)
    for node in _nodes(document):
        _simplify_schema(node)
    document["components"]["schemas"]["RequestBody"]["description"] = "An empty body."
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            _simplify_field(schema, name, field)


def _nodes(node: Any) -> Iterator[Node]:
    if isinstance(node, dict):
        yield node
        for value in list(node.values()):
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _simplify_inputs(operation: Node) -> None:
    """Make optional parameters and bodies non-nullable: that they may also be null helps nobody."""
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        parameter["schema"] = _without_null(schema)
        parameter["schema"].pop("title", None)
        parameter["schema"].pop("description", None)  # the parameter's own says it
        if parameter["in"] == "header":
            parameter["name"] = parameter["name"].title()
        if {"const": "me"} in schema.get("anyOf", []):
            parameter["schema"] = {"type": "string", "pattern": _ME_OR_ID}
            parameter["example"] = "me"
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        content["schema"] = _without_null(content["schema"])


def _without_null(schema: Node) -> Node:
    options = schema.get("anyOf", [])
    if {"type": "null"} not in options:
        return schema
    (only,) = [option for option in options if option != {"type": "null"}]
    return {**{name: value for name, value in schema.items() if name not in {"anyOf", "title"}}, **only}


def _simplify_schema(node: Node) -> None:
    if node.get("type") == "boolean":
        node.pop("const", None)
    if isinstance(node.get("const"), str):
        node["type"], node["enum"] = "string", [node.pop("const")]
    for bound in ("minimum", "maximum"):  # 1.0 for an integer
        if node.get("type") == "integer" and isinstance(node.get(bound), float):
            node[bound] = int(node[bound])


def _simplify_field(schema: Node, name: str, field: Node) -> None:
    field.pop("title", None)  # some generators name types by it, and titles are not unique
    if field.get("default", ...) is None:
        del field["default"]
    elif "default" in field and name != "success":  # openapi-typescript demands what has one
        told = f"Without it: {json.dumps(field.pop('default'))}."
        field["description"] = f"{field['description']} {told}" if "description" in field else told
    if name == "success" and field.pop("default", None):  # always present in responses
        schema["required"] = ["success", *schema.get("required", [])]
    if str(field.get("description", "")).startswith("Sent by old clients"):
        field["deprecated"] = True
