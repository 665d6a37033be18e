"""Which answer holds what another operation asks for: links of the OpenAPI document, for clients and for the fuzzer."""

from __future__ import annotations

from typing import Any

# The answer, where in it the value is, and the path parameter that it fills.
_PATH_PARAMETERS = (
    ("POST /api/sessions/start", "201", "data/session_id", "session_id"),
    ("GET /api/sessions/active", "200", "data/session_id", "session_id"),
    ("GET /api/sessions", "200", "data/0/session_id", "session_id"),
    ("POST /api/spaces/create", "201", "data/space_id", "space_id"),
    ("GET /api/sync/rejected", "200", "data/0/event_id", "event_id"),
)
# The answer, where in it the value is, the operation, and the field of its body.
_BODY_FIELDS = (
    ("POST /api/spaces/create", "201", "data/invite_code", "POST /api/spaces/join", "invite_code"),
    ("POST /api/auth/register", "201", "data/refresh_token", "POST /api/auth/refresh", "refresh_token"),
    ("POST /api/auth/login", "200", "data/refresh_token", "POST /api/auth/refresh", "refresh_token"),
)


def add_links(document: dict[str, Any]) -> None:
    """Name in every answer that holds an id the operations that ask for it."""
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
                # As an extension: openapi-generator refuses an object in `requestBody`.
                "x-body": {field: f"$response.body#/{where}"},
            },
        )


def _link(source: dict[str, Any], status: str, target: dict[str, Any], what: dict[str, Any]) -> None:
    links = source["responses"][status].setdefault("links", {})
    links[target["operationId"]] = {"operationId": target["operationId"], **what}
