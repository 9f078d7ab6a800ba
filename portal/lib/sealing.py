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
