"""Forged access tokens by an attacker with the project's public keys, its anon key and other users' tokens.

Some forgeries are signed with the project's real key: what is wrong with them is then the claim alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.backends import Backends
from testing.client import Api, Student, assert_problem

OTHER_PROJECT = ec.generate_private_key(ec.SECP256R1())


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: Any, claims: Any, signature: bytes = b"") -> str:
    return f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"


def with_hmac(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """Sign as an attacker does, because PyJWT refuses a public key as a secret."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[header["alg"]]
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), digest).digest())}"


@pytest.fixture
def claims(backends: Backends, student: Student) -> dict[str, Any]:
    """Claims like those of Supabase Auth."""
    now = int(time.time())
    return {
        "iss": f"{backends.project.url}/auth/v1", "sub": student.user_id, "aud": "authenticated",
        "role": "authenticated", "iat": now, "exp": now + 3600,
    }  # fmt: skip


def refused(api: Api, token: str) -> None:
    """The token is refused by a route that reads, one that writes, and the middleware that counts calls."""
    headers = {"Authorization": b"Bearer " + token.encode("utf-8", "surrogatepass")}
    assert_problem(api.get("/api/users/me", headers=headers), 401, "AUTHENTICATION_ERROR")
    assert_problem(
        api.post("/api/sessions/start", {"duration_minutes": 5}, headers=headers), 401, "AUTHENTICATION_ERROR"
    )


def signed(backends: Backends, claims: dict[str, Any], **header: Any) -> str:
    """Sign `claims` with the project's own key."""
    headers = {"kid": backends.keys.key_id, **header}
    return jwt.encode(claims, backends.keys.private_key, algorithm="ES256", headers=headers)


def test_the_attackers_tools_work(api: Api, backends: Backends, claims: dict[str, Any]) -> None:
    """A token signed here with the project's key is valid, so each forgery fails for its own flaw."""
    assert api.get("/api/users/me", token=signed(backends, claims)).status_code == 200


NONES = ["none", "None", "NONE", "nOnE", "", " none", "null", None, 0, ["none"], {"none": 1}, True]


@pytest.mark.parametrize("algorithm", NONES, ids=repr)
def test_no_algorithm_is_no_algorithm(api: Api, backends: Backends, claims: dict[str, Any], algorithm: Any) -> None:
    """The algorithm `none` is refused in any spelling, with and without a signature."""
    header = {"alg": algorithm, "typ": "JWT", "kid": backends.keys.key_id}
    for signature in (b"", b"\0" * 64):
        refused(api, unsigned(header, claims, signature))
    refused(api, unsigned(header, claims).rstrip("."))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_public_keys_are_no_secrets(api: Api, backends: Backends, claims: dict[str, Any], algorithm: str) -> None:
    """No form of the public key, and no other public text, works as a shared secret."""
    key = backends.keys.private_key.public_key()
    jwk = backends.keys.public_jwk()
    form, encoding = serialization.PublicFormat, serialization.Encoding
    secrets = [
        key.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo),
        key.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo).strip(),
        key.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        key.public_bytes(encoding.X962, form.UncompressedPoint),
        json.dumps(jwk).encode(),
        str(jwk["x"]).encode(),
        backends.keys.anon_key.encode(),
        b"",
        b"secret",
    ]
    for secret in secrets:
        for kid in (backends.keys.key_id, None):
            refused(api, with_hmac({"alg": algorithm, "kid": kid, "typ": "JWT"}, claims, secret))


