"""Public ids and API keys: how they are minted, read and checked.

Public ids are a prefix and 16 random characters; they never carry a sequence number.
API keys are ``dure_live_<org8>_<secret>``: 8 characters that name the organization,
then 32 random characters and 6 of checksum. Only the SHA-256 of the whole key is stored.
Request ids are UUIDv7 (RFC 9562), so that their time decides the ledger's day.
"""

import hashlib
import os
import re
import secrets
import time
import zlib
from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u
CELLS = 64

_KEY_SHAPE = re.compile(
    r"\Adure_(?P<mode>live|test)_(?P<org>[0-9a-z]{8})_(?P<random>[0-9a-z]{32})(?P<check>[0-9a-z]{6})\Z"
)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def mint(prefix: str) -> str:
    """A new public id such as ``ep_4k2…``: ``prefix``, underscore, 16 random characters."""
    return f"{prefix}_{_random_text(16)}"


def mint_org_code() -> str:
    """The 8 characters that name an organization inside its keys."""
    return _random_text(8)


class ApiKeyParts(NamedTuple):
    """What a well-formed key says about itself; nothing here proves that it is live."""

    mode: str
    org_code: str
    sha256: str


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        number, rest = divmod(number, 32)
        digits = _ALPHABET[rest] + digits
    return digits


def mint_api_key(org_code: str, *, test: bool = False) -> str:
    """A whole new key. It is shown once and then only its SHA-256 is kept."""
    body = f"dure_{'test' if test else 'live'}_{org_code}_{_random_text(32)}"
    return body + _checksum(body)


def parse_api_key(text: str) -> ApiKeyParts | None:
    """The parts of a key whose shape and checksum are right, else ``None``."""
    match = _KEY_SHAPE.match(text)
    if match is None or _checksum(text[:-6]) != match["check"]:
        return None
    return ApiKeyParts(match["mode"], match["org"], hash_api_key(text))


def hash_api_key(text: str) -> str:
    """SHA-256 in hex. A fast hash is right here: the secret has 160 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


def public_part(text: str) -> str:
    """What may be shown of a key for ever: everything before the secret, and its last four."""
    return f"{text[: text.rindex('_') + 1]}…{text[-4:]}"


@lru_cache(maxsize=10_000)
def cell_of(org_code: str) -> int:
    """The admission cell (0–63) of an organization: a stable hash of its code."""
    return zlib.crc32(org_code.encode()) % CELLS


_tails: deque[str] = deque()  # of request ids, made ahead: the kernel is asked for many at once
os.register_at_fork(after_in_child=_tails.clear)


def _more_tails() -> str:
    raw = os.urandom(2560).hex()
    for start in range(0, len(raw), 20):
        one = raw[start : start + 20]
        variant = "89ab"[int(one[3], 16) & 3]
        _tails.append(f"7{one[:3]}-{variant}{one[4:7]}-{one[7:19]}")
    return _tails.pop()


def mint_request_id(now_ms: int | None = None) -> str:
    """A UUIDv7 in hex with dashes; ``now_ms`` is Unix time in milliseconds."""
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    try:
        tail = _tails.pop()  # in one step: threads never get the same
    except IndexError:
        tail = _more_tails()
    head = f"{ms & (1 << 48) - 1:012x}"
    return f"{head[:8]}-{head[8:]}-{tail}"


def request_id_ms(request_id: str) -> int:
    """Unix milliseconds inside a UUIDv7. ``ValueError`` if it is not one."""
    value = UUID(request_id)
    if value.version != 7:
        raise ValueError(f"{request_id} is not a UUIDv7")
    return value.int >> 80


def request_id_time(request_id: str) -> datetime:
    """The moment inside a UUIDv7, in UTC."""
    return datetime.fromtimestamp(request_id_ms(request_id) / 1000, UTC)
