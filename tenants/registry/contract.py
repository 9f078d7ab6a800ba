"""What a registry of businesses promises: the state of each number that it was asked about.

A registry answers with what it knows, which may be a day old. Whatever goes wrong on the way is
``RegistryUnavailable``: nothing is known, ask again later. A number that an answer leaves out was
not answered; a number that the registry does not know is ``UNKNOWN``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

MOST_NUMBERS = 100  # a call; the National Tax Service refuses more


class BusinessStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Business:
    """What the registry says of one number. ``tax_type`` is in its own words, never parsed."""

    number: str
    status: BusinessStatus
    tax_type: str = ""
    ended_on: date | None = None


class RegistryUnavailable(Exception):
    """No answer that can be used. The sentence is for the log; customers see that it is pending."""


class BusinessRegistry(Protocol):
    def look_up(self, numbers: Sequence[str]) -> dict[str, Business]:
        """By number, for up to 100 numbers of ten digits. ``RegistryUnavailable``; a
        ``ValueError`` for more numbers or other texts: that is the caller's mistake."""
        ...
