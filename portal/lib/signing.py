"""Signatures that others can check: Ed25519 over texts (RFC 8032).

Keys come as a comma-separated list. The first signs, all verify, so that keys can be rotated:
each is the base64 of a 32-byte secret, or ``public:`` and the base64 of a public key, for a key
whose secret is no longer kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PUBLIC = "public:"


class BadKey(ValueError):
    """The list of keys cannot be read. The sentence says which entry."""


def new_key() -> str:
    """A new secret, as it stands in the environment."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _bytes(text: str, number: int) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadKey(f"Key {number} of the list is not base64.") from error
    if len(found) != 32:
        raise BadKey(f"Key {number} of the list has {len(found)} bytes; 32 are needed.")
    return found


def read(keys: str) -> tuple[Ed25519PrivateKey, list[Ed25519PublicKey]]:
    """The key that signs, and all that verify, it first. ``BadKey``."""
    first: Ed25519PrivateKey | None = None
    known: list[Ed25519PublicKey] = []
    entries = [entry.strip() for entry in keys.split(",") if entry.strip()]
    for number, entry in enumerate(entries, 1):
        if entry.startswith(_PUBLIC):
            raw = _bytes(entry.removeprefix(_PUBLIC), number)
            known.append(Ed25519PublicKey.from_public_bytes(raw))
        else:
            secret = Ed25519PrivateKey.from_private_bytes(_bytes(entry, number))
            known.append(secret.public_key())
            if number == 1:
                first = secret
    if first is None:
        raise BadKey("The first key of the list must be a secret: it signs.")
    return first, known


def public_half(secret: str) -> str:
    """What stays in the list of a key that no longer signs: ``public:…``."""
    key = Ed25519PrivateKey.from_private_bytes(_bytes(secret.strip(), 1)).public_key()
    return _PUBLIC + base64.b64encode(key.public_bytes_raw()).decode()


def _id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


class Signer:
    """Signs with the first key of a list and verifies with all."""

    def __init__(self, keys: str) -> None:
        self._secret, known = read(keys)
        self._known = {_id(public): public for public in known}
        self.key_id = _id(self._secret.public_key())

    def sign(self, text: str) -> str:
        """The signature in hex."""
        return self._secret.sign(text.encode()).hex()

    def holds(self, text: str, key_id: str, signature: str) -> bool:
        """Whether a key of the list has signed this text."""
        key = self._known.get(key_id)
        if key is None:
            return False
        try:
            key.verify(bytes.fromhex(signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True
