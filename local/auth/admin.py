"""The endpoints for servers, which require the token of the service role."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.auth.accounts import as_factor, as_user, clean_email, clean_password, email_exists, strong_password
from local.auth.errors import AuthError, bad_jwt, no_authorization, validation_failed
from local.auth.parts import Parts
from local.auth.passwords import hash_password
from local.auth.requests import as_object, bearer_of, body_of, number_of, redirect_of

_MAX_PAGE = 1000
_DURATION = re.compile(r"(\d+)(h|m|s)")
_UNITS = {"h": "hours", "m": "minutes", "s": "seconds"}


def require_service_role(parts: Parts, request: Request) -> None:
    """Reject callers other than the service role."""
    bearer = bearer_of(request)
    if not bearer:
        raise no_authorization()
    try:
        role = jwt.decode(bearer, parts.settings.keys.jwt_secret, algorithms=["HS256"]).get("role")
    except jwt.InvalidAlgorithmError:
        role = None  # a user's own token
    except jwt.PyJWTError as error:
        raise bad_jwt(f"invalid JWT: unable to parse or verify signature, {error}") from error
    if role != "service_role":
        raise AuthError(403, "not_admin", "User not allowed")


async def create_user(parts: Parts, request: Request) -> Response:
    """Create an account."""
    require_service_role(parts, request)
    body = await body_of(request)
    row = await parts.accounts.create(
        clean_email(body.get("email")),
        clean_password(body["password"]) if body.get("password") else None,
        as_object(body.get("user_metadata")),
        confirmed=bool(body.get("email_confirm")),
        taken=email_exists(),
        doing="creating new user",
        app_metadata=as_object(body.get("app_metadata")),
    )
    return JSONResponse(as_user(row))


async def list_users(parts: Parts, request: Request) -> Response:
    """A page of accounts."""
    require_service_role(parts, request)
    page, size = number_of(request, "page", 1), min(number_of(request, "per_page", 50), _MAX_PAGE)
    rows, total = await parts.accounts.page(page, size)
    last = max(1, -(-total // size))
    pages = {"last": last} | ({"next": page + 1} if page < last else {})
    links = [
        f'</admin/users?{urlencode({"page": number, "per_page": size})}>; rel="{name}"'
        for name, number in pages.items()
    ]
    return JSONResponse(
        {"users": [as_user(row) for row in rows], "aud": "authenticated"},
        headers={"x-total-count": str(total), "link": ", ".join(links)},
    )


async def read_user(parts: Parts, request: Request) -> Response:
    """One account."""
    require_service_role(parts, request)
    return JSONResponse(as_user(await parts.accounts.by_id(request.path_params["user_id"])))


async def update_user(parts: Parts, request: Request) -> Response:
    """Change an account without its owner's confirmation."""
    require_service_role(parts, request)
    row, body = await parts.accounts.by_id(request.path_params["user_id"]), await body_of(request)
    values: dict[str, Any] = {}
    if body.get("email"):
        values["email"] = clean_email(body["email"])
    if body.get("password") is not None:
        values["encrypted_password"] = await hash_password(strong_password(body["password"], parts.config))
    if body.get("email_confirm") and row["email_confirmed_at"] is None:
        values["email_confirmed_at"] = datetime.now(UTC)
    for name in ("user_metadata", "app_metadata"):
        if body.get(name) is not None:
            values[f"raw_{name.replace('data', '_data')}"] = row[f"raw_{name.replace('data', '_data')}"] | as_object(
                body[name]
            )
    if body.get("ban_duration"):
        values["banned_until"] = _banned_until(body["ban_duration"])
    if not values:
        return JSONResponse(as_user(row))
    changed = await parts.accounts.update(row["id"], **values)
    if "encrypted_password" in values:
        await parts.sessions.end_all(row["id"])
    return JSONResponse(as_user(changed))


async def delete_user(parts: Parts, request: Request) -> Response:
    """Delete an account."""
    require_service_role(parts, request)
    await parts.accounts.delete(request.path_params["user_id"])
    return JSONResponse({})


async def list_factors(parts: Parts, request: Request) -> Response:
    """The second factors of an account."""
    require_service_role(parts, request)
    row = await parts.accounts.by_id(request.path_params["user_id"])
    return JSONResponse([as_factor(each) for each in row["factors"]])


async def generate_link(parts: Parts, request: Request) -> Response:
    """Return a link as in emails, for a server that sends them itself."""
    require_service_role(parts, request)
    body = await body_of(request)
    kind = body.get("type")
    if kind not in {"recovery", "magiclink"}:
        raise validation_failed("Only links of the types recovery and magiclink are made here")
    row = await parts.accounts.by_email(clean_email(body.get("email")))
    if row is None:
        raise AuthError(404, "user_not_found", "User with this email not found")
    hashed = await parts.one_time.send(row, kind, redirect_of(request))
    query = urlencode({"token": hashed, "type": kind, "redirect_to": parts.mailbox.allowed(body.get("redirect_to"))})
    link = {"action_link": f"{parts.settings.issuer}/verify?{query}", "hashed_token": hashed, "verification_type": kind}
    return JSONResponse({**as_user(row), **link})


def _banned_until(text: object) -> datetime | None:
    if text == "none":
        return None
    found = _DURATION.findall(str(text))
    if not found:
        raise validation_failed("invalid format for ban duration")
    return datetime.now(UTC) + timedelta(**{_UNITS[unit]: int(number) for number, unit in found})
