"""The endpoints for clients: signing up and in, emails and their tokens, the account itself."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from local.auth.accounts import (
    as_user,
    clean_email,
    email_exists,
    has_second_factor,
    refuse_banned,
    strong_password,
)
from local.auth.errors import AuthError, invalid_credentials, validation_failed
from local.auth.one_time import CONFIRM_OTHER
from local.auth.parts import Parts
from local.auth.passwords import hash_password, matches
from local.auth.requests import as_object, bearer_of, body_of, client_of, redirect_of, text_of

_REAUTHENTICATE_AFTER = timedelta(hours=24)


async def signup(parts: Parts, request: Request) -> Response:
    """Create an account and sign it in, or email a confirmation first, depending on the configuration."""
    parts.limits.take(request, "sign_in_sign_ups")
    config, body = parts.config, await body_of(request)
    if not config.enable_signup:
        raise AuthError(422, "signup_disabled", "Signups not allowed for this instance")
    if not body.get("email") and not body.get("password"):
        raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
    _require_email_provider(parts)
    email, password = clean_email(body.get("email")), strong_password(body.get("password"), config)
    confirmed = not config.enable_confirmations
    known = await parts.accounts.by_email(email)
    if known and not confirmed:
        # Same response as for a new one: a pending confirmation is sent again, and other accounts are not revealed.
        if known["email_confirmed_at"] is None:
            await parts.one_time.send(known, "signup", redirect_of(request))
        return JSONResponse(as_user({**known, "identities": [], "factors": []}))
    row = await parts.accounts.create(
        email,
        password,
        as_object(body.get("data")),
        confirmed=confirmed,
        taken=AuthError(422, "user_already_exists", "User already registered"),
        doing="saving new user",
    )
    if not confirmed:
        await parts.one_time.send(row, "signup", redirect_of(request))
        return JSONResponse(as_user(await parts.accounts.by_id(row["id"])))
    return JSONResponse(await parts.sessions.open(row["id"], client_of(request), "password"))


async def token(parts: Parts, request: Request) -> Response:
    """Sign in with a password, or renew a session."""
    parts.limits.take(request, "token_refresh")
    body = await body_of(request)
    match request.query_params.get("grant_type"):
        case "password":
            return JSONResponse(await _password_grant(parts, request, body))
        case "refresh_token":
            sent = text_of(body, "refresh_token", "refresh_token required")
            return JSONResponse(await parts.sessions.renew(sent, client_of(request)))
    raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _password_grant(parts: Parts, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    _require_email_provider(parts)
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or not email:
        raise validation_failed("missing email or phone")
    row = await parts.accounts.by_email(email)
    if not await matches(password, row["encrypted_password"] if row else None) or row is None:
        raise invalid_credentials()
    refuse_banned(row)
    if row["email_confirmed_at"] is None:
        raise AuthError(400, "email_not_confirmed", "Email not confirmed")
    return await parts.sessions.open(row["id"], client_of(request), "password")


async def user(parts: Parts, request: Request) -> Response:
    """The account behind the access token."""
    _, row = await parts.sessions.authenticate(bearer_of(request))
    return JSONResponse(as_user(row))


async def update_user(parts: Parts, request: Request) -> Response:
    """Change one's own password, address or metadata."""
    parts.limits.take(request, "sign_in_sign_ups")
    claims, row = await parts.sessions.authenticate(bearer_of(request))
    body = await body_of(request)
    email = clean_email(body["email"]) if body.get("email") else None
    password = strong_password(body["password"], parts.config) if body.get("password") is not None else None
    if (password or (email and email != row["email"])) and has_second_factor(row) and claims["aal"] != "aal2":
        message = "AAL2 session is required to update email or password when MFA is enabled."
        raise AuthError(401, "insufficient_aal", message)
    if email and email != row["email"] and await parts.accounts.by_email(email):
        raise email_exists()
    if password is not None:
        await _change_password(parts, claims, row, password, body.get("nonce"))
    if body.get("data") is not None:
        metadata = row["raw_user_meta_data"] | as_object(body["data"])
        await parts.accounts.update(row["id"], raw_user_meta_data=metadata)
    if email and email != row["email"]:
        await parts.one_time.send_email_change(row, email, redirect_of(request))
    return JSONResponse(as_user(await parts.accounts.by_id(row["id"])))


