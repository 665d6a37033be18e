"""Access tokens of Supabase Auth, verified in the function: signature, issuer, audience, times and role.

A project signs its tokens with a key of its JWKS (ES256, RS256) or, if it is older, with a shared secret (HS256). The
algorithm of each key is decided here, never by the token, so that nobody can pass a public key off as the shared
secret.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from studysync.errors import ApiError, unauthenticated, unavailable

AUDIENCE = "authenticated"
ASYMMETRIC_ALGORITHMS = frozenset({"ES256", "RS256"})
JWKS_REFRESH_SECONDS = 60.0
"""An unknown ``kid`` makes us fetch the keys again, but no more often than this."""
JWKS_RETRY_SECONDS = 1.0
"""The minimum time between a failed fetch and the next one."""
JWKS_KEPT_SECONDS = 600.0
"""The maximum age of the keys, so that a revoked key does not stay trusted."""
CLOCK_LEEWAY_SECONDS = 5.0
_CANNOT_CHECK = "Access tokens cannot be verified at the moment."
_VERIFIED_TOKENS = 1024
_MAX_TOKEN_LENGTH = 8192

FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, as given by the access token.

    Attributes:
        user_id: the account.
        token: the token itself, for calls to Supabase Auth on the caller's behalf. Never logged.
        session_id: the Supabase Auth session that the token belongs to; ``None`` if the token has none.
        needs_second_factor: the account has a second factor that the session has not verified.
    """

    user_id: UUID
    token: str = field(repr=False)
    session_id: UUID | None = None
    needs_second_factor: bool = False


class TokenVerifier:
    """Verifies access tokens. Caches the project's keys and the tokens it has verified.

    Args:
        issuer: the required ``iss``, Supabase Auth's URL.
        fetch_keys: gets the JWKS, ``{"keys": [...]}``.
        shared_secret: for HS256; if empty, such tokens are rejected.
        clock: seconds since 1970, for the expiry of cached tokens.
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
        # Verifying a signature costs at least 100 microseconds, and a client sends the same token for an hour.
        self._verified: LRUCache[str, tuple[float, Caller]] = LRUCache(_VERIFIED_TOKENS)

    async def verify(self, token: str) -> Caller:
        """Return the caller of `token`.

        Raises:
            ApiError: AUTHENTICATION_ERROR, the token is invalid; SERVICE_UNAVAILABLE, the keys cannot be fetched.
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

    async def prepare(self) -> None:
        """Fetch the keys now, so that the first token need not wait for them.

        Raises:
            ApiError: SERVICE_UNAVAILABLE, they cannot be fetched.
        """
        await self._refresh_keys()

    def admit(self, caller: Caller) -> None:
        """Accept the token of `caller` unseen, for the requests that are made before a snapshot."""
        self._verified[caller.token] = (float("inf"), caller)

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
            raise jwt.InvalidTokenError("not an access token of a user")
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
            raise jwt.InvalidKeyError("unknown key")
        return key

    async def _renew_keys(self) -> None:
        try:
            await self._refresh_keys()
        except ApiError:
            # Supabase Auth does not answer: keep the current keys, and fetch again in a minute.
            self._keys_asked_at = self._clock() - JWKS_KEPT_SECONDS + JWKS_REFRESH_SECONDS

    async def _refresh_keys(self) -> None:
        if 0 <= self._clock() - self._failed_at < JWKS_RETRY_SECONDS:
            raise unavailable(_CANNOT_CHECK)
        try:
            keys = _usable(await self._fetch_keys())
            if self._keys and not keys:
                raise ValueError("a project that has keys does not lose all of them")
        except (httpx.HTTPError, TimeoutError, jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            # No answer, or one without keys, such as a proxy's. It does not count as a fetch: the next request tries
            # again, except for those waiting now. The current keys stay valid.
            self._failed_at = self._clock()
            raise unavailable(_CANNOT_CHECK) from error
        self._keys_asked_at = self._clock()
        self._keys = keys
        self._verified.clear()  # tokens signed with a removed key are no longer valid


async def rehearse() -> None:
    """Sign a token with a new key and verify it, so that all that verification loads is loaded."""
    key, now = ec.generate_private_key(ec.SECP256R1()), int(time.time())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "rehearsal", "alg": "ES256"}

    async def keys() -> Mapping[str, Any]:
        return {"keys": [public]}

    claims = {"iss": "rehearsal", "aud": AUDIENCE, "role": AUDIENCE, "sub": str(uuid4()), "iat": now, "exp": now + 60}
    token = jwt.encode(claims, key, "ES256", {"kid": "rehearsal"})
    await TokenVerifier(issuer="rehearsal", fetch_keys=keys).verify(token)


def _caller(claims: Mapping[str, Any], token: str) -> Caller:
    session_id, metadata = claims.get("session_id"), claims.get("app_metadata")
    # The database records on the account that it has a factor, and Supabase Auth puts that into every token.
    has_factor = isinstance(metadata, dict) and metadata.get("mfa") is True
    return Caller(
        UUID(claims["sub"]), token, UUID(session_id) if session_id else None, has_factor and claims.get("aal") != "aal2"
    )


def _usable(found: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the keys that may sign tokens; unusable ones are skipped.

    Raises:
        ValueError: there are keys, but none can be read.
    """
    keys, unreadable = {}, 0
    for each in found.get("keys", ()):
        try:
            if each.get("kty") not in {"EC", "RSA"} or each.get("use", "sig") != "sig":
                continue
            key = jwt.PyJWK.from_dict(dict(each))
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):  # an unknown curve, or not a key at all
            unreadable += 1
            continue
        if key.algorithm_name in ASYMMETRIC_ALGORITHMS:
            keys[str(key.key_id)] = key
    if unreadable and not keys:
        raise ValueError("no key can be read")
    return keys
