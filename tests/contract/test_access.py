"""Every route of the OpenAPI document, called without a token and with invalid ones."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.backends import Backends
from testing.client import Api, Student, assert_problem, openapi

PUBLIC = {
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/password/forgot"),
    ("POST", "/api/auth/password/reset"),
    ("POST", "/api/auth/email/confirm"),
    ("POST", "/api/auth/email/resend"),
    ("GET", "/health"),
    ("GET", "/health/liveness"),
    ("GET", "/health/readiness"),
    ("GET", "/health/dashboard"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/docs"),
}
OPERATIONS = [(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods]
# Operators use tokens of a different kind: tests/contract/test_health.py.
OPERATORS = {
    (method.upper(), path)
    for path, methods in openapi()["paths"].items()
    for method, operation in methods.items()
    if operation["tags"] == ["operations"]
}
PROTECTED = [operation for operation in OPERATIONS if operation not in PUBLIC | OPERATORS]


def concrete(path: str) -> str:
    return re.sub(r"\{[^}]+\}", str(uuid.UUID(int=7)), path)


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_nobody_gets_a_401(api: Api, method: str, path: str) -> None:
    """Without a token every route except the public ones answers 401, whatever else is wrong with the request."""
    response = api.request(method, concrete(path))
    assert_problem(response, 401, "AUTHENTICATION_ERROR")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), [*PROTECTED, *sorted(OPERATORS)])
def test_protected_routes_say_so_in_the_document(method: str, path: str) -> None:
    """The OpenAPI document says which routes need a token."""
    token = "operatorToken" if (method, path) in OPERATORS else "accessToken"
    assert openapi()["paths"][path][method.lower()]["security"] == [{token: []}]


@pytest.mark.parametrize(("method", "path"), sorted(PUBLIC))
def test_public_routes_need_no_token(api: Api, method: str, path: str) -> None:
    """The public routes answer without a token and ignore a bad one."""
    for token in (None, "nonsense"):
        assert api.request(method, path, token=token).status_code != 401


def _claims(backends: Backends, student: Student, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": f"{backends.project.url}/auth/v1", "sub": student.user_id, "aud": "authenticated",
        "role": "authenticated", "iat": now, "exp": now + 3600,
    }  # fmt: skip
    return {key: value for key, value in {**claims, **changes}.items() if value is not None}


def _unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, ""])


def _resigned(token: str, claims: dict[str, Any], key: Any, algorithm: str) -> str:
    headers = {"kid": jwt.get_unverified_header(token)["kid"]}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


@pytest.mark.parametrize("case", ["none", "None", "other key", "public key as secret", "service role", "anon", "empty"])
def test_forged_tokens_are_refused(api: Api, backends: Backends, student: Student, case: str) -> None:
    """A token that Supabase Auth did not sign for a user is answered with 401."""
    claims = _claims(backends, student)
    jwks = api.run(_jwks(f"{backends.project.url}/auth/v1"))
    public_key = jwt.PyJWK.from_dict(jwks["keys"][0]).key
    pem = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    token = {
        "none": lambda: _unsigned(claims, {"alg": "none", "typ": "JWT"}),
        "None": lambda: _unsigned(claims, {"alg": "None", "kid": jwks["keys"][0]["kid"]}),
        "other key": lambda: _resigned(student.token, claims, ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "public key as secret": lambda: _hs256(claims, pem, jwks["keys"][0]["kid"]),
        "service role": lambda: backends.keys.service_role_key,
        "anon": lambda: backends.keys.anon_key,
        "empty": lambda: " ",
    }[case]()
    assert_problem(api.get("/api/users/me", token=token), 401, "AUTHENTICATION_ERROR")


def _hs256(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    # PyJWT refuses to sign with a public key; an attacker does not.
    import hashlib
    import hmac

    signed = _unsigned(claims, {"alg": "HS256", "kid": kid, "typ": "JWT"}).rstrip(".")
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def _jwks(auth_url: str) -> dict[str, Any]:
    from studysync.db.transport import http_client

    found: dict[str, Any] = (await http_client().get(f"{auth_url}/.well-known/jwks.json")).json()
    return found


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer-ish"])
def test_other_schemes_are_refused(api: Api, student: Student, scheme: str) -> None:
    """Only the Bearer scheme is accepted."""
    response = api.get("/api/users/me", headers={"Authorization": f"{scheme} {student.token}"})
    assert_problem(response, 401, "AUTHENTICATION_ERROR")


def test_a_changed_token_is_refused(api: Api, student: Student) -> None:
    """A token with a changed subject and the old signature is refused."""
    header, claims, signature = student.token.split(".")
    padded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    padded["sub"] = str(uuid.uuid4())
    forged = base64.urlsafe_b64encode(json.dumps(padded).encode()).rstrip(b"=").decode()
    response = api.get("/api/users/me", token=f"{header}.{forged}.{signature}")
    assert_problem(response, 401, "AUTHENTICATION_ERROR")
