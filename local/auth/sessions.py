"""Sessions: access tokens, and refresh tokens that work once.

A repeated refresh token returns the session's current one if the first answer may have been lost: within the reuse
interval, and for the immediate parent of the current one. An older token must be held by two parties, so the whole
session is revoked. Deleting a session, or its account, deletes its refresh tokens.
"""

import secrets
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from psycopg.rows import DictRow

from local.auth.accounts import Accounts, as_user, refuse_banned
from local.auth.errors import AuthError, bad_jwt, no_authorization
from local.auth.pool import Connection, Pool
from local.auth.settings import Settings

_AUDIENCE = "authenticated"


@dataclass(frozen=True)
class Client:
    """The client that opens or renews a session, for the list of sessions."""

    user_agent: str | None
    address: str | None


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(self, pool: Pool, accounts: Accounts, settings: Settings) -> None:
        self._pool, self._accounts, self._issuer = pool, accounts, settings.issuer
        config, self._keys = settings.config, settings.keys
        self._token_seconds = settings.token_seconds or config.jwt_expiry
        self._reuse_seconds, self._rotates = config.refresh_token_reuse_interval, config.enable_refresh_token_rotation
        self._key = self._keys.private_key
        self._public_key = self._key.public_key()

    async def open(self, user_id: UUID, client: Client, method: str) -> dict[str, Any]:
        """Start a session for an account that has signed in by `method`; returns the response with its tokens."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("update auth.users set last_sign_in_at = now() where id = %s", [user_id])
            session = await _one(
                connection,
                "insert into auth.sessions (user_id, user_agent, ip) values (%s, %s, %s) returning *",
                [user_id, client.user_agent, client.address],
            )
            await _record_method(connection, session["id"], method)
            refresh_token = await _new_token(connection, session, None)
            return await self._answer(connection, session, refresh_token)

    async def renew(self, refresh_token: str, client: Client) -> dict[str, Any]:
        """Exchange a refresh token for new tokens."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await _find(connection, refresh_token)
            current = await self._current(connection, found) if found["revoked"] else None
            if current is not None or not found["revoked"]:
                session = await _one(
                    connection,
                    "update auth.sessions set refreshed_at = now() at time zone 'UTC', updated_at = now(), "
                    "user_agent = %s, ip = %s where id = %s returning *",
                    [client.user_agent, client.address, found["session_id"]],
                )
                if current is None:
                    current = await _replace(connection, session, found["token"])
                return await self._answer(connection, session, current)
            if self._rotates:
                await connection.execute(
                    "update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = %s",
                    [found["session_id"]],
                )
        # Raised outside the transaction, which would otherwise roll the revocation back.
        raise AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")

    async def raise_assurance(self, claims: dict[str, Any], factor_id: UUID) -> dict[str, Any]:
        """Mark a session's second factor as verified, and end the account's sessions without one."""
        async with self._pool.connection() as connection, connection.transaction():
            session = await _one(
                connection,
                "update auth.sessions set aal = 'aal2', factor_id = %s, updated_at = now() where id = %s returning *",
                [factor_id, claims["session_id"]],
            )
            await _record_method(connection, session["id"], "totp")
            await connection.execute(
                "delete from auth.sessions where user_id = %s and aal < 'aal2'", [session["user_id"]]
            )
            active = await _active_token(connection, session["id"])
            refresh_token = await _replace(connection, session, active["token"] if active else None)
            return await self._answer(connection, session, refresh_token)

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

    async def end_all(self, user_id: UUID) -> None:
        """End every session of an account."""
        async with self._pool.connection() as connection:
            await connection.execute("delete from auth.sessions where user_id = %s", [user_id])

    async def authenticate(self, bearer: str | None) -> tuple[dict[str, Any], DictRow]:
        """The claims of an access token and its account; both the account and the session must still exist."""
        claims = self._decode(bearer)
        try:
            row = await self._accounts.by_id(claims["sub"])
        except AuthError as error:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist") from error
        if not await self._pool.one("select 1 from auth.sessions where id = %s", claims["session_id"]):
            raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return claims, row

    async def _current(self, connection: Connection, used: DictRow) -> str | None:
        """Return the session's current token for a used one, if that may be exchanged; else None."""
        active = await _active_token(connection, used["session_id"])
        if active is None:
            return None
        allowed: str = active["token"]
        return allowed if active["parent"] == used["token"] or used["age"] <= self._reuse_seconds else None

    def _decode(self, bearer: str | None) -> dict[str, Any]:
        if not bearer:
            raise no_authorization()
        try:
            return jwt.decode(
                bearer,
                self._public_key,
                algorithms=["ES256"],
                audience=_AUDIENCE,
                issuer=self._issuer,
                options={"require": ["sub", "session_id", "exp"]},
            )
        except jwt.PyJWTError as error:
            raise bad_jwt(f"invalid JWT: unable to parse or verify signature, {error}") from error

    async def _answer(self, connection: Connection, session: DictRow, refresh_token: str) -> dict[str, Any]:
        user = await Accounts.read(connection, session["user_id"])
        refuse_banned(user, "Invalid Refresh Token: User Banned")
        rows = await connection.execute(
            "select authentication_method, updated_at from auth.mfa_amr_claims where session_id = %s order by 2 desc",
            [session["id"]],
        )
        methods = [
            {"method": row["authentication_method"], "timestamp": int(row["updated_at"].timestamp())}
            for row in await rows.fetchall()
        ]
        now = int(time.time())
        return {
            "access_token": self._sign(user, session, methods, now),
            "token_type": "bearer",
            "expires_in": self._token_seconds,
            "expires_at": now + self._token_seconds,
            "refresh_token": refresh_token,
            "user": as_user(user),
        }

    def _sign(self, user: DictRow, session: DictRow, methods: list[dict[str, Any]], now: int) -> str:
        claims = {
            "iss": self._issuer,
            "sub": str(user["id"]),
            "aud": _AUDIENCE,
            "exp": now + self._token_seconds,
            "iat": now,
            "email": user["email"],
            "phone": "",
            "app_metadata": user["raw_app_meta_data"],
            "user_metadata": user["raw_user_meta_data"],
            "role": user["role"],
            "aal": session["aal"],
            "amr": methods,
            "session_id": str(session["id"]),
            "is_anonymous": False,
        }
        return jwt.encode(claims, self._key, "ES256", headers={"kid": self._keys.key_id})


