"""A budget's counters as they stand in Valkey, for tests that change them by hand."""

from __future__ import annotations

import struct
from typing import Any

from portal.admission import keys

_PACKED = struct.Struct(">ddd")


def add(
    client: Any,
    cell: int,
    subject: str,
    month: str,
    *,
    spent: int = 0,
    committed: int = 0,
    held: int = 0,
) -> None:
    """Add micro-won to a month's counters of a budget, as if calls had."""
    name = keys.used(cell, month)
    raw = client.hget(name, subject)
    now = _PACKED.unpack(raw) if raw else (0.0, 0.0, 0.0)
    more = (spent, committed, held)
    changed = [float(old + new) for old, new in zip(now, more, strict=True)]
    client.hset(name, subject, _PACKED.pack(*changed))
    client.hset(f"{keys.tag(cell)}:months", month, "1")
