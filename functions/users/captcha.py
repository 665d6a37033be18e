"""The captcha of registrations, if a stage requires one."""

from __future__ import annotations

import httpx

from studysync.context import request_context
from studysync.db.transport import http_client
from studysync.errors import invalid, unavailable
from studysync.settings import get_settings

_SECONDS = 3.0


async def check_captcha(token: str | None) -> None:
    """Verify a solved captcha with its provider; does nothing if the stage requires none.

    Raises:
        ApiError: VALIDATION_ERROR, it was not solved; SERVICE_UNAVAILABLE, the provider does not answer.
    """
    settings, context = get_settings(), request_context()
    if not settings.captcha_url:
        return
    if not token:
        raise invalid("Solve the captcha.", "body.captcha_token")
    form = {"secret": settings.captcha_secret.get_secret_value(), "response": token}
    if context is not None and context.has_ip_address and context.address:
        form["remoteip"] = context.address
    try:
        answer = await http_client().post(settings.captcha_url, data=form, timeout=_SECONDS)
        answer.raise_for_status()
        solved = answer.json().get("success") is True
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise unavailable("The captcha cannot be verified at the moment.") from error
    if not solved:
        raise invalid("The captcha was not solved correctly.", "body.captcha_token")