async def _one(connection: Connection, query: str, values: list[Any]) -> DictRow:
    row = await (await connection.execute(query, values)).fetchone()
    if row is None:
        raise AuthError(403, "session_not_found", "Session not found")
    return row


async def _record_method(connection: Connection, session_id: UUID, method: str) -> None:
    await connection.execute(
        "insert into auth.mfa_amr_claims (session_id, authentication_method) values (%s, %s) "
        "on conflict (session_id, authentication_method) do update set updated_at = now()",
        [session_id, method],
    )


async def _active_token(connection: Connection, session_id: UUID) -> DictRow | None:
    query = "select * from auth.refresh_tokens where session_id = %s and not revoked order by id desc limit 1"
    return await (await connection.execute(query, [session_id])).fetchone()


async def _replace(connection: Connection, session: DictRow, used: str | None) -> str:
    """Use up a refresh token and return the next one of its session."""
    await connection.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = now() where token = %s", [used]
    )
    return await _new_token(connection, session, used)


async def _new_token(connection: Connection, session: DictRow, parent: str | None) -> str:
    token = secrets.token_urlsafe(24)
    await connection.execute(
        "insert into auth.refresh_tokens (token, parent, user_id, session_id) values (%s, %s, %s, %s)",
        [token, parent, session["user_id"], session["id"]],
    )
    return token


async def _find(connection: Connection, refresh_token: str) -> DictRow:
    """Return the token's row, locked with its session: of two concurrent requests, the second sees it used."""
    cursor = await connection.execute(
        """
        select token.*, extract(epoch from clock_timestamp() - token.updated_at) as age
        from auth.refresh_tokens token join auth.sessions session on session.id = token.session_id
        where token.token = %s for update
        """,
        [refresh_token],
    )
    found = await cursor.fetchone()
    if found is None:
        raise AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    return found
