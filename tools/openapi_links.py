"""Links of the OpenAPI document, from responses to the operations that use their ids, for clients and the fuzzer."""

from __future__ import annotations

from typing import Any

# The response, the location of the value in it, and the path parameter it provides.
_PATH_PARAMETERS = (
    ("POST /api/sessions/start", "201", "data/session_id", "session_id"),
    ("GET /api/sessions/active", "200", "data/session_id", "session_id"),
    ("GET /api/sessions", "200", "data/0/session_id", "session_id"),
    ("POST /api/spaces/create", "201", "data/space_id", "space_id"),
    ("GET /api/sync/rejected", "200", "data/0/event_id", "event_id"),
)
# The response, the location of the value in it, the operation, and the field of its body.
_BODY_FIELDS = (
    ("POST /api/spaces/create", "201", "data/invite_code", "POST /api/spaces/join", "invite_code"),
    ("POST /api/auth/register", "201", "data/refresh_token", "POST /api/auth/refresh", "refresh_token"),
    ("POST /api/auth/login", "200", "data/refresh_token", "POST /api/auth/refresh", "refresh_token"),
)


def add_links(document: dict[str, Any]) -> None:
    """Link every response that contains an id to the operations that need it."""
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    for source, status, where, parameter in _PATH_PARAMETERS:
        for name, target in operations.items():
            if f"{{{parameter}}}" in name:
                _link(operations[source], status, target, {"parameters": {parameter: f"$response.body#/{where}"}})
    for source, status, where, name, field in _BODY_FIELDS:
        _link(
            operations[source],
            status,
            operations[name],
            {
                "description": f"`{where.replace('/', '.')}` is the `{field}` of its body.",
                # As an extension: openapi-generator rejects an object in `requestBody`.
                "x-body": {field: f"$response.body#/{where}"},
            },
        )


def _link(source: dict[str, Any], status: str, target: dict[str, Any], what: dict[str, Any]) -> None:
    links = source["responses"][status].setdefault("links", {})
    links[target["operationId"]] = {"operationId": target["operationId"], **what}
