"""Second factors: time-based one-time passwords (RFC 6238), as in authenticator apps."""

import base64
import hmac
import secrets
import struct
import time
from typing import Any
from urllib.parse import quote
from uuid import UUID

from psycopg.rows import DictRow

from local.auth.accounts import has_second_factor
from local.auth.config import Config
from local.auth.errors import AuthError, validation_failed
from local.auth.pool import Pool
from local.auth.sessions import Sessions

_STEP, _DIGITS = 30, 6
_CHALLENGE_SECONDS = 300


class Factors:
    """Enrols, challenges and verifies them."""

    def __init__(self, pool: Pool, sessions: Sessions, config: Config) -> None:
        self._pool, self._sessions, self._config = pool, sessions, config

    async def enroll(self, claims: dict[str, Any], user: DictRow, body: dict[str, Any]) -> dict[str, Any]:
        """Start adding a factor; it becomes active once a code of it is verified."""
        if body.get("factor_type") != "totp":
            raise validation_failed("factor_type needs to be totp")
        if not self._config.totp_enroll:
            raise AuthError(422, "mfa_totp_enroll_not_enabled", "MFA enroll is disabled for TOTP")
        if has_second_factor(user) and claims["aal"] != "aal2":
            raise AuthError(403, "insufficient_aal", "AAL2 required to enroll a new factor")
        secret = base64.b32encode(secrets.token_bytes(20)).decode()
        row = await self._pool.one(
            "insert into auth.mfa_factors (user_id, friendly_name, factor_type, status, secret) "
            "values (%s, %s, 'totp', 'unverified', %s) returning id",
            user["id"],
            body.get("friendly_name"),
            secret,
        )
        assert row is not None
        issuer = body.get("issuer") or self._config.site_url
        label = quote(f"{issuer}:{user['email']}")
        uri = f"otpauth://totp/{label}?secret={secret}&issuer={quote(str(issuer))}"
        picture = f'<svg xmlns="http://www.w3.org/2000/svg"><title>{quote(uri)}</title></svg>'
        return {
            "id": str(row["id"]),
            "type": "totp",
            "friendly_name": body.get("friendly_name"),
            "totp": {"qr_code": picture, "secret": secret, "uri": uri},
        }

    async def challenge(self, user: DictRow, factor_id: str) -> dict[str, Any]:
        """Ask for a code."""
        factor = await self._factor(user, factor_id)
        row = await self._pool.one("insert into auth.mfa_challenges (factor_id) values (%s) returning *", factor["id"])
        assert row is not None
        return {
            "id": str(row["id"]),
            "type": "totp",
            "expires_at": int(row["created_at"].timestamp()) + _CHALLENGE_SECONDS,
        }

    async def verify(
        self, claims: dict[str, Any], user: DictRow, factor_id: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Verify a code, and thereby the session's second factor."""
        if not self._config.totp_verify:
            raise AuthError(422, "mfa_totp_verify_not_enabled", "MFA verification is disabled for TOTP")
        factor = await self._factor(user, factor_id)
        challenge = await self._pool.one(
            "update auth.mfa_challenges set verified_at = now() where id = %s and factor_id = %s "
            "and verified_at is null and created_at > now() - make_interval(secs => %s) returning id",
            _uuid(body.get("challenge_id")),
            factor["id"],
            _CHALLENGE_SECONDS,
        )
        if challenge is None:
            raise AuthError(422, "mfa_challenge_expired", "MFA challenge has expired, verify against another challenge")
        if str(body.get("code")) not in {totp(factor["secret"], time.time() + shift) for shift in (-_STEP, 0, _STEP)}:
            raise AuthError(422, "mfa_verification_failed", "Invalid TOTP code entered")
        query = "update auth.mfa_factors set status = 'verified', updated_at = now() where id = %s returning id"
        await self._pool.one(query, factor["id"])
        return await self._sessions.raise_assurance(claims, factor["id"])

    async def remove(self, claims: dict[str, Any], user: DictRow, factor_id: str) -> dict[str, Any]:
        """Remove a factor; a verified one only in a session that has verified one."""
        factor = await self._factor(user, factor_id)
        if factor["status"] == "verified" and claims["aal"] != "aal2":
            raise AuthError(422, "insufficient_aal", "AAL2 required to unenroll verified factor")
        await self._pool.one("delete from auth.mfa_factors where id = %s returning id", factor["id"])
        return {"id": str(factor["id"])}

    async def _factor(self, user: DictRow, factor_id: str) -> DictRow:
        query = "select * from auth.mfa_factors where id = %s and user_id = %s"
        row = await self._pool.one(query, _uuid(factor_id), user["id"])
        if row is None:
            raise AuthError(404, "mfa_factor_not_found", "Factor not found")
        return row


def totp(secret: str, at: float) -> str:
    """The code that a secret gives at a time, in seconds since 1970."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(at // _STEP)), "sha1")
    start = digest[-1] & 0xF
    (number,) = struct.unpack(">I", digest[start : start + 4])
    return f"{(number & 0x7FFFFFFF) % 10**_DIGITS:0{_DIGITS}}"


def _uuid(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise AuthError(404, "mfa_factor_not_found", "An id must be a UUID") from None
