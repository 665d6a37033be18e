"""Examples for every request and response, from the schemas and the names of fields."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]

_ID = "3f1d2c54-8a0b-4c6e-9d7f-2b1a0c9e8d7f"
_TIME = "2026-01-31T12:00:00.000000Z"
_VALUES: dict[str, Any] = {
    "username": "ada_l", "display_name": "Ada", "email": "ada@example.com", "password": "correct horse 1",
    "new_password": "correct horse 2", "timezone": "Europe/Berlin", "subject": "Linear algebra",
    "invite_code": "K7QM-2XWD", "token": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "refresh_token": "v1.MRjRkZ3dXw",
    "duration_minutes": 25, "efficiency": 90, "focus_seconds": 1500, "xp": 320, "total_xp": 320, "xp_awarded": 35,
    "level": 4, "level_progress": 0.2, "next_level_xp": 400, "current_streak": 3, "best_streak": 9, "rank": 1,
    "suspicion_score": 0, "capacity": 50, "daily_goal_minutes": 120, "description": "Mornings at eight",
    "name": "Analysis II", "key": "first_session", "new_badges": ["first_session"],
    "message": "The start of the session has not arrived.", "error_code": "SESSION_NOT_FOUND",
    "xp_breakdown": {"focus": 25, "session_bonus": 10}, "xp_by_source": {"focus": 310, "session_bonus": 10},
    "client_id": "Ada's phone", "next_cursor": None, "cursor": "c1.Zm9yIGxhdGVy", "id": "me", "version": "1.0.0",
}  # fmt: skip
"""By field name. Examples that do not match the schema's type are skipped."""
_BY_FORMAT = {
    "uuid": _ID,
    "date-time": _TIME,
    "date": "2026-01-31",
    "email": "ada@example.com",
    "uri": "https://example.com",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "array": (list,), "object": (dict,),
}  # fmt: skip


def add_examples(document: Node) -> None:
    """Add an example to every schema of a JSON body and response, and of a path parameter."""
    for methods in document["paths"].values():
        for operation in methods.values():
            bodies = [operation["requestBody"]] if "requestBody" in operation else []
            for holder in [*bodies, *operation["responses"].values()]:
                _add(document, holder)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter.setdefault("example", example(document, parameter["schema"], parameter["name"]))


def _add(document: Node, holder: Node) -> None:
    for kind, content in holder.get("content", {}).items():
        if "json" in kind and content.get("schema"):
            content.setdefault("example", example(document, content["schema"]))


def example(document: Node, schema: Node, name: str = "") -> Any:
    """Return a value that matches `schema` and is plausible for the field `name`."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if options := schema.get("oneOf") or schema.get("anyOf"):
        if name == "next_cursor":
            return None
        return example(document, options[0], name)
    kind = schema.get("type", "object")
    known = _VALUES.get(name)
    if isinstance(known, _TYPES.get(kind, ())) and not isinstance(known, bool):
        return known
    return _plain(document, schema, kind, name)


def _plain(document: Node, schema: Node, kind: str, name: str) -> Any:
    if kind == "object":
        fields = schema.get("properties", {})
        return {field: example(document, of, field) for field, of in fields.items() if not of.get("deprecated")}
    if kind == "array":
        return [example(document, schema["items"], name.removesuffix("s"))]
    if kind == "boolean":
        return name in {"success", "error", "is_member", "visible", "connected"}
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    return _BY_FORMAT.get(schema.get("format", ""), "text")
