"""Verification of access tokens with test keys and a test clock."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from studysync.auth.tokens import JWKS_KEPT_SECONDS, JWKS_REFRESH_SECONDS, JWKS_RETRY_SECONDS, Caller, TokenVerifier
from studysync.errors import ApiError

ISSUER = "https://project.supabase.co/auth/v1"
SECRET = "a shared secret, long enough for every algorithm: at least 64 bytes"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
USER_ID = uuid.uuid4()


def jwk(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        public, algorithm = json.loads(RSAAlgorithm.to_jwk(key.public_key())), "RS256"
    else:
        public, algorithm = json.loads(ECAlgorithm.to_jwk(key.public_key())), "ES256"
    return {**public, "kid": kid, "alg": algorithm, "use": "sig"}


class Keys:
    """A project's JWKS that counts how often it is fetched."""

    def __init__(self) -> None:
        self.keys = [jwk(EC_KEY, "ec"), jwk(RSA_KEY, "rsa")]
        self.asked = 0
        self.down = False

    async def fetch(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.down:
            raise httpx.ConnectError("down")
        return {"keys": self.keys}


class Clock:
    """Seconds since 1970, set by the test."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "iss": ISSUER, "sub": str(USER_ID), "aud": "authenticated", "role": "authenticated", "iat": now,
        "exp": now + 3600, **changes,
    }  # fmt: skip
    return {name: value for name, value in whole.items() if value is not None}


def token(key: Any = EC_KEY, algorithm: str = "ES256", kid: str | None = "ec", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def verifier(keys: Keys | None = None, secret: str = "", clock: Clock | None = None) -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, fetch_keys=(keys or Keys()).fetch, shared_secret=secret, clock=clock or Clock())


def verify(verifier: TokenVerifier, token: str) -> Caller:
    return asyncio.run(verifier.verify(token))


def refused(verifier: TokenVerifier, token: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        verify(verifier, token)
    return caught.value


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(EC_KEY, "ES256", "ec"), (RSA_KEY, "RS256", "rsa")])
def test_tokens_signed_with_a_key_of_the_project_are_good(key: Any, algorithm: str, kid: str) -> None:
    """Tokens of both asymmetric algorithms are verified against the JWKS."""
    assert verify(verifier(), token(key, algorithm, kid)).user_id == USER_ID


def test_shared_secrets_work_only_where_one_is_set() -> None:
    """HS256 is accepted in a project with a shared secret, and refused in every other."""
    signed = token(SECRET, "HS256", None)
    assert verify(verifier(secret=SECRET), signed).user_id == USER_ID
    assert refused(verifier(), signed).kind.code == "AUTHENTICATION_ERROR"
    assert refused(verifier(secret=SECRET + "x"), signed).kind.code == "AUTHENTICATION_ERROR"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.supabase.co/auth/v1"},
        {"iss": None},
        {"aud": "anon"},
        {"aud": None},
        {"role": "service_role"},
        {"role": None},
        {"sub": "not-a-uuid"},
        {"sub": None},
        {"exp": None},
        {"exp": int(time.time()) - 60},
        {"iat": int(time.time()) + 10**8},
        {"nbf": int(time.time()) + 10**8},
    ],
    ids="-".join,
)
def test_each_claim_is_checked(changes: dict[str, Any]) -> None:
    """A valid signature with a wrong claim is a 401 with a challenge."""
    error = refused(verifier(), token(**changes))
    assert error.kind.code == "AUTHENTICATION_ERROR"
    assert error.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "forged",
    [
        token(OTHER_KEY),
        token(kid=None),
        token(kid="../../dev/null"),
        token(kid="rsa"),
        token(EC_KEY, "ES256", "unknown"),
        jwt.encode(claims(), None, algorithm="none", headers={"kid": "ec"}),
        jwt.encode(claims(), SECRET, algorithm="HS512", headers={"kid": "ec"}),
        "",
        "a.b.c",
        "x" * 100_000,
        "\ud800.\ud800.\ud800",
    ],
    ids=lambda forged: forged[:12].encode("ascii", "replace").decode(),
)
def test_forgeries_are_refused(forged: str) -> None:
    """A token that no project key signed with that key's algorithm is a 401."""
    assert refused(verifier(secret=SECRET), forged).kind.code == "AUTHENTICATION_ERROR"


def test_a_verified_token_expires_all_the_same() -> None:
    """Caching verified tokens does not extend their lifetime."""
    clock = Clock()
    keeping, signed = verifier(clock=clock), token(exp=int(time.time()) + 1)
    verify(keeping, signed)
    clock.now += 3
    # After its expiry PyJWT verifies it again, on the real clock and with leeway: valid for these 5 seconds.
    assert keeping._verified[signed][0] < clock.now


def test_keys_are_fetched_once() -> None:
    """A thousand requests with known keys fetch the keys once."""
    keys = Keys()
    keeping = verifier(keys)
    for _ in range(3):
        verify(keeping, token(iat=int(time.time()) - 1))
        verify(keeping, token(RSA_KEY, "RS256", "rsa"))
    assert keys.asked == 1


def test_an_unknown_key_is_asked_for_once_a_minute() -> None:
    """A new key of the project is found, and made-up key ids do not cause repeated fetches."""
    keys, clock = Keys(), Clock()
    keeping = verifier(keys, clock=clock)
    verify(keeping, token())
    for _ in range(5):
        refused(keeping, token(OTHER_KEY, kid="new"))
    assert keys.asked == 1
    keys.keys.append(jwk(OTHER_KEY, "new"))
    clock.now += JWKS_REFRESH_SECONDS
    assert verify(keeping, token(OTHER_KEY, kid="new")).user_id == USER_ID
    assert keys.asked == 2


def test_a_revoked_key_is_not_trusted_for_long() -> None:
    """Ten minutes after a project revoked a key its tokens are refused, even those already verified."""
    keys, clock = Keys(), Clock()
    keeping, seen, unseen = verifier(keys, clock=clock), token(), token(iat=int(time.time()) - 1)
    verify(keeping, seen)
    keys.keys = [jwk(RSA_KEY, "rsa")]
    clock.now += JWKS_KEPT_SECONDS
    for each in (seen, unseen):
        assert refused(keeping, each).kind.code == "AUTHENTICATION_ERROR"
    assert verify(keeping, token(RSA_KEY, "RS256", "rsa")).user_id == USER_ID


def test_keys_that_cannot_be_renewed_stay_good() -> None:
    """An outage of Supabase Auth signs nobody out, and is not probed on every request."""
    keys, clock = Keys(), Clock()
    keeping = verifier(keys, clock=clock)
    verify(keeping, token())
    keys.down = True
    clock.now += JWKS_KEPT_SECONDS
    for _ in range(5):
        assert verify(keeping, token()).user_id == USER_ID
    assert keys.asked == 2
    keys.down = False
    clock.now += JWKS_REFRESH_SECONDS
    verify(keeping, token())
    assert keys.asked == 3


def test_without_keys_the_answer_is_503_until_the_outage_is_over() -> None:
    """Without keys an outage of Supabase Auth is not the client's fault, and is probed once a second."""
    keys, clock = Keys(), Clock()
    keeping = verifier(keys, clock=clock)
    keys.down = True
    for _ in range(5):  # a request needs the keys twice: for the limit and for the route
        assert refused(keeping, token()).kind.code == "SERVICE_UNAVAILABLE"
    assert keys.asked == 1
    keys.down = False
    clock.now += JWKS_RETRY_SECONDS
    assert verify(keeping, token()).user_id == USER_ID


@pytest.mark.parametrize("answer", [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}])
def test_a_project_does_not_lose_all_its_keys(answer: dict[str, Any]) -> None:
    """JSON from an intermediary signs nobody out, whether or not it contains an unknown key."""
    keys, clock = Keys(), Clock()

    async def fetch() -> Any:
        return answer if keys.down else await keys.fetch()

    keeping = TokenVerifier(issuer=ISSUER, fetch_keys=fetch, clock=clock)
    verify(keeping, token())
    keys.down = True
    clock.now += JWKS_REFRESH_SECONDS
    assert refused(keeping, token(OTHER_KEY, kid="made-up")).kind.code == "SERVICE_UNAVAILABLE"
    assert verify(keeping, token()).user_id == USER_ID
    clock.now += JWKS_KEPT_SECONDS
    assert verify(keeping, token()).user_id == USER_ID


