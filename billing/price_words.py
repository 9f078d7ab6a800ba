"""Prices and terms in a reader's words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing import term_values
from billing.resolution import Version
from billing.term_lines import (
    EVERY,
    Monthly,
    Percent,
    ReplicaMinimum,
    Tiers,
    TokenPrices,
    UnitPrice,
    Value,
)

KINDS: dict[str, Promise | str] = {
    "tokens": gettext_lazy("Tokens"),
    "cards": gettext_lazy("Card-hours"),
    "storage": gettext_lazy("Storage"),
    "batch": gettext_lazy("Discount for batch"),
    "tiers": gettext_lazy("Tiers"),
    "fee": gettext_lazy("Monthly fee"),
    "minimum": gettext_lazy("Monthly minimum"),
    "replica_minimum": gettext_lazy("Shortest time billed"),
}
UNIT: dict[str, Promise | str] = {
    "cards": gettext_lazy("a card-hour"),
    "storage": gettext_lazy("a GB-day"),
}
UNITS: dict[str, Promise | str] = {
    "tokens": gettext_lazy("million tokens"),
    "cards": gettext_lazy("card-hours"),
    "storage": gettext_lazy("GB-days"),
}
MODES: dict[str, Promise | str] = {
    "graduated": pgettext_lazy("tiers", "Graduated"),
    "volume": pgettext_lazy("tiers", "By volume"),
}


def won(amount: Decimal | int) -> str:
    """``₩1,234.5``: as many decimals as there are."""
    text = f"{amount:,.6f}".rstrip("0").rstrip(".")
    return f"₩{text}"


def figures(version: Version) -> str:
    """All prices of a version in their one order: ``₩60 / ₩6 / ₩180``."""
    return " / ".join(won(one.won) for one in version.figures)


def percent(off: Decimal) -> str:
    return f"{off:f}".rstrip("0").rstrip(".") + "%" if "." in f"{off:f}" else f"{off:f}%"


def of_item(kind: str, item: str) -> str:
    """What a term is about."""
    if kind == "batch" and item == EVERY:
        return _("all models")
    if kind == "tiers":
        return item.partition("/")[2] or item
    return item


def of_stored(kind: str, item: str, value: Mapping[str, Any]) -> str:
    """The words of a value as it is kept."""
    return of_value(term_values.parse(kind, value), item if kind == "tiers" else f"{kind}/{item}")


def of_value(value: Value, item: str = "") -> str:
    """One sentence without its subject; ``item`` such as ``cards/rngd``."""
    match value:
        case Percent(off):
            return _("%(percent)s off the list price") % {"percent": percent(off)}
        case TokenPrices(price_in, price_cached, price_out):
            return _("in %(in)s · cached %(cached)s · out %(out)s for a million tokens") % {
                "in": won(price_in),
                "cached": won(price_cached),
                "out": won(price_out),
            }
        case UnitPrice(amount):
            unit = UNIT[item.partition("/")[0]]
            return _("%(won)s for %(unit)s") % {"won": won(amount), "unit": unit}
        case Monthly(amount):
            return _("%(won)s a month") % {"won": won(amount)}
        case ReplicaMinimum(seconds):
            return _("%(count)d seconds for each replica") % {"count": seconds}
        case Tiers():
            return _tiers(value, item)


def _tiers(value: Tiers, item: str) -> str:
    unit = UNITS.get(item.partition("/")[0], "")
    steps = ", ".join(
        _("from %(start)s: −%(percent)s") % {"start": f"{one.start:,}", "percent": percent(one.off)}
        for one in value.steps
    )
    return f"{MODES[value.mode]} ({unit}): {steps}"
