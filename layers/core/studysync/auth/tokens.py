"""Access tokens of Supabase Auth, verified in the function: signature, issuer, audience, times and role.

A project's tokens are signed with a key of its JWKS (ES256, RS256) or, in older projects, with a shared secret (HS256).
Which algorithm goes with which key is decided here and never by the token, so that a public key can not be passed off
as a shared secret.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import jwt
from cachetools import LRUCache

from studysync.errors import ApiError, unauthenticated, unavailable

AUDIENCE = "authenticated"
ASYMMETRIC_ALGORITHMS = frozenset({"ES256", "RS256"})
JWKS_REFRESH_SECONDS = 60.0
"""An unknown ``kid`` makes us ask for the keys again, but not more often than this."""
JWKS_RETRY_SECONDS = 1.0
"""After an attempt that failed they are not asked for again for so long."""
JWKS_KEPT_SECONDS = 600.0
"""The keys are asked for again when they are this old, so that one which was revoked is not trusted any longer."""
CLOCK_LEEWAY_SECONDS = 5.0
_CANNOT_CHECK = "Sign-in cannot be checked at the moment."
_VERIFIED_TOKENS = 1024
_MAX_TOKEN_LENGTH = 8192

FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, as the access token says.

    Attributes:
        user_id: the account.
        token: the token itself, for calls to Supabase Auth in the caller's name. Never logged.
        session_id: the session of Supabase Auth that the token belongs to; ``None``: it names none.
        needs_second_factor: the account has a second factor, and the session has not shown it.
    """

    user_id: UUID
    token: str = field(repr=False)
    session_id: UUID | None = None
    needs_second_factor: bool = False


class TokenVerifier:
    """Verifies access tokens, keeping the project's keys and the tokens it has verified.

    Args:
        issuer: the ``iss`` that tokens must have, Supabase Auth's URL.
        fetch_keys: gets the JWKS, ``{"keys": [...]}``.
        shared_secret: for HS256; empty: such tokens are refused.
        clock: seconds since 1970, for the expiry of tokens that were verified before.
    """

    def __init__(
        self, *, issuer: str, fetch_keys: FetchKeys, shared_secret: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer = issuer
        self._fetch_keys = fetch_keys
        self._shared_secret = shared_secret
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._keys_asked_at = self._failed_at = float("-inf")
        # A signature costs 100 microseconds and more to check, and a client sends the same token for an hour.
        self._verified: LRUCache[str, tuple[float, Caller]] = LRUCache(_VERIFIED_TOKENS)

    async def verify(self, token: str) -> Caller:
        """Return the caller that `token` speaks for.

        Raises:
            ApiError: AUTHENTICATION_ERROR, whatever is wrong with it; SERVICE_UNAVAILABLE, the keys cannot be had.
        """
        if self._keys and self._clock() - self._keys_asked_at >= JWKS_KEPT_SECONDS:
            await self._renew_keys()
        known = self._verified.get(token)
        if known is not None and known[0] > self._clock():
            return known[1]
        if len(token) > _MAX_TOKEN_LENGTH:
            raise unauthenticated("The access token is not valid.")
        try:
            claims = self._decode(token, await self._key_for(token))
            caller = _caller(claims, token)
        except jwt.ExpiredSignatureError as error:
            raise unauthenticated("The access token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise unauthenticated("The access token is not valid.") from error
        self._verified[token] = (float(claims["exp"]), caller)
        return caller

    def _decode(self, token: str, key: jwt.PyJWK | str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["HS256"] if isinstance(key, str) else [key.algorithm_name],
            audience=AUDIENCE,
            issuer=self._issuer,
            leeway=CLOCK_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
        if claims.get("role") != AUDIENCE:
            raise jwt.InvalidTokenError("not a user's token")
        return claims

    async def _key_for(self, token: str) -> jwt.PyJWK | str:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm == "HS256" and self._shared_secret:
            return self._shared_secret
        if algorithm not in ASYMMETRIC_ALGORITHMS:
            raise jwt.InvalidAlgorithmError("algorithm not allowed")
        kid = str(header.get("kid"))
        if kid not in self._keys and self._clock() - self._keys_asked_at >= JWKS_REFRESH_SECONDS:
            await self._refresh_keys()
        key = self._keys.get(kid)
        if key is None or key.algorithm_name != algorithm:
            raise jwt.InvalidKeyError("no such key")
        return key

    async def _renew_keys(self) -> None:
        try:
            await self._refresh_keys()
        except ApiError:
            # Supabase Auth does not answer: its keys stay good for now, and are asked for again in a minute.
            self._keys_asked_at = self._clock() - JWKS_KEPT_SECONDS + JWKS_REFRESH_SECONDS

    async def _refresh_keys(self) -> None:
        if 0 <= self._clock() - self._failed_at < JWKS_RETRY_SECONDS:
            raise unavailable(_CANNOT_CHECK)
        try:
            keys = _usable(await self._fetch_keys())
            if self._keys and not keys:
                raise ValueError("a project that has keys does not lose all of them")
        except (httpx.HTTPError, TimeoutError, jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            # No answer, or one that holds no keys, such as a proxy's. Not counted as asked: the next request but those
            # of this moment tries again. Keys that we have stay good.
            self._failed_at = self._clock()
            raise unavailable(_CANNOT_CHECK) from error
        self._keys_asked_at = self._clock()
        self._keys = keys
        self._verified.clear()  # what a key signed that has gone is not good any more


def _caller(claims: Mapping[str, Any], token: str) -> Caller:
    session_id, metadata = claims.get("session_id"), claims.get("app_metadata")
    # The database notes at the account that it has a factor, and Supabase Auth puts that into every token.
    has_factor = isinstance(metadata, dict) and metadata.get("mfa") is True
    return Caller(
        UUID(claims["sub"]), token, UUID(session_id) if session_id else None, has_factor and claims.get("aal") != "aal2"
    )


def _usable(found: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the keys that tokens may be signed with; one that is of no use to us stands in nobody's way.

    Raises:
        ValueError: what there is cannot be read, all of it.
    """
    keys, unreadable = {}, 0
    for each in found.get("keys", ()):
        try:
            if each.get("kty") not in {"EC", "RSA"} or each.get("use", "sig") != "sig":
                continue
            key = jwt.PyJWK.from_dict(dict(each))
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):  # a curve that nobody knows, or no key at all
            unreadable += 1
            continue
        if key.algorithm_name in ASYMMETRIC_ALGORITHMS:
            keys[str(key.key_id)] = key
    if unreadable and not keys:
        raise ValueError("no key can be read")
    return keys
