"""The secrets of a stack: generated once, stored in its home with mode 0600, and the API keys signed with them."""

import base64
import hashlib
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from local.errors import StackError

_SHORTEST_TOKEN = 32
_TEN_YEARS = 10 * 365 * 24 * 3600


@dataclass(frozen=True)
class Keys:
    """A stack's keys and passwords.

    Attributes:
        jwt_secret: the shared secret of the API keys (HS256).
        signing_key: PEM of the private key that signs users' access tokens (ES256).
        key_id: the `kid` of those tokens.
        password: of every database role that can log in.
        publishable_key: the API key for clients (`sb_publishable_...`).
        secret_keys: the API keys for servers (`sb_secret_...`), all equivalent.
        anon_key, service_role_key: the API keys of older projects, which are JWTs.
    """

    jwt_secret: str
    signing_key: str
    key_id: str
    password: str
    publishable_key: str
    secret_keys: tuple[str, ...]
    anon_key: str
    service_role_key: str

    @classmethod
    def read(cls, path: Path) -> "Keys":
        """The keys in a file."""
        found = json.loads(path.read_text())
        return cls(**{**found, "secret_keys": tuple(found["secret_keys"])})

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """The signing key as an object."""
        key = serialization.load_pem_private_key(self.signing_key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def public_jwk(self) -> dict[str, object]:
        """The public half of the signing key, as an entry of a JWKS."""
        key = ECAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {**key, "kid": self.key_id, "alg": "ES256", "use": "sig", "key_ops": ["verify"]}

    def verification_jwks(self) -> str:
        """The JWKS of all keys that may sign this project's tokens, for PostgREST."""
        secret = base64.urlsafe_b64encode(self.jwt_secret.encode()).rstrip(b"=").decode()
        return json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": secret}, self.public_jwk()]})


def load_keys(path: Path) -> Keys:
    """Return the keys stored at `path`; missing ones are generated."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    if not {each.name for each in fields(Keys)} <= kept.keys():
        write_keys(path, Keys(**{**asdict(_make()), **kept}))
    return Keys.read(path)


def write_keys(path: Path, keys: Keys) -> None:
    """Store `keys` at `path`, where running processes read them again."""
    _write_secret(path, json.dumps(asdict(keys)))


def load_operators(path: Path) -> dict[str, str]:
    """Return operators' tokens by name: `OPERATOR_TOKENS` of the shell, or a generated one stored at `path`."""
    given = os.environ.get("OPERATOR_TOKENS")
    if given:
        return _read_operators(given)
    if not path.exists():
        _write_secret(path, secrets.token_hex(32))
    return {"local": path.read_text().strip()}


def _read_operators(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found or not all(isinstance(token, str) for token in found.values()):
        raise StackError('OPERATOR_TOKENS must map names to tokens as JSON: {"ana": "<32 characters or more>"}')
    short = [name for name, token in found.items() if len(token) < _SHORTEST_TOKEN]
    if short:
        raise StackError(f"OPERATOR_TOKENS: the token of {short[0]} is shorter than {_SHORTEST_TOKEN} characters")
    return found


def _write_secret(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    aside.rename(path)


def _make() -> Keys:
    jwt_secret = secrets.token_urlsafe(48)
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Keys(
        jwt_secret=jwt_secret,
        signing_key=pem.decode(),
        key_id=secrets.token_hex(8),
        password=secrets.token_hex(16),
        publishable_key=new_api_key("publishable"),
        secret_keys=(new_api_key("secret"),),
        anon_key=_api_key("anon", jwt_secret),
        service_role_key=_api_key("service_role", jwt_secret),
    )


def new_api_key(kind: str) -> str:
    """Return an API key that is not a JWT: `sb_<kind>_`, random characters, and a checksum."""
    drawn = secrets.token_urlsafe(16)[:22]
    return f"sb_{kind}_{drawn}_{hashlib.sha256(drawn.encode()).hexdigest()[:8]}"


def _api_key(role: str, secret: str) -> str:
    now = int(time.time())
    return jwt.encode({"iss": "supabase", "role": role, "iat": now, "exp": now + _TEN_YEARS}, secret, "HS256")