async def _change_password(parts: Parts, claims: dict[str, Any], row: DictRow, password: str, nonce: object) -> None:
    if parts.config.secure_password_change:
        session = await parts.pool.one("select created_at from auth.sessions where id = %s", claims["session_id"])
        if session is None or datetime.now(UTC) - session["created_at"] > _REAUTHENTICATE_AFTER:
            if not nonce:
                raise AuthError(400, "reauthentication_needed", "Password update requires reauthentication")
            await parts.one_time.take_nonce(row, nonce)
    if row["encrypted_password"] and await matches(password, row["encrypted_password"]):
        raise AuthError(422, "same_password", "New password should be different from the old password.")
    await parts.accounts.update(row["id"], encrypted_password=await hash_password(password))
    await parts.sessions.end(claims, "others")


async def reauthenticate(parts: Parts, request: Request) -> Response:
    """Email the code that changing the password requires."""
    _, row = await parts.sessions.authenticate(bearer_of(request))
    await parts.one_time.send(row, "reauthentication")
    return JSONResponse({})


async def logout(parts: Parts, request: Request) -> Response:
    """End sessions."""
    claims, _ = await parts.sessions.authenticate(bearer_of(request))
    scope = request.query_params.get("scope", "global")
    if scope not in {"global", "local", "others"}:
        raise validation_failed(f"Unsupported logout scope {scope!r}")
    await parts.sessions.end(claims, scope)
    return Response(status_code=204)


async def recover(parts: Parts, request: Request) -> Response:
    """Email a link to choose a new password; the response is the same for an unknown address."""
    parts.limits.take(request, "sign_in_sign_ups")
    row = await parts.accounts.by_email(clean_email((await body_of(request)).get("email")))
    if row is not None:
        await parts.one_time.send(row, "recovery", redirect_of(request))
    return JSONResponse({})


async def otp(parts: Parts, request: Request) -> Response:
    """Email a link that signs in."""
    parts.limits.take(request, "sign_in_sign_ups")
    body = await body_of(request)
    row = await parts.accounts.by_email(clean_email(body.get("email")))
    if row is None:
        if body.get("create_user", True) and parts.config.enable_signup:
            raise AuthError(422, "signup_disabled", "This stand-in creates accounts only with /signup")
        raise AuthError(422, "otp_disabled", "Signups not allowed for otp")
    await parts.one_time.send(row, "magiclink", redirect_of(request))
    return JSONResponse({})


async def resend(parts: Parts, request: Request) -> Response:
    """Send the pending confirmation again; the response is the same if there is none."""
    parts.limits.take(request, "sign_in_sign_ups")
    body = await body_of(request)
    if body.get("type") not in {"signup", "email_change"}:
        raise validation_failed("Missing one of these types: signup, email_change, sms, phone_change")
    row = await parts.accounts.by_email(clean_email(body.get("email")))
    if row is not None and body["type"] == "signup" and row["email_confirmed_at"] is None:
        await parts.one_time.send(row, "signup", redirect_of(request))
    elif row is not None and body["type"] == "email_change" and row["email_change"]:
        await parts.one_time.send_email_change(row, row["email_change"], redirect_of(request))
    return JSONResponse({})


async def verify(parts: Parts, request: Request) -> Response:
    """Verify the token of an email, and sign in."""
    parts.limits.take(request, "token_verifications")
    body = await body_of(request)
    row = await parts.one_time.take(text_of(body, "type", "Verify requires a verification type"), body)
    if row is None:
        return JSONResponse({"msg": CONFIRM_OTHER, "code": "200"})
    return JSONResponse(await parts.sessions.open(row["id"], client_of(request), "otp"))


