"""What an internet address is, as digits. Standard library only: programs in pods use it too."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def is_public(text: str) -> bool:
    """Whether an address, as digits, is one of the public internet."""
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return False  # an address inside an address: nobody's provider lives there
    return found.is_global and not found.is_multicast


def is_literal(host: str) -> bool:
    """Whether a host is written down as digits, and not by a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