def test_the_secret_of_the_api_keys_signs_no_user(api: Api, backends: Backends, claims: dict[str, Any]) -> None:
    """A project with signing keys refuses HS256, even with its real secret, and its own API keys as user tokens."""
    refused(api, with_hmac({"alg": "HS256", "typ": "JWT"}, claims, backends.keys.jwt_secret.encode()))
    for key in (backends.keys.anon_key, backends.keys.service_role_key):
        refused(api, key)


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null", "/dev/null", "file:///dev/null", "' union select 'secret' --", "x' or '1'='1",
        "http://127.0.0.1:1/jwks.json", "unknown", "", " ", "\0", "a" * 4000, 0, -1, True, None, [], {}, ["x"],
    ],
    ids=lambda kid: repr(kid)[:20],
)  # fmt: skip
def test_a_kid_only_chooses_among_the_projects_keys(api: Api, claims: dict[str, Any], kid: Any) -> None:
    """A kid with a path, SQL, an address, nothing or a very long text finds no key but the project's."""
    header = {"alg": "ES256", "typ": "JWT", "kid": kid}
    body = f"{encoded(header)}.{encoded(claims)}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(body.encode(), OTHER_PROJECT)
    refused(api, f"{body}.{encoded(signature)}")
    refused(api, with_hmac({**header, "alg": "HS256"}, claims, b""))  # the contents of /dev/null


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """An address that must never be called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_a_token_does_not_bring_its_own_key(
    api: Api, backends: Backends, claims: dict[str, Any], listener: socket.socket, name: str
) -> None:
    """A key inside a token is ignored, and an address that it names is never called."""
    host, port = listener.getsockname()
    own = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(OTHER_PROJECT.public_key()))
    value = {"jwk": own, "x5c": [encoded(b"certificate")]}.get(name, f"http://{host}:{port}/keys.json")
    for kid in (backends.keys.key_id, "mine"):
        refused(api, jwt.encode(claims, OTHER_PROJECT, algorithm="ES256", headers={"kid": kid, name: value}))
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_another_projects_key_is_another_key(api: Api, backends: Backends, claims: dict[str, Any]) -> None:
    """A key with the same id but of another project is refused, of the same or another type."""
    header = {"kid": backends.keys.key_id}
    refused(api, jwt.encode(claims, OTHER_PROJECT, algorithm="ES256", headers=header))
    refused(api, jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers=header))
    refused(api, jwt.encode(claims, ec.generate_private_key(ec.SECP384R1()), algorithm="ES384", headers=header))


def test_a_signature_that_is_none(api: Api, student: Student) -> None:
    """A signature that is cut, extended, all zeros, all ones, swapped, re-encoded or of another token is refused."""
    header, body, signature = student.token.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    others = api.student().token.rpartition(".")[2]
    forged = [b"", raw[:-1], raw[:32], raw + b"\0", raw * 2, b"\0" * 64, b"\xff" * 64, raw[32:] + raw[:32]]
    one, order = (1).to_bytes(32, "big"), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    forged += [one + b"\0" * 32, b"\0" * 32 + one, order.to_bytes(32, "big") * 2]
    for each in (*map(encoded, forged), others, signature[:-4], "=" * 86, "!" * 86):
        refused(api, f"{header}.{body}.{each}")
    for token in (f"{header}.{body}", f"{header}..{signature}", f".{body}.{signature}", f"{student.token}.{signature}"):
        refused(api, token)


@pytest.mark.parametrize(
    "change",
    [
        {"exp": "now-60"}, {"exp": 0}, {"exp": None}, {"exp": "never"}, {"exp": float("inf")}, {"exp": float("nan")},
        {"exp": True}, {"nbf": "now+7200"}, {"iat": "now+7200"}, {"iat": None},
        {"aud": "anon"}, {"aud": "service_role"}, {"aud": ["anon"]}, {"aud": None}, {"aud": ""},
        {"iss": "https://other.supabase.co/auth/v1"}, {"iss": "supabase"}, {"iss": None}, {"iss": ""},
        {"role": "anon"}, {"role": "service_role"}, {"role": "postgres"}, {"role": None}, {"role": ["authenticated"]},
        {"sub": None}, {"sub": ""}, {"sub": "me"}, {"sub": "1"}, {"sub": "' or 1=1 --"}, {"sub": {}},
    ],
    ids=repr,
)  # fmt: skip
def test_every_claim_counts(api: Api, backends: Backends, claims: dict[str, Any], change: dict[str, Any]) -> None:
    """Even with the project's signature each claim must be right: time, audience, issuer, role, subject."""
    changed = {name: _moment(value) for name, value in {**claims, **change}.items() if value is not None}
    body = f"{encoded({'alg': 'ES256', 'kid': backends.keys.key_id, 'typ': 'JWT'})}.{encoded(changed)}"
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    refused(api, f"{body}.{encoded(algorithm.sign(body.encode(), backends.keys.private_key))}")


def _moment(value: Any) -> Any:
    """Read ``now-60``: test names must be equal in all processes, so they cannot contain the time."""
    relative = str(value).startswith("now")
    return int(time.time()) + int(str(value).removeprefix("now")) if relative else value


def test_a_good_token_of_nobody_is_a_401(api: Api, backends: Backends, claims: dict[str, Any]) -> None:
    """A token for a subject without an account is refused, even with a valid signature."""
    token = signed(backends, {**claims, "sub": str(uuid.uuid4())})
    assert_problem(api.get("/api/users/me", token=token), 401, "AUTHENTICATION_ERROR")


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 5000,
        b"[" * 2500 + b"]" * 2500,
        b'{"a":' * 1200 + b"1" + b"}" * 1200,
        b"null",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b"",
    ],
    ids=lambda header: repr(header[:8]),
)
def test_headers_that_are_none(api: Api, claims: dict[str, Any], header: bytes) -> None:
    """A header that is deeply nested, not an object or not text is a 401, and never a 5xx."""
    refused(api, f"{encoded(header)}.{encoded(claims)}.{encoded(b'x' * 64)}")


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}])
def test_extensions_that_must_be_understood(
    api: Api, backends: Backends, claims: dict[str, Any], extension: dict[str, Any]
) -> None:
    """A token with an unknown critical extension is refused although its signature is valid."""
    header = {"alg": "ES256", "kid": backends.keys.key_id, "typ": "JWT", **extension}
    body = f"{encoded(header)}.{encoded(claims)}"
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    refused(api, f"{body}.{encoded(algorithm.sign(body.encode(), backends.keys.private_key))}")


def test_a_token_counts_in_its_header_only(api: Api, student: Student) -> None:
    """A token in the query, a cookie or another header, or behind a bad one in a joined header, does not count."""
    places: list[dict[str, Any]] = [
        {"params": {"access_token": student.token, "apikey": student.token}},
        {"headers": {"Cookie": f"sb-access-token={student.token}; token={student.token}"}},
        {"headers": {"apikey": student.token, "X-Authorization": f"Bearer {student.token}"}},
        {"headers": {"Authorization": f"Bearer bad,Bearer {student.token}"}},
    ]
    for options in places:
        assert_problem(api.get("/api/users/me", **options), 401, "AUTHENTICATION_ERROR")


def test_a_password_hash_is_no_token(api: Api) -> None:
    """Other values that only look like a token are refused."""
    for token in (hashlib.sha256(b"x").hexdigest(), "Bearer", "a.b.c", "..", "null", "undefined", "e30.e30.e30"):
        refused(api, token)