async def verify_link(parts: Parts, request: Request) -> Response:
    """Verify a link that someone follows; redirects to a URL with the tokens in its fragment."""
    parts.limits.take(request, "token_verifications")
    asked = request.query_params
    target = parts.mailbox.allowed(asked.get("redirect_to"))
    try:
        row = await parts.one_time.take(asked.get("type", ""), {"token_hash": asked.get("token")})
        if row is None:
            return RedirectResponse(f"{target}#{urlencode({'message': CONFIRM_OTHER})}", 303)
        opened = await parts.sessions.open(row["id"], client_of(request), "otp")
    except AuthError as error:
        told = {"error": "access_denied", "error_code": error.code, "error_description": error.message}
        return RedirectResponse(f"{target}#{urlencode(told)}", 303)
    names = ("access_token", "expires_at", "expires_in", "refresh_token", "token_type")
    given = {name: opened[name] for name in names} | {"type": asked.get("type", "")}
    return RedirectResponse(f"{target}#{urlencode(given)}", 303)


async def authorize(_: Parts, __: Request) -> Response:
    """Reject signing in with an external provider; none is enabled."""
    raise validation_failed("Unsupported provider: provider is not enabled")


async def enroll_factor(parts: Parts, request: Request) -> Response:
    """Start adding a second factor."""
    claims, row = await parts.sessions.authenticate(bearer_of(request))
    return JSONResponse(await parts.factors.enroll(claims, row, await body_of(request)))


async def challenge_factor(parts: Parts, request: Request) -> Response:
    """Ask for a code of a second factor."""
    _, row = await parts.sessions.authenticate(bearer_of(request))
    return JSONResponse(await parts.factors.challenge(row, request.path_params["factor_id"]))


async def verify_factor(parts: Parts, request: Request) -> Response:
    """Verify a code of a second factor."""
    parts.limits.take(request, "token_verifications")
    claims, row = await parts.sessions.authenticate(bearer_of(request))
    body = await body_of(request)
    return JSONResponse(await parts.factors.verify(claims, row, request.path_params["factor_id"], body))


async def remove_factor(parts: Parts, request: Request) -> Response:
    """Remove a second factor."""
    claims, row = await parts.sessions.authenticate(bearer_of(request))
    return JSONResponse(await parts.factors.remove(claims, row, request.path_params["factor_id"]))


async def settings(parts: Parts, _: Request) -> Response:
    """Return the project's public settings."""
    config = parts.config
    return JSONResponse(
        {
            "external": {"email": config.email_enabled, "phone": False, "anonymous_users": False},
            "disable_signup": not config.enable_signup,
            "mailer_autoconfirm": not config.enable_confirmations,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
        }
    )


async def jwks(parts: Parts, _: Request) -> Response:
    """The public key of access tokens."""
    headers = {"cache-control": "public, max-age=600"}
    return JSONResponse({"keys": [parts.settings.keys.public_jwk()]}, headers=headers)


async def health(_: Parts, __: Request) -> Response:
    """Return whether the process is alive."""
    return JSONResponse({"version": "local", "name": "GoTrue", "description": "A stand-in for Supabase Auth"})


async def mailbox(parts: Parts, _: Request) -> Response:
    """The page of all mail."""
    return HTMLResponse(parts.mailbox.page())


async def one_mail(parts: Parts, request: Request) -> Response:
    """One mail, as it was sent."""
    found = parts.mailbox.read(request.path_params["name"])
    if found is None:
        raise AuthError(404, "not_found", "No such mail")
    return Response(found, media_type="text/plain; charset=utf-8")


def _require_email_provider(parts: Parts) -> None:
    if not parts.config.email_enabled:
        raise AuthError(422, "email_provider_disabled", "Email logins are disabled")
