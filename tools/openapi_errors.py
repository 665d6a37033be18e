"""The errors that each operation of the OpenAPI document may return, so that clients can expect every status.

Errors that follow from an operation's shape (it has a body, it requires a token) are derived; errors of the domains are
listed in `_OF_DOMAIN`. Tests check every response against the result.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

Operation = dict[str, Any]

_PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^Bearer"}}}
_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}

_OF_DOMAIN = {
    "POST /api/auth/register": {409, 422},
    "POST /api/auth/login": {401},
    "POST /api/auth/refresh": {401},
    "POST /api/auth/password/reset": {401},
    "POST /api/auth/email/confirm": {401},
    "PATCH /api/users/me": {409},
    "GET /api/gamification/xp/history/{user_id}": {403},
    "GET /api/gamification/leaderboard/{period}": {403, 404},
    "POST /api/sessions/start": {404, 409},
    "GET /api/sessions/active": {404},
    "POST /api/sessions/{session_id}/heartbeat": {409},
    "POST /api/sessions/{session_id}/audit": {409},
    "POST /api/sessions/{session_id}/complete": {409},
    "POST /api/sessions/{session_id}/abandon": {409},
    "POST /api/spaces/create": {409},
    "POST /api/spaces/join": {404, 409},
    "GET /api/spaces/{space_id}/members": {403},
    "GET /api/spaces/{space_id}/activity": {403},
    "PATCH /api/spaces/{space_id}": {409},
    "POST /api/spaces/{space_id}/join": {409},
    "POST /api/spaces/{space_id}/leave": {409},
    "PATCH /api/spaces/{space_id}/members/{user_id}": {409},
    "DELETE /api/spaces/{space_id}/members/{user_id}": {409},
    "POST /health/switches": {409},
}


def add_errors(document: dict[str, Any]) -> None:
    """Add every operation's errors to `document`, and describe each once."""
    used: set[int] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            statuses = _statuses(method.upper(), path, operation)
            for unknown in ("default", "422"):  # FastAPI documents its own 422; ours is a 400
                operation["responses"].pop(unknown, None)
            for status in sorted(statuses):
                operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
            used |= statuses
    document["components"]["responses"] = {_name(status): _response(status) for status in sorted(used)}


def _statuses(method: str, path: str, operation: Operation) -> set[int]:
    writes = method not in {"GET", "HEAD"}
    parameters = operation.get("parameters", [])
    places = {parameter["in"] for parameter in parameters}
    found = {500, 503} | _OF_DOMAIN.get(f"{method} {path}", set())
    if not path.startswith("/health") or "operations" in operation["tags"]:  # wrong operator tokens are rate limited
        found.add(429)
    if parameters or "requestBody" in operation:
        found.add(400)
    if operation.get("security"):
        found.add(401)
    if writes:
        found |= {413, 415}
    # A body may name a user, a suspended account cannot write, and an operators' endpoint may have no operator.
    if "requestBody" in operation or "operations" in operation["tags"] or (writes and operation.get("security")):
        found.add(403)
    if "path" in places:
        found.add(404)
    if any(parameter["name"] == "idempotency-key" for parameter in parameters):
        found.add(422)
    return found


def _name(status: int) -> str:
    return {500: "InternalError"}.get(status, HTTPStatus(status).phrase.title().replace(" ", ""))


def _response(status: int) -> dict[str, Any]:
    from studysync import errors

    codes = sorted(
        kind.code for kind in vars(errors).values() if isinstance(kind, errors.ErrorKind) and kind.status == status
    )
    return {
        "description": ", ".join(codes),
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        "content": {"application/problem+json": {"schema": _PROBLEM, "example": _example(status, codes[0])}},
    }


def _example(status: int, code: str) -> dict[str, Any]:
    message = "A sentence for a person."
    return {
        "type": f"urn:studysync:error:{code.lower().replace('_', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": "/api/sessions/start",
        "error": True,
        "error_code": code,
        "message": message,
        "request_id": "3f1d2c54-8a0b-4c6e-9d7f-2b1a0c9e8d7f",
    }