@pytest.mark.parametrize("answer", [{"keys": "none"}, {"keys": [1]}, {"keys": [{"kty": "EC", "kid": "ec"}]}, [], None])
def test_an_answer_that_holds_no_keys_is_an_outage(answer: Any) -> None:
    """An answer that is not a JWKS is a 503 at first, and later leaves the known keys in place."""
    keys, clock = Keys(), Clock()

    async def fetch() -> Any:
        return answer if keys.down else await keys.fetch()

    keeping = TokenVerifier(issuer=ISSUER, fetch_keys=fetch, clock=clock)
    keys.down = True
    assert refused(keeping, token()).kind.code == "SERVICE_UNAVAILABLE"
    keys.down = False
    clock.now += JWKS_RETRY_SECONDS
    verify(keeping, token())
    keys.down = True
    clock.now += JWKS_KEPT_SECONDS
    assert verify(keeping, token()).user_id == USER_ID


def test_the_token_is_never_shown() -> None:
    """A caller in a log line or traceback does not show the token."""
    signed = token()
    assert signed not in repr(verify(verifier(), signed))


ODD_KEYS: list[Any] = [
    {"kty": "OKP", "crv": "Ed25519", "kid": "okp", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "EdDSA"},
    {"kty": "EC", "crv": "P-999", "kid": "curve", "x": "AA", "y": "AA", "alg": "ES999"},
    {"kty": "EC", "crv": "secp256k1", "kid": "coin", "x": "AA", "y": "AA"},
    {"kty": "RSA", "kid": "broken", "n": "AA"},
    {"kty": "lattice", "kid": "tomorrow"},
    {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
    {**jwk(OTHER_KEY, "encrypts"), "use": "enc"},
    {"kid": "nothing"},
    "a text",
    None,
    7,
]


@pytest.mark.parametrize("odd", ODD_KEYS, ids=range(len(ODD_KEYS)))
@pytest.mark.parametrize("place", [0, 2])
def test_a_key_of_no_use_stands_in_nobody_s_way(odd: Any, place: int) -> None:
    """A key of another type, curve or use, or a malformed one, does not hide a good key before or after it."""
    keys = Keys()
    keys.keys.insert(place, odd)
    checking = verifier(keys)
    assert verify(checking, token()).user_id == USER_ID
    assert verify(checking, token(RSA_KEY, "RS256", "rsa")).user_id == USER_ID


def test_a_key_for_encryption_signs_nothing() -> None:
    """A token signed with an encryption key is refused, though its signature would be valid."""
    keys = Keys()
    keys.keys.append({**jwk(OTHER_KEY, "encrypts"), "use": "enc"})
    assert refused(verifier(keys), token(OTHER_KEY, kid="encrypts")).kind.code == "AUTHENTICATION_ERROR"


def test_a_standby_key_takes_over() -> None:
    """A standby key works with its first token, and the old key is dropped within ten minutes."""
    keys, clock = Keys(), Clock()
    keys.keys = [jwk(EC_KEY, "ec"), jwk(OTHER_KEY, "standby")]
    checking = verifier(keys, clock=clock)
    verify(checking, token())
    assert verify(checking, token(OTHER_KEY, kid="standby")).user_id == USER_ID
    assert keys.asked == 1
    keys.keys = [jwk(OTHER_KEY, "standby")]
    clock.now += JWKS_KEPT_SECONDS
    assert refused(checking, token()).kind.code == "AUTHENTICATION_ERROR"
    assert verify(checking, token(OTHER_KEY, kid="standby")).user_id == USER_ID


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"aal": "aal1"}, False),
        ({"aal": "aal1", "app_metadata": {"mfa": True}}, True),
        ({"app_metadata": {"mfa": True}}, True),
        ({"aal": "aal2", "app_metadata": {"mfa": True}}, False),
        ({"aal": "aal1", "user_metadata": {"mfa": True}, "app_metadata": {}}, False),
    ],
)
def test_a_token_tells_whether_a_second_factor_is_missing(changes: dict[str, Any], needed: bool) -> None:
    """Whether a second factor is missing follows from Supabase Auth's account and session."""
    assert verify(verifier(), token(**changes)).needs_second_factor is needed
