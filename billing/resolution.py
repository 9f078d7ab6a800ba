"""Which price holds: what was agreed with the organization, else the list's. Pure.

Of each the latest that began and has not ended; a price of the offering class goes before the one
of the whole item. An agreed price holds also where the list has become cheaper: it is what was
signed. ``None``: the item is not for sale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from portal.lib.money import VAT_RATE


def tokens(model: str) -> str:
    """The item of a model's tokens."""
    return f"tokens/{model}"


def cards(chip: str) -> str:
    """The item of a chip's card-hours."""
    return f"cards/{chip}"


def storage(kind: str) -> str:
    """The item of a storage's GB-days."""
    return f"storage/{kind}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One price, without and with VAT, exact won."""

    kind: str  # token_in, token_cached, token_out, card_seconds, storage
    won: Decimal

    @property
    def with_vat(self) -> Decimal:
        return self.won * (1 + VAT_RATE)


@dataclass(frozen=True, slots=True)
class Version:
    """One price of one item from a moment on, in won without VAT. Its id is what ledgers name."""

    public_id: str
    item: str
    starts_at: datetime
    first_at: datetime | None = None  # an agreement may begin later than the price it follows
    ends_at: datetime | None = None
    offering_class: str = ""
    price_in: Decimal | None = None
    price_cached: Decimal | None = None
    price_out: Decimal | None = None
    won: Decimal | None = None  # per card-hour or GB-day

    def holds_at(self, moment: datetime) -> bool:
        """Begun and not ended; half-open."""
        if self.starts_at > moment or (self.first_at is not None and self.first_at > moment):
            return False
        return self.ends_at is None or moment < self.ends_at

    def price_of(self, kind: str) -> Decimal:
        """Won per unit of one kind of item (``billing.rating.Item.kind``). ``KeyError`` if this
        version has no such price: nothing is guessed."""
        found = {
            "token_in": self.price_in,
            "token_cached": self.price_cached,
            "token_out": self.price_out,
        }.get(kind, self.won)
        if found is None:
            raise KeyError(f"{self.public_id} has no price of {kind}")
        return found

    @property
    def figures(self) -> list[Figure]:
        """All its prices, in one order."""
        if self.won is not None:
            kind = "card_seconds" if self.item.startswith("cards/") else "storage"
            return [Figure(kind, self.won)]
        kinds = ("token_in", "token_cached", "token_out")
        return [Figure(kind, self.price_of(kind)) for kind in kinds]

    @property
    def won_per_hour(self) -> Decimal:
        """Of a card."""
        return self.price_of("card_seconds")


def resolve(
    item: str,
    *,
    agreed: Iterable[Version],
    listed: Iterable[Version],
    moment: datetime,
    offering_class: str = "",
) -> Version | None:
    """The version that holds for an item at a moment."""
    return _latest(item, agreed, moment, offering_class) or _latest(
        item, listed, moment, offering_class
    )


def _latest(
    item: str, versions: Iterable[Version], moment: datetime, offering_class: str
) -> Version | None:
    found = [
        one
        for one in versions
        if one.item == item and one.offering_class in {"", offering_class} and one.holds_at(moment)
    ]
    return max(found, key=lambda one: (bool(one.offering_class), one.starts_at), default=None)
