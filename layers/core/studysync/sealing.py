"""Encryption and keyed hashes, with one key per purpose, derived from a secret that every function has.

Keys change with the first API key: rate limit counters restart, and logs use other names for the same text. Sealed
content can be opened as long as the old key is still listed; afterwards cursors are invalid (a 400, and the client
starts with the first page).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from contextlib import suppress
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import ValidationError

from studysync.settings import get_settings

# Used without an API key; it must not be derivable by everyone.
_FALLBACK_SECRET = secrets.token_hex()
_KEY_BYTES = 32
_HASH_BYTES = 16


def keyed_hash(purpose: str, text: str) -> str:
    """Return 32 hexadecimal digits that identify `text`; without the key, nobody can find it by guessing."""
    encoded = text.encode("utf-8", "surrogatepass")
    return hmac.digest(_keys(purpose)[0], encoded, "sha256")[:_HASH_BYTES].hex()


def seal(purpose: str, content: bytes, bound_to: tuple[str, ...]) -> str:
    """Return `content` encrypted and authenticated, in characters that are safe in a URL.

    Sealing the same content again returns the same text, so that a response containing it keeps its ETag.

    Args:
        purpose: selects the key.
        content: at least one byte.
        bound_to: must be the same in `unseal`.
    """
    sealed = _cipher(_keys(purpose)[0]).encrypt(content, [each.encode() for each in bound_to])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unseal(purpose: str, text: str, bound_to: tuple[str, ...]) -> bytes:
    """Return the content of a sealed text.

    Raises:
        ValueError: it was not sealed by us, or is bound to something else.
    """
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not sealed here") from error
    for key in _keys(purpose):
        with suppress(InvalidTag):
            return _cipher(key).decrypt(sealed, [each.encode() for each in bound_to])
    raise ValueError("not sealed here")


def _keys(purpose: str) -> list[bytes]:
    """Return the keys for each API key; the first one seals."""
    try:
        secrets_listed = get_settings().api_keys
    except ValidationError:  # a process without a project, such as a tool
        secrets_listed = ()
    return [_derived(secret, purpose) for secret in secrets_listed or (_FALLBACK_SECRET,)]


@lru_cache(maxsize=16)
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"studysync {purpose}".encode()).derive(secret.encode())


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(key)
