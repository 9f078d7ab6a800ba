"""Quantities × prices → money, exact and unrounded. Pure.

Replaying it over the same ledger and tariffs gives the same amounts. A line is rounded once,
half up, to whole won (``portal.lib.money.line_amount``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from portal.lib.money import MICRO, TOKENS_PER_PRICE
from portal.usage.events import RUN_AGAIN

SECONDS_PER_HOUR = 3600
# Items whose quantity is an amount by itself, in micro-won.
MICRO_KINDS = frozenset(
    {"batch", "correction", "fee", "interest", "minimum", "replica_minimum", "tiers"}
)
MB_SECONDS_PER_GB_DAY = 1000 * 86_400
CARD_PAID = "card"  # price version of requests whose cards are paid by the hour
TEST_FREE = "test"  # price version of requests with test keys, which cost nothing
FREE = (CARD_PAID, TEST_FREE, RUN_AGAIN)  # they are no prices: nothing is charged by tokens
# Of a whole month and not of any day's use: nothing is accrued of them.
TERM_KINDS = MICRO_KINDS - {"correction", "interest"}
BATCH = "batch"  # label of items that were used in batch
INTEREST = "interest"  # for paying late: no part of the supply value, and untaxed
RENEWED = "renewed"  # beginning of the items of an invoice that stands in another one's place
CUT = "cut"  # whole won taken off, so that a total ends in 0

# How many of the quantity one unit of the price is for.
UNITS = {
    "token_in": TOKENS_PER_PRICE,
    "token_cached": TOKENS_PER_PRICE,
    "token_out": TOKENS_PER_PRICE,
    "card_seconds": SECONDS_PER_HOUR,
    "storage": MB_SECONDS_PER_GB_DAY,
}


@dataclass(frozen=True, slots=True)
class Item:
    """What one invoice line is about. Two quantities of the same item are added."""

    usage_month: str  # 2026-11
    # token_in, token_cached, token_out, card_seconds, storage, cut, or of MICRO_KINDS
    kind: str
    subject: str  # model slug, endpoint public id, or the number of the invoice paid late
    price_version: str
    label: str = ""  # name of the endpoint, chip and site for card time; BATCH, or empty

    def key(self) -> str:
        """As kept on invoice lines."""
        return "|".join((self.usage_month, self.kind, self.subject, self.price_version, self.label))

    @classmethod
    def parse(cls, key: str) -> Item:
        """The item of ``key``; only the label may have the sign between the parts."""
        month, kind, subject, version, label = key.split("|", 4)
        return cls(month, kind, subject, version, label)


def token_amount(tokens: int, won_per_million: Decimal) -> Fraction:
    """Exact won."""
    return Fraction(tokens) * Fraction(won_per_million) / TOKENS_PER_PRICE


def card_amount(card_seconds: int, won_per_hour: Decimal) -> Fraction:
    """Exact won."""
    return Fraction(card_seconds) * Fraction(won_per_hour) / SECONDS_PER_HOUR


def amount(item: Item, quantity: int, unit_price: Decimal) -> Fraction:
    """Exact won of a quantity; quantities of ``MICRO_KINDS`` are micro-won by themselves, and a
    ``cut`` was never used: it is all rounding."""
    if item.kind in MICRO_KINDS:
        return Fraction(quantity, MICRO)
    if item.kind == CUT:
        return Fraction(0)
    return Fraction(quantity) * Fraction(unit_price) / UNITS[item.kind]


def exact_micro(item: Item, quantity: int, unit_price: Decimal) -> Decimal:
    """The amount of one day as it is accrued: micro-won to six decimals, half up.

    Tokens are exact with that; what is priced by time (an hour has 3,600 seconds) may be off by
    half of 10⁻¹² won a day. ``billing.accruals`` computes the same in the database.
    """
    return Decimal(rounded(amount(item, quantity, unit_price) * MICRO * MICRO)).scaleb(-6)


def decimal_of(exact: Fraction) -> Decimal:
    """The same amount in decimals. Tokens at a price of six decimals have twelve at most."""
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def rounded(exact: Fraction) -> int:
    """Whole won, half up; the one rounding of a line. Negative amounts mirror positive ones."""
    sign = -1 if exact < 0 else 1
    return sign * ((abs(exact) * 2 + 1) // 2).__floor__()


def rest(used: dict[Item, int], billed: Iterable[tuple[str, int]]) -> list[tuple[Item, int]]:
    """What was used and is not yet on an issued invoice, in a stable order."""
    done: dict[str, int] = {}
    for key, quantity in billed:
        done[key] = done.get(key, 0) + quantity
    left = [(item, quantity - done.get(item.key(), 0)) for item, quantity in used.items()]
    return sorted(
        ((item, quantity) for item, quantity in left if quantity),
        key=lambda pair: (pair[0].usage_month, pair[0].kind != "card_seconds", pair[0].key()),
    )
