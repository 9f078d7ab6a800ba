"""A pass: with it one of our programs calls the gateway under an API key that it does not have.

Jobs run when nobody is there to send a key, and only the key's SHA-256 is kept. A worker makes a
pass out of that hash, sealed with our own keys; whoever has those could publish grants anyway. What
a pass allows is what the key's grant allows at that moment: a revoked key ends its passes. It is
good for minutes, stands in no file and in no log.
"""

from __future__ import annotations

import msgspec

from portal.lib.ids import ApiKeyParts
from portal.lib.sealing import SealBroken, seal, unseal

PREFIX = "dure_pass_"
SECONDS = 900
_AHEAD_SECONDS = 5  # clocks of two machines differ


class Pass(msgspec.Struct, frozen=True):
    """``free``: the request is run again because of us; nobody is charged."""

    org_code: str
    sha256: str
    mode: str
    made_at: int  # Unix seconds
    free: bool = False

    @property
    def key(self) -> ApiKeyParts:
        return ApiKeyParts(self.mode, self.org_code, self.sha256)


class NoPass(Exception):
    """Not one of ours, or too old."""


def write(one: Pass, keys: str) -> str:
    """What stands behind ``Bearer``."""
    return PREFIX + seal(msgspec.json.encode(one).decode(), keys)


def read(text: str, keys: str, *, now: float) -> Pass:
    """``NoPass`` unless it is one of ours and young enough; ``now`` is Unix seconds."""
    if not text.startswith(PREFIX):
        raise NoPass
    try:
        found = msgspec.json.decode(unseal(text[len(PREFIX) :], keys), type=Pass)
    except (SealBroken, msgspec.MsgspecError, ValueError):
        raise NoPass from None
    if not found.made_at - _AHEAD_SECONDS <= now <= found.made_at + SECONDS:
        raise NoPass
    return found
