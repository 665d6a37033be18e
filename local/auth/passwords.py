"""Password hashes. The parameters are cheap on purpose: these accounts are for developing, and tests make thousands."""

import asyncio
import hashlib
import hmac
import secrets

_N, _R, _P = 2**6, 8, 1
# Compared with when the address is unknown, so that it takes as long as with a known one.
_NOBODY = "scrypt$" + "00" * 16 + "$" + "00" * 64


async def hash_password(password: str) -> str:
    """A salted hash, computed off the event loop."""
    salt = secrets.token_bytes(16)
    digest = await asyncio.to_thread(_scrypt, password, salt)
    return f"scrypt${salt.hex()}${digest.hex()}"


async def matches(password: str, hashed: str | None) -> bool:
    """Return whether the password matches the hash; None takes as long and never matches."""
    _, salt, expected = (hashed or _NOBODY).split("$")
    digest = await asyncio.to_thread(_scrypt, password, bytes.fromhex(salt))
    return hmac.compare_digest(digest.hex(), expected) and hashed is not None


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P)
