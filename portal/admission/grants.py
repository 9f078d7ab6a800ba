"""What one key may do now: published by the portal, read by the gateway. Frozen, numbered."""

from __future__ import annotations

from typing import Literal

import msgspec


class ModelGrant(msgspec.Struct, frozen=True):
    """One name that the key may call. Prices in 10⁻⁶ micro-won per token."""

    endpoint: str
    model: str
    kind: Literal["chat", "embedding"]
    price_in: int
    price_cached: int
    price_out: int
    price_version: str


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gateway knows about a key."""

    number: int
    organization: str
    org_code: str
    project: str
    key: str
    mode: Literal["live", "test"]
    models: dict[str, ModelGrant]
    sites: tuple[str, ...]  # site codes; empty means none: the publisher names them all
    data_class: str
    rpm: int
    concurrency: int
    budgets: tuple[str, ...]  # subjects, widest first
    expires_at_ms: int = 0  # 0: never


def encode(grant: Grant) -> bytes:
    """Bytes as published."""
    return msgspec.msgpack.encode(grant)


def decode(raw: bytes) -> Grant:
    """``msgspec.ValidationError`` if it is not a grant."""
    return msgspec.msgpack.decode(raw, type=Grant)
