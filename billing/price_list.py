"""The price list as anybody may read it: what holds, since when, and what is announced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing import price_words
from billing.models import CardTariff, PriceTerm, StorageTariff, TokenTariff
from billing.resolution import Version


@dataclass(frozen=True, slots=True)
class PriceRow:
    """An item with the version that holds now (``None``: not yet for sale) and later ones."""

    what: str  # tokens, cards, storage
    name: str
    offering_class: str
    now: Version | None
    announced: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class TermRow:
    """A term that holds now or is announced."""

    kind: str
    item: str
    words: str
    starts_at: datetime
    announced: bool
    before: str  # of an announced one: what it replaces
    value: Any


def rows(now: datetime) -> list[PriceRow]:
    """Everything that is or will be for sale, by kind and name."""
    tables: Sequence[Any] = (TokenTariff, CardTariff, StorageTariff)
    found: dict[tuple[str, str], list[Version]] = {}
    for table in tables:
        for row in table.objects.order_by("starts_at"):
            version: Version = row.version
            found.setdefault((version.item, version.offering_class), []).append(version)
    return [_row(item, offering, versions, now) for (item, offering), versions in found.items()]


def _row(item: str, offering_class: str, versions: list[Version], now: datetime) -> PriceRow:
    begun = [one for one in versions if one.starts_at <= now]
    what, _slash, name = item.partition("/")
    return PriceRow(
        what=what,
        name=name,
        offering_class=offering_class,
        now=begun[-1] if begun else None,
        announced=tuple(one for one in versions if one.starts_at > now),
    )


def terms(now: datetime) -> list[TermRow]:
    """Terms that hold, each followed by those that are announced for it."""
    found: dict[tuple[str, str], list[PriceTerm]] = {}
    for row in PriceTerm.objects.order_by("kind", "item", "starts_at"):
        found.setdefault((row.kind, row.item), []).append(row)
    shown = []
    for chain in found.values():
        begun = [one for one in chain if one.starts_at <= now]
        before = ""
        for one in begun[-1:] + chain[len(begun) :]:
            words = price_words.of_stored(one.kind, one.item, one.value)
            coming = one.starts_at > now
            shown.append(
                TermRow(one.kind, one.item, words, one.starts_at, coming, before, one.value)
            )
            before = words
    return shown
