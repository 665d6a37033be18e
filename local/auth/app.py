"""The HTTP side of the stand-in: paths, API keys and bodies, as GoTrue behind Supabase's gateway has them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import jwt
import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.auth.accounts import Accounts, as_user, clean_email, clean_password
from local.auth.errors import (
    VERSION_HEADER,
    AuthError,
    bad_jwt,
    database_error,
    invalid_credentials,
    no_authorization,
    validation_failed,
)
from local.auth.passwords import matches
from local.auth.pool import Pool
from local.auth.sessions import Sessions
from local.auth.settings import Settings

_BASE = "/auth/v1"
_MAX_PAGE = 1000
_Handler = Callable[["Api", Request], Awaitable[Response]]


class Api:
    """The handlers, and what they share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = Pool(settings.dsn)
        self._accounts = Accounts(self._pool)
        self._sessions = Sessions(self._pool, settings)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Give the connections back at the end."""
        yield
        await self._pool.close()

    async def signup(self, request: Request) -> Response:
        """Make an account and sign it in: addresses count as confirmed at once, as in `supabase start`."""
        body = await _body(request)
        if not body.get("email") and not body.get("password"):
            raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        row = await self._accounts.create(
            clean_email(body.get("email")),
            clean_password(body.get("password")),
            _object(body.get("data")),
            confirmed=True,
            taken=AuthError(422, "user_already_exists", "User already registered"),
            doing="saving new user",
        )
        return JSONResponse(await self._sessions.open(row["id"]))

    async def token(self, request: Request) -> Response:
        """Sign in with a password, or renew a session."""
        body = await _body(request)
        match request.query_params.get("grant_type"):
            case "password":
                return JSONResponse(await self._password_grant(body))
            case "refresh_token":
                return JSONResponse(await self._sessions.renew(_text(body, "refresh_token", "refresh_token required")))
        raise AuthError(400, "invalid_credentials", "unsupported_grant_type")

    async def _password_grant(self, body: dict[str, Any]) -> dict[str, Any]:
        email, password = body.get("email"), body.get("password")
        if not isinstance(email, str) or not isinstance(password, str) or not email:
            raise validation_failed("missing email or phone")
        row = await self._accounts.by_email(email)
        if not await matches(password, row["encrypted_password"] if row else None) or row is None:
            raise invalid_credentials()
        if row["banned_until"] and row["banned_until"] > datetime.now(UTC):
            raise AuthError(400, "user_banned", "User is banned")
        if row["email_confirmed_at"] is None:
            raise AuthError(400, "email_not_confirmed", "Email not confirmed")
        return await self._sessions.open(row["id"])

    async def user(self, request: Request) -> Response:
        """The account behind the access token."""
        _, row = await self._sessions.authenticate(_bearer(request))
        return JSONResponse(as_user(row))

    async def logout(self, request: Request) -> Response:
        """End sessions."""
        claims, _ = await self._sessions.authenticate(_bearer(request))
        scope = request.query_params.get("scope", "global")
        if scope not in {"global", "local", "others"}:
            raise validation_failed(f"Unsupported logout scope {scope!r}")
        await self._sessions.end(claims, scope)
        return Response(status_code=204)

    async def create_user(self, request: Request) -> Response:
        """Make an account, as an administrator."""
        self._require_admin(request)
        body = await _body(request)
        row = await self._accounts.create(
            clean_email(body.get("email")),
            clean_password(body["password"]) if body.get("password") else None,
            _object(body.get("user_metadata")),
            confirmed=bool(body.get("email_confirm")),
            taken=AuthError(422, "email_exists", "A user with this email address has already been registered"),
            doing="creating new user",
        )
        return JSONResponse(as_user(row))

    async def list_users(self, request: Request) -> Response:
        """A page of accounts."""
        self._require_admin(request)
        page, size = (_number(request, name, default) for name, default in (("page", 1), ("per_page", 50)))
        rows = await self._accounts.page(page, min(size, _MAX_PAGE))
        return JSONResponse({"users": [as_user(row) for row in rows], "aud": "authenticated"})

    async def read_user(self, request: Request) -> Response:
        """One account."""
        self._require_admin(request)
        return JSONResponse(as_user(await self._accounts.by_id(request.path_params["user_id"])))

    async def delete_user(self, request: Request) -> Response:
        """Delete an account."""
        self._require_admin(request)
        await self._accounts.delete(request.path_params["user_id"])
        return JSONResponse({})

    async def jwks(self, _: Request) -> Response:
        """The public key of access tokens."""
        return JSONResponse(
            {"keys": [self._settings.keys.public_jwk()]}, headers={"cache-control": "public, max-age=600"}
        )

    async def health(self, _: Request) -> Response:
        """Whether the process lives."""
        return JSONResponse({"version": "local", "name": "GoTrue", "description": "A stand-in for Supabase Auth"})

    def require_api_key(self, request: Request) -> None:
        """Supabase's gateway lets nothing through without one of the project's keys."""
        sent = request.headers.get("apikey") or request.query_params.get("apikey")
        if sent not in {self._settings.keys.anon_key, self._settings.keys.service_role_key}:
            raise _KeyMissingError("Invalid API key" if sent else "No API key found in request")

    def _require_admin(self, request: Request) -> None:
        bearer = _bearer(request)
        if not bearer:
            raise no_authorization()
        try:
            role = jwt.decode(bearer, self._settings.keys.jwt_secret, algorithms=["HS256"]).get("role")
        except jwt.InvalidAlgorithmError:
            role = None  # a user's own token
        except jwt.PyJWTError as error:
            raise bad_jwt(f"invalid JWT: unable to parse or verify signature, {error}") from error
        if role != "service_role":
            raise AuthError(403, "not_admin", "User not allowed")


class _KeyMissingError(Exception):
    """The gateway's refusal, which has a shape of its own."""


