"""What something would cost: the one function behind every page, the order and the API.

The figures are those of admission and rating: a request is rounded up once to a micro-won, a
month's lines come from the same code as those of an invoice. Estimates never show too little:
won are rounded up, a month has 31 days. VAT stands beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing import rating
from billing.rating import BATCH, Item, card_amount, decimal_of
from billing.resolution import Version
from billing.term_lines import (
    EVERY,
    ExtraLine,
    Percent,
    ReplicaMinimum,
    Run,
    Term,
    Used,
    extra_lines,
    missing_won,
)
from portal.lib.money import (
    MICRO,
    VAT_RATE,
    ceil_micro,
    ceil_won,
    token_cost_micro,
    token_price_to_micro,
    vat,
)
from portal.lib.periods import Month

TYPICAL = (900, 0, 300)  # tokens in, of them cached, out: one question and its answer
DAYS = 31  # of the dearest month
MOST = 10**12  # tokens, requests: what is larger is a typing error


class BadEstimate(ValueError):
    """Quantities that make no sense: negative, giant, more cached than there is."""


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount without VAT, exact, and in whole won with VAT beside it."""

    exact: Decimal
    supply_won: int  # rounded up
    vat_won: int
    total_won: int
    with_vat: Decimal  # exact

    @classmethod
    def of(cls, exact: Fraction) -> Amount:
        won = decimal_of(exact)
        supply = ceil_won(won)
        return cls(won, supply, vat(supply), supply + vat(supply), won * (1 + VAT_RATE))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one request. ``cached`` is part of ``fresh`` and ``cached`` together: tokens in."""

    tokens_in: int
    tokens_cached: int
    tokens_out: int

    def __post_init__(self) -> None:
        counts = (self.tokens_in, self.tokens_cached, self.tokens_out)
        if not all(0 <= one <= MOST for one in counts) or self.tokens_cached > self.tokens_in:
            raise BadEstimate(counts)

    @property
    def kinds(self) -> dict[str, int]:
        return {
            "token_in": self.tokens_in - self.tokens_cached,
            "token_cached": self.tokens_cached,
            "token_out": self.tokens_out,
        }


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a dedicated endpoint runs."""

    hours_a_day: int = 24
    days_a_week: int = 7

    def __post_init__(self) -> None:
        if not (1 <= self.hours_a_day <= 24 and 1 <= self.days_a_week <= 7):
            raise BadEstimate(self.hours_a_day, self.days_a_week)

    @property
    def days_a_month(self) -> int:
        """At most, in a month of 31 days: four weeks and three more days."""
        return 4 * self.days_a_week + min(self.days_a_week, DAYS - 28)

    @property
    def hours_a_month(self) -> int:
        return self.hours_a_day * self.days_a_month


OFFICE = Schedule(hours_a_day=9, days_a_week=5)
ALWAYS = Schedule()


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """One request: as it is expected, and the most that is held for it before it runs."""

    version: str
    typical: Amount
    worst: Amount


@dataclass(frozen=True, slots=True)
class MonthEstimate:
    """``charged`` while it happens; ``lines`` come at month end; ``amount`` is both together."""

    charged: Amount
    lines: tuple[ExtraLine, ...]
    amount: Amount


@dataclass(frozen=True, slots=True)
class EndpointEstimate:
    """A dedicated endpoint. ``worst``: a month in which it never stops."""

    version: str
    cards: int
    hours: int
    hour: Amount
    month: MonthEstimate
    worst: Amount


def request_micro(price: Version, tokens: Tokens) -> int:
    """What the gateway charges: micro-won, rounded up once."""
    scaled = sum(
        token_cost_micro(count, token_price_to_micro(price.price_of(kind)))
        for kind, count in tokens.kinds.items()
    )
    return ceil_micro(scaled)


def request(price: Version, tokens: Tokens, *, max_tokens: int | None = None) -> RequestEstimate:
    """One request, and its hold: no token from the cache, ``max_tokens`` out."""
    worst = Tokens(tokens.tokens_in, 0, max(tokens.tokens_out, max_tokens or 0))
    return RequestEstimate(
        version=price.public_id,
        typical=Amount.of(Fraction(request_micro(price, tokens), MICRO)),
        worst=Amount.of(Fraction(request_micro(price, worst), MICRO)),
    )


def month_of_requests(
    price: Version,
    tokens: Tokens,
    requests: int,
    *,
    month: Month,
    terms: Sequence[Term] = (),
    batch: bool = False,
) -> MonthEstimate:
    """So many of them in a month, with rebates, fees and minimums of the terms."""
    if not 0 <= requests <= MOST:
        raise BadEstimate(requests)
    model = price.item.partition("/")[2]
    used = []
    for kind, count in tokens.kinds.items():
        item = Item(str(month), kind, model, price.public_id, BATCH if batch else "")
        exact = rating.amount(item, count * requests, price.price_of(kind))
        used.append(Used(item, price.item, count * requests, exact))
    return _month(month, terms, used)


def _month(
    month: Month, terms: Sequence[Term], used: Sequence[Used], runs: Sequence[Run] = ()
) -> MonthEstimate:
    charged = sum((one.exact for one in used), Fraction(0))
    lines = tuple(extra_lines(month, terms, used, runs))
    whole = charged + sum((line.won for line in lines), Fraction(0))
    return MonthEstimate(Amount.of(charged), lines, Amount.of(whole))


def batch_discount(terms: Sequence[Term], model: str) -> Decimal:
    """Percent off requests in batch."""
    found = {one.item: one.value for one in terms if one.kind == "batch"}
    value = found.get(model, found.get(EVERY))
    return value.off if isinstance(value, Percent) else Decimal(0)


def endpoint(
    price: Version,
    *,
    cards: int,
    month: Month,
    schedule: Schedule = ALWAYS,
    terms: Sequence[Term] = (),
) -> EndpointEstimate:
    """``cards`` are those of all replicas together."""
    if not 1 <= cards <= 10_000:
        raise BadEstimate(cards)
    hours = schedule.hours_a_month
    seconds = hours * 3600 * cards
    item = Item(str(month), "card_seconds", "", price.public_id)
    exact = rating.amount(item, seconds, price.won_per_hour)
    worst = card_amount(ALWAYS.hours_a_month * 3600 * cards, price.won_per_hour)
    return EndpointEstimate(
        version=price.public_id,
        cards=cards,
        hours=hours,
        hour=Amount.of(card_amount(3600 * cards, price.won_per_hour)),
        month=_month(month, terms, [Used(item, price.item, seconds, exact)]),
        worst=Amount.of(worst),
    )


def run(price: Version, *, cards: int, seconds: int, terms: Sequence[Term] = ()) -> Amount:
    """``cards`` for so long, and no shorter than the shortest time that is billed."""
    chip = price.item.partition("/")[2]
    exact = card_amount(seconds * cards, price.won_per_hour)
    one = Run("", "", chip, cards, seconds, price.won_per_hour)
    for term in terms:
        if isinstance(term.value, ReplicaMinimum) and term.item == chip:
            exact += missing_won(one, term.value.seconds)
    return Amount.of(exact)


def of_micro(micro: int) -> Amount:
    """An amount that is known already, with its VAT."""
    return Amount.of(Fraction(micro, MICRO))
