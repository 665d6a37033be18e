"""The captcha of registrations, where a stage has one."""

from __future__ import annotations

import httpx

from studysync.context import request_context
from studysync.db.transport import http_client
from studysync.errors import invalid, unavailable
from studysync.settings import get_settings

_SECONDS = 3.0


async def check_captcha(token: str | None) -> None:
    """Have the captcha's service judge what a client solved; nothing where the stage asks for none.

    Raises:
        ApiError: VALIDATION_ERROR, it was not solved; SERVICE_UNAVAILABLE, the service does not answer.
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
        raise unavailable("The captcha cannot be checked for a moment.") from error
    if not solved:
        raise invalid("The captcha was not solved.", "body.captcha_token")
