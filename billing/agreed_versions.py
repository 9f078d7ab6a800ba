"""Versions of agreed prices: a fixed price has one, percent off the list one for each list price
that it follows."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.db.models import Q, QuerySet

from billing import term_values
from billing.models import (
    AgreedTariff,
    AgreedTerm,
    CardTariff,
    StorageTariff,
    TokenTariff,
)
from billing.resolution import Version
from billing.term_lines import Percent, TokenPrices, UnitPrice, Value
from portal.lib import ids

MICRO_WON = Decimal("0.000001")


def write(term: AgreedTerm, value: Value) -> None:
    """The versions of a new term."""
    if isinstance(value, Percent):
        for listed in followed(f"{term.kind}/{term.item}", term.starts_at, term.ends_at):
            _follow(term, value, listed)
    elif isinstance(value, TokenPrices):
        _version(
            term,
            price_in=value.price_in,
            price_cached=value.price_cached,
            price_out=value.price_out,
        )
    elif isinstance(value, UnitPrice):
        _version(term, won=value.won)


def _version(term: AgreedTerm, **fields: Any) -> None:
    AgreedTariff.objects.get_or_create(
        term=term,
        offering_class=fields.pop("offering_class", ""),
        starts_at=fields.pop("starts_at", term.starts_at),
        defaults={
            "public_id": ids.mint("tar"),
            "organization_id": term.organization_id,
            "item": f"{term.kind}/{term.item}",
            **fields,
        },
    )


def followed(item: str, start: datetime, end: datetime | None) -> list[Version]:
    """List prices that hold in [start, end): of each class the one at the start and all later."""
    what, _slash, name = item.partition("/")
    tables: dict[str, QuerySet[Any]] = {
        "tokens": TokenTariff.objects.filter(model=name),
        "cards": CardTariff.objects.filter(chip=name),
        "storage": StorageTariff.objects.filter(storage=name),
    }
    rows = tables[what].order_by("starts_at")
    found: dict[str, list[Version]] = {}
    for row in rows:
        version: Version = row.version
        if end is not None and version.starts_at >= end:
            continue
        mine = found.setdefault(version.offering_class, [])
        if version.starts_at <= start:
            mine.clear()  # superseded before the agreement begins
        mine.append(version)
    return [one for versions in found.values() for one in versions]


def _follow(term: AgreedTerm, value: Percent, listed: Version) -> None:
    """The list's price less percent, cut off below a millionth of a won: for the customer."""

    def less(price: Decimal | None) -> Decimal | None:
        if price is None:
            return None
        return (price * (100 - value.off) / 100).quantize(MICRO_WON, rounding=ROUND_DOWN)

    _version(
        term,
        offering_class=listed.offering_class,
        starts_at=listed.starts_at,
        based_on=listed.public_id,
        price_in=less(listed.price_in),
        price_cached=less(listed.price_cached),
        price_out=less(listed.price_out),
        won=less(listed.won),
    )


def follow(listed: Version) -> None:
    """A new list price: its version for each agreement that takes percent off it."""
    what, _slash, name = listed.item.partition("/")
    rows = AgreedTerm.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=listed.starts_at), kind=what, item=name
    )
    for term in rows.filter(value__has_key="off").order_by("pk"):
        value = term_values.parse(term.kind, term.value)
        if isinstance(value, Percent):
            _follow(term, value, listed)
