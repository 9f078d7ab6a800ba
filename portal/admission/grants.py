"""What one key may do now: published by the portal, read by the gateway. Frozen, numbered."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
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
    budgets: tuple[str, ...]  # their names (``chain``), widest first
    expires_at_ms: int = 0  # 0: never
    inference: bool = True  # false: a key for the control API only
    addresses: tuple[str, ...] = ()  # ranges (CIDR) that it may come from; empty: any
    confirmed: bool = True  # false: nobody has confirmed the organization yet, so no model is here
    tpm: int = 0  # tokens a minute, worst cases counted; 0: no such limit
    region: str = ""  # near the organization; empty: nobody said
    replay_seconds: int = 0  # an idempotent answer is kept (sealed) for so long; 0: never

    def allows_from(self, address: str) -> bool:
        """Whether the key may be used from this address; what is no address is let in nowhere."""
        if not self.addresses:
            return True
        try:
            client = ip_address(address)
        except ValueError:
            return False
        if isinstance(client, IPv6Address) and client.ipv4_mapped is not None:
            client = client.ipv4_mapped
        return any(client in ip_network(one) for one in self.addresses)


def encode(grant: Grant) -> bytes:
    """Bytes as published."""
    return msgspec.msgpack.encode(grant)


def decode(raw: bytes) -> Grant:
    """``msgspec.ValidationError`` if it is not a grant."""
    return msgspec.msgpack.decode(raw, type=Grant)
