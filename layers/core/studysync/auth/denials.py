"""Denied requests: each becomes a security event, and an entry in the audit trail of the user concerned."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from studysync.context import request_context, route_template
from studysync.db.client import database
from studysync.errors import ApiError
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.logging import app_logger

_UNAUTHENTICATED, _FORBIDDEN = 401, 403

# The path distinguishes a wrong password or a used refresh token from an invalid access token.
_EVENTS = {
    "/api/auth/login": ("failed_login", "medium"),
    "/api/auth/refresh": ("refused_refresh_token", "medium"),
    "/api/auth/password/reset": ("refused_mail_token", "medium"),
    "/api/auth/email/confirm": ("refused_mail_token", "medium"),
}


async def record_denial(request: Request, error: ApiError) -> None:
    """Log `error` if it denies access: a 401 for invalid credentials, or a 403."""
    if error.kind.status == _FORBIDDEN:
        await _forbidden(request)
    elif error.kind.status == _UNAUTHENTICATED:
        _unauthenticated(request)


def _unauthenticated(request: Request) -> None:
    route, context = route_template(request.scope), request_context()
    event = _EVENTS.get(route)
    if event is None and "authorization" not in request.headers:
        return  # no credentials were sent
    name, severity = event or ("refused_token", "low")
    address = context.address if context else None
    app_logger.log_security_event(event_type=name, severity=severity, route=route, ip_address=address)
    audit_logger.log_authentication(user_id=None, success=False, method=name, ip_address=address)


async def _forbidden(request: Request) -> None:
    route, context = route_template(request.scope), request_context()
    user_id, address = (context.user_id, context.address) if context else (None, None)
    app_logger.log_security_event(event_type="forbidden", severity="medium", route=route, ip_address=address)
    audit_logger.log_authorization(
        user_id=user_id, resource_type=route, operation=request.method, allowed=False, ip_address=address
    )
    if user_id is not None:
        await record_in_trail("record_refusal", p_user_id=user_id, p_operation=request.method, p_resource=route)


async def record_in_trail(function: str, **arguments: Any) -> None:
    """Write to the audit trail in the database; log a warning if it is unavailable."""
    try:
        await database().call(function, **arguments)
    except ApiError as error:
        app_logger.warning("the audit trail was not written", kind="audit_lost", error_code=error.kind.code)
