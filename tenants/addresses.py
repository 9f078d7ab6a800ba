"""Ranges of internet addresses: written by people, read by programs. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from django.utils.translation import gettext as _

MOST_RANGES = 50


class BadRange(ValueError):
    """The text is no range of addresses; the sentence names it."""


def normalized(texts: Iterable[str]) -> list[str]:
    """Ranges in their shortest form, without repetitions: ``10.0.0.7`` is ``10.0.0.7/32``.

    ``BadRange`` for anything else, for host bits that are set, and for more than 50.
    """
    found: list[str] = []
    for text in texts:
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise BadRange(
                _("“%(text)s” is no range of addresses. Write 203.0.113.0/24 or one address.")
                % {"text": text[:60]}
            ) from error
        if str(network) not in found:
            found.append(str(network))
    if len(found) > MOST_RANGES:
        raise BadRange(_("At most 50 ranges of addresses."))
    return found


def covers(ranges: Iterable[str], address: str) -> bool:
    """Whether an address lies in one of the ranges; what is no address lies in none."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(client in ipaddress.ip_network(one) for one in ranges)