def create_app(settings: Settings) -> Starlette:
    """The ASGI application."""
    api = Api(settings)
    routes = [
        ("/signup", "POST", Api.signup),
        ("/token", "POST", Api.token),
        ("/user", "GET", Api.user),
        ("/logout", "POST", Api.logout),
        ("/admin/users", "POST", Api.create_user),
        ("/admin/users", "GET", Api.list_users),
        ("/admin/users/{user_id}", "GET", Api.read_user),
        ("/admin/users/{user_id}", "DELETE", Api.delete_user),
    ]
    public = [("/.well-known/jwks.json", "GET", Api.jwks), ("/health", "GET", Api.health)]
    return Starlette(
        lifespan=api.lifespan,
        routes=[
            *(Route(_BASE + path, _guarded(api, handler), methods=[method]) for path, method, handler in routes),
            *(Route(_BASE + path, _open(api, handler), methods=[method]) for path, method, handler in public),
        ],
    )


def _open(api: Api, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return await handler(api, request)

    return serve


def _guarded(api: Api, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            api.require_api_key(request)
            return await handler(api, request)
        except _KeyMissingError as error:
            return JSONResponse({"message": str(error)}, status_code=401)
        except AuthError as error:
            return _refusal(request, error)
        except psycopg.Error as error:
            print(f"database: {error}", flush=True)
            return _refusal(request, database_error("querying schema"))

    return serve


def _refusal(request: Request, error: AuthError) -> Response:
    version = request.headers.get(VERSION_HEADER, "")
    return JSONResponse(
        error.body(version), status_code=error.status, headers={VERSION_HEADER: version} if version else {}
    )


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {error}") from error
    return _object(body)


def _object(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise validation_failed("An object was expected")
    return value


def _text(body: dict[str, Any], name: str, missing: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise validation_failed(missing)
    return value


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or not int(text):
        raise validation_failed(f"Bad Pagination Parameters: {name}")
    return int(text)
