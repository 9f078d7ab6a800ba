"""What one request cost, line by line: its ledger entry over the tariff that it names.

The lines are exact; the gateway rounds their sum up once, to a micro-won. What the ledger says
stands: where lines cannot explain it, there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing import rating, tariffs
from billing.rating import FREE, Item
from billing.resolution import Version
from portal.lib.money import MICRO, micro_to_won
from portal.lib.periods import Month
from portal.usage.models import LedgerEntry


@dataclass(frozen=True, slots=True)
class PriceLine:
    """Tokens of one kind at won per million."""

    kind: str  # token_in (those that were not cached), token_cached, token_out
    tokens: int
    unit_price: Decimal
    won: Decimal  # exact


@dataclass(frozen=True, slots=True)
class RequestCost:
    """``basis`` says why there are lines or none: tokens, card, test or unknown. In won, exact."""

    basis: str
    lines: tuple[PriceLine, ...]
    rounding: Decimal  # what rounding up has added to the lines
    cost: Decimal
    settled: Decimal
    written_off: Decimal
    because: str  # of what was written off: above_hold, no_room, or empty where nothing was


def of(entry: LedgerEntry) -> RequestCost:
    """The cost of one request. One look at the tariff."""
    basis, lines = _lines(entry)
    exact = sum((Fraction(line.won) for line in lines), Fraction(0))
    rounding = Fraction(entry.cost_micro, MICRO) - exact
    if lines and not 0 <= rounding < Fraction(1, MICRO):
        basis, lines = "unknown", ()
    return RequestCost(
        basis=basis,
        lines=lines,
        rounding=rating.decimal_of(rounding) if lines else Decimal(0),
        cost=micro_to_won(entry.cost_micro),
        settled=micro_to_won(entry.settled_micro),
        written_off=micro_to_won(entry.written_off_micro),
        because=_because(entry),
    )


def _because(entry: LedgerEntry) -> str:
    """An open hold is charged up to its amount; one that has ended, up to the budgets' room."""
    if not entry.written_off_micro:
        return ""
    open_hold = not entry.late and entry.settled_micro == entry.hold_micro
    return "above_hold" if open_hold else "no_room"


def _lines(entry: LedgerEntry) -> tuple[str, tuple[PriceLine, ...]]:
    if entry.price_version in FREE:
        return entry.price_version, ()
    if entry.counted == "none":
        return "unknown", ()
    try:
        tariff = tariffs.version(entry.price_version)
    except KeyError:
        return "unknown", ()
    quantities = {
        "token_in": entry.tokens_in - entry.tokens_cached,
        "token_cached": entry.tokens_cached,
        "token_out": entry.tokens_out,
    }
    return "tokens", tuple(_line(entry, tariff, *one) for one in quantities.items())


def _line(entry: LedgerEntry, tariff: Version, kind: str, tokens: int) -> PriceLine:
    month = str(Month.of(entry.admitted_at))
    item = Item(month, kind, entry.model, entry.price_version)
    price = tariff.price_of(kind)
    return PriceLine(kind, tokens, price, rating.decimal_of(rating.amount(item, tokens, price)))
