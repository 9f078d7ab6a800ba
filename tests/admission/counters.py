"""A budget's counters as they stand in Valkey, for tests that change them by hand."""

from __future__ import annotations

import struct
from typing import Any

from portal.admission import keys

_PACKED = struct.Struct(">ddd")
_USE = struct.Struct(">dddd")


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


Use = tuple[int, int, int, int]  # minute of the last request, its requests and tokens; running


def use(client: Any, cell: int, key: str, month: str) -> Use:
    """What a key does in a month."""
    raw = client.hget(keys.used(cell, month), f"use:{key}")
    minute, requests, tokens, running = map(int, _USE.unpack(raw)) if raw else (0, 0, 0, 0)
    return minute, requests, tokens, running


def set_use(client: Any, cell: int, key: str, month: str, use: Use) -> None:
    """As if the key had done so."""
    client.hset(keys.used(cell, month), f"use:{key}", _USE.pack(*map(float, use)))


def running(client: Any, cell: int) -> int:
    """Requests that count as running, of all keys and months."""
    found = 0
    for month in client.hkeys(f"{keys.tag(cell)}:months"):
        row = client.hgetall(keys.used(cell, month.decode()))
        found += sum(int(_USE.unpack(row[one])[3]) for one in row if one.startswith(b"use:"))
    return found
