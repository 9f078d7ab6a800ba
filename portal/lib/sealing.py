"""Secrets that must be read again (engine credentials, site tokens), sealed with Fernet.

Keys come as a comma-separated list: the first seals, all open, so that keys can be rotated.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


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
