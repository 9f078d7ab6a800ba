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


def _id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


class Signer:
    """Signs with the first key of a list and verifies with all."""

    def __init__(self, keys: str) -> None:
        self._secret: Ed25519PrivateKey | None = None
        self._known: dict[str, Ed25519PublicKey] = {}
        entries = [entry.strip() for entry in keys.split(",") if entry.strip()]
        for number, entry in enumerate(entries, 1):
            if entry.startswith(_PUBLIC):
                raw = _bytes(entry.removeprefix(_PUBLIC), number)
                public = Ed25519PublicKey.from_public_bytes(raw)
            else:
                secret = Ed25519PrivateKey.from_private_bytes(_bytes(entry, number))
                public = secret.public_key()
                if number == 1:
                    self._secret = secret
            self._known[_id(public)] = public
        if self._secret is None:
            raise BadKey("The first key of the list must be a secret: it signs.")
        self.key_id = _id(self._secret.public_key())

    def sign(self, text: str) -> str:
        """The signature in hex."""
        assert self._secret is not None
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
