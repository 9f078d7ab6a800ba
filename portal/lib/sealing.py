"""Secrets that must be read again (engine credentials, site tokens), sealed with Fernet.

Keys come as a comma-separated list: the first seals, all open, so that keys can be rotated.
"""

import hmac
import os
from base64 import urlsafe_b64decode

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class SealBroken(Exception):
    """The text was not sealed with any of our keys. Check DURE_SEAL_KEYS."""


def _box(keys: str) -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])


def seal(text: str, keys: str) -> str:
    """Ciphertext of ``text``, safe to store and to publish to the gateway."""
    return _box(keys).encrypt(text.encode()).decode()


def unseal(sealed: str, keys: str) -> str:
    """The text again. ``SealBroken`` if no key opens it."""
    try:
        return _box(keys).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken from error


def looks_sealed(text: str) -> bool:
    """Whether a text has the form of a Fernet token: version 0x80 and a time, in base64."""
    return text.startswith("gAAAA") and len(text) >= 100


def reseal(sealed: str, keys: str) -> str:
    """The same text under the first key; unchanged if it is already. ``SealBroken``."""
    first = Fernet(keys.partition(",")[0].strip())
    try:
        first.decrypt(sealed.encode())
    except InvalidToken:
        return seal(unseal(sealed, keys), keys)
    return sealed


def _bound_box(key: str, bound: bytes) -> AESGCM:
    return AESGCM(
        hmac.digest(urlsafe_b64decode(key.strip()), b"dure sealed bytes " + bound, "sha256")
    )


def seal_bytes(content: bytes, keys: str, bound: bytes) -> bytes:
    """Ciphertext that opens only together with ``bound``: what a reader must know besides our
    keys. AES-256-GCM under a key made of both; 28 bytes longer than the content."""
    nonce = os.urandom(12)
    return nonce + _bound_box(keys.partition(",")[0], bound).encrypt(nonce, content, None)


def unseal_bytes(sealed: bytes, keys: str, bound: bytes) -> bytes:
    """The content again. ``SealBroken`` if no key opens it together with ``bound``."""
    for key in keys.split(","):
        if not key.strip():
            continue
        try:
            return _bound_box(key, bound).decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError):
            continue
    raise SealBroken
