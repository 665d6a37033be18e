"""Sessions: access tokens, and refresh tokens that work once.

A refresh token is stored as its hash. Using one a second time means that two parties have it, so the whole session is
revoked. Deleting a session, or its account, takes the refresh tokens with it.
"""

import hashlib
import secrets
import time
from typing import Any
from uuid import UUID

import jwt
from psycopg.rows import DictRow

from local.auth.accounts import as_user
from local.auth.errors import AuthError, bad_jwt, no_authorization
from local.auth.pool import Connection, Pool
from local.auth.settings import Settings

_AUDIENCE = "authenticated"


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool, self._settings = pool, settings
        self._key = settings.keys.private_key
        self._public_key = self._key.public_key()

    async def open(self, user_id: UUID) -> dict[str, Any]:
        """Start a session for an account; the answer that carries its tokens."""
        async with self._pool.connection() as connection, connection.transaction():
            user = await _signed_in(connection, user_id)
            cursor = await connection.execute("insert into auth.sessions (user_id) values (%s) returning id", [user_id])
            session = await cursor.fetchone()
            assert session is not None
            return await self._answer(connection, user, session["id"])

    async def renew(self, refresh_token: str) -> dict[str, Any]:
        """Use up a refresh token for new tokens."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await _find(connection, refresh_token)
            if not found["revoked"]:
                await connection.execute("update auth.refresh_tokens set revoked = true where id = %s", [found["id"]])
                await connection.execute(
                    "update auth.sessions set updated_at = now() where id = %s", [found["session_id"]]
                )
                user = await _signed_in(connection, found["user_id"])
                return await self._answer(connection, user, found["session_id"])
            await connection.execute(
                "update auth.refresh_tokens set revoked = true where session_id = %s", [found["session_id"]]
            )
        # Raised outside the transaction, which would otherwise take the revocation back.
        raise AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")

    async def end(self, claims: dict[str, Any], scope: str) -> None:
        """End this session (`local`), all others (`others`), or all (`global`)."""
        condition = {"local": "id = %(id)s", "others": "user_id = %(user)s and id <> %(id)s"}.get(
            scope, "user_id = %(user)s"
        )
        async with self._pool.connection() as connection:
            await connection.execute(
                f"delete from auth.sessions where {condition}",  # noqa: S608 - one of three constants
                {"id": claims["session_id"], "user": claims["sub"]},
            )

    async def authenticate(self, bearer: str | None) -> tuple[dict[str, Any], DictRow]:
        """The claims of an access token and its account; both the account and the session must still exist."""
        claims = self._decode(bearer)
        row = await self._pool.one("select * from auth.users where id = %s", claims["sub"])
        if row is None:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if not await self._pool.one("select 1 from auth.sessions where id = %s", claims["session_id"]):
            raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return claims, row

    def _decode(self, bearer: str | None) -> dict[str, Any]:
        if not bearer:
            raise no_authorization()
        try:
            return jwt.decode(
                bearer,
                self._public_key,
                algorithms=["ES256"],
                audience=_AUDIENCE,
                issuer=self._settings.issuer,
                options={"require": ["sub", "session_id", "exp"]},
            )
        except jwt.PyJWTError as error:
            raise bad_jwt(f"invalid JWT: unable to parse or verify signature, {error}") from error

    async def _answer(self, connection: Connection, user: DictRow, session_id: UUID) -> dict[str, Any]:
        refresh_token = secrets.token_urlsafe(24)
        await connection.execute(
            "insert into auth.refresh_tokens (token_hash, user_id, session_id) values (%s, %s, %s)",
            [_hash(refresh_token), user["id"], session_id],
        )
        now = int(time.time())
        return {
            "access_token": self._sign(user, session_id, now),
            "token_type": "bearer",
            "expires_in": self._settings.token_seconds,
            "expires_at": now + self._settings.token_seconds,
            "refresh_token": refresh_token,
            "user": as_user(user),
        }

    def _sign(self, user: DictRow, session_id: UUID, now: int) -> str:
        claims = {
            "iss": self._settings.issuer,
            "sub": str(user["id"]),
            "aud": _AUDIENCE,
            "exp": now + self._settings.token_seconds,
            "iat": now,
            "email": user["email"],
            "phone": "",
            "app_metadata": user["raw_app_meta_data"],
            "user_metadata": user["raw_user_meta_data"],
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": str(session_id),
            "is_anonymous": False,
        }
        return jwt.encode(claims, self._key, "ES256", headers={"kid": self._settings.keys.key_id})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def _signed_in(connection: Connection, user_id: UUID) -> DictRow:
    cursor = await connection.execute(
        "update auth.users set last_sign_in_at = now() where id = %s returning *", [user_id]
    )
    user = await cursor.fetchone()
    if user is None:
        raise AuthError(403, "user_not_found", "User not found")
    return user


async def _find(connection: Connection, refresh_token: str) -> DictRow:
    """The token's row, locked with its session: of two that come at once the second sees it used."""
    cursor = await connection.execute(
        """
        select token.* from auth.refresh_tokens token join auth.sessions session on session.id = token.session_id
        where token.token_hash = %s for update
        """,
        [_hash(refresh_token)],
    )
    found = await cursor.fetchone()
    if found is None:
        raise AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    return found
