"""What a month's use adds up to beyond its unit prices: rebates, fees, minimums. Pure.

Requests and card time are charged at their unit price while they happen, so that hard budgets
hold at that price. What depends on a whole month comes after it, as lines of its own:

* tiers: a rebate. *Graduated*: each part of the quantity at its step. *Volume*: all of it at the
  step that was reached. Steps are percent off what was charged.
* batch: percent off what batch requests were charged, which is less what was written off of
  them. They do not count for tiers.
* replica minimum: a replica that ran shorter than the minimum is billed the rest of it, once.
* fee: won a month; in the first and the last month by days.
* minimum: won a month, by days likewise, for what was used after rebates; fees do not count. What
  is missing is billed.

Amounts are exact until a line is made; a line is whole micro-won, rounded half up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from billing import rating
from billing.rating import BATCH, Item, rounded
from portal.lib.money import MICRO
from portal.lib.periods import Month

EVERY = "*"  # item of a batch discount for all models
LONGEST_TEXT = 200  # of a line on an invoice
# Quantities in one unit of a step.
UNITS = {
    "tokens": rating.UNITS["token_in"],
    "cards": rating.UNITS["card_seconds"],
    "storage": rating.UNITS["storage"],
}
UNIT_WORDS = {
    "tokens": ("백만 토큰", "M tokens"),
    "cards": ("카드·시간", "card-hours"),
    "storage": ("GB·일", "GB-days"),
}


@dataclass(frozen=True, slots=True)
class Percent:
    """Off a price; 0 to 100 with two decimals."""

    off: Decimal


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Won per million tokens."""

    price_in: Decimal
    price_cached: Decimal
    price_out: Decimal


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """Won per card-hour or GB-day."""

    won: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """From ``start`` units on, up to ``end``, percent off. Without an end: all above."""

    start: int
    end: int | None
    off: Decimal


@dataclass(frozen=True, slots=True)
class Tiers:
    """Steps of a month's quantity of one item, without gap or overlap, from 0 on."""

    mode: Literal["graduated", "volume"]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Monthly:
    """Whole won a month."""

    won: int


@dataclass(frozen=True, slots=True)
class ReplicaMinimum:
    """The shortest time that a replica is billed for."""

    seconds: int


Value = Percent | TokenPrices | UnitPrice | Tiers | Monthly | ReplicaMinimum


@dataclass(frozen=True, slots=True)
class Term:
    """One term from ``first`` on, before ``end`` (days in Korea)."""

    version: str
    kind: str  # tiers, batch, fee, minimum, replica_minimum
    item: str  # tokens/<model>, cards/<chip>, storage/<class>; * or model; a name; a chip
    value: Value
    first: date
    end: date | None = None
    agreed: bool = False  # of an agreement; else of the price list


@dataclass(frozen=True, slots=True)
class Used:
    """A quantity of the month and what it was charged, exact won. ``priced``: as tiers name it."""

    item: Item
    priced: str
    quantity: int
    exact: Fraction


@dataclass(frozen=True, slots=True)
class Run:
    """All ready time of one replica, and its price."""

    endpoint: str
    name: str
    chip: str
    cards: int
    seconds: int
    won_per_hour: Decimal


@dataclass(frozen=True, slots=True)
class ExtraLine:
    """One line beside the used items. ``micro`` is its amount in micro-won; rebates are negative.

    ``item`` keeps it apart: a quantity of micro-won that is billed less what stands on issued
    lines, as with any other item, so that use which arrives late corrects it.
    """

    item: Item
    micro: int
    text_ko: str
    text_en: str

    @property
    def won(self) -> Fraction:
        """Exact won."""
        return Fraction(self.micro, MICRO)


def extra_lines(
    month: Month, terms: Iterable[Term], used: Sequence[Used], runs: Sequence[Run] = ()
) -> list[ExtraLine]:
    """The month's lines in a stable order; those of no amount are left out."""
    held = _in_force(month, terms)
    lines = _batch_lines(month, held, used) + _tier_lines(month, held, used)
    lines += _replica_lines(month, held, runs)
    charged = sum((one.exact for one in used), Fraction(0))
    spent = charged + sum((line.won for line in lines), Fraction(0))
    lines += _fee_lines(month, held, any(one.quantity for one in used))
    lines += _minimum_lines(month, held, spent)
    return [line for line in lines if line.micro]


def _in_force(month: Month, terms: Iterable[Term]) -> list[Term]:
    """Terms that hold on a day of the month; an agreed one replaces the list's of its item."""
    found = [one for one in terms if days_of(month, one)]
    agreed = {(one.kind, one.item) for one in found if one.agreed}
    rest = [one for one in found if one.agreed or (one.kind, one.item) not in agreed]
    return sorted(rest, key=lambda one: (one.kind, one.item, one.first))


def days_of(month: Month, term: Term) -> int:
    """On how many days of the month it holds."""
    first = max(month.first_date, term.first)
    end = min(month.next.first_date, term.end or date.max)
    return max(0, (end - first) // timedelta(days=1))


def _of_kind(terms: list[Term], kind: str) -> list[Term]:
    return [one for one in terms if one.kind == kind]


def _line(month: Month, term: Term, exact: Fraction, korean: str, english: str) -> ExtraLine:
    item = Item(str(month), term.kind, term.item, term.version)
    return ExtraLine(item, rounded(exact * MICRO), _cut(korean), _cut(english))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


# ─── rebates ───────────────────────────────────────────────────────────────────────────────────


def _batch_lines(month: Month, terms: list[Term], used: Sequence[Used]) -> list[ExtraLine]:
    """The discount of a model goes before the one of all."""
    discounts = {one.item: one for one in _of_kind(terms, "batch")}
    charged: dict[str, Fraction] = {}
    for one in used:
        if one.item.label == BATCH:
            charged[one.item.subject] = charged.get(one.item.subject, Fraction(0)) + one.exact
    sums: dict[str, Fraction] = {}
    for model, exact in charged.items():
        name = model if model in discounts else EVERY
        if name in discounts:
            sums[name] = sums.get(name, Fraction(0)) + exact
    return [_batch_line(month, discounts[name], exact) for name, exact in sorted(sums.items())]


def _batch_line(month: Month, term: Term, exact: Fraction) -> ExtraLine:
    assert isinstance(term.value, Percent)
    off = term.value.off
    names = ("모든 모델", "all models") if term.item == EVERY else (term.item, term.item)
    korean = f"배치 할인 {names[0]}: {_won(exact)} × {_plain(off)}%"
    english = f"Batch discount, {names[1]}: {_won(exact)} × {_plain(off)}%"
    return _line(month, term, -exact * Fraction(off) / 100, korean, english)


def _tier_lines(month: Month, terms: list[Term], used: Sequence[Used]) -> list[ExtraLine]:
    lines = []
    for term in _of_kind(terms, "tiers"):
        mine = [one for one in used if one.priced == term.item and one.item.label != BATCH]
        quantity = sum(one.quantity for one in mine)
        exact = sum((one.exact for one in mine), Fraction(0))
        if quantity > 0:
            lines.append(_tier_line(month, term, quantity, exact))
    return lines


def _tier_line(month: Month, term: Term, quantity: int, exact: Fraction) -> ExtraLine:
    assert isinstance(term.value, Tiers)
    what = term.item.partition("/")[0]
    units = Fraction(quantity, UNITS[what])
    parts = parts_of(term.value, units)
    rebate = exact * sum((part * Fraction(off) for part, off in parts), Fraction(0)) / units / 100
    sums = " + ".join(f"{_plain(part)}×{_plain(off)}%" for part, off in parts)
    words = f"{_won(exact)} ÷ {_plain(units)} × ({sums})"
    graduated = term.value.mode == "graduated"
    name = term.item.partition("/")[2] or term.item
    korean = f"{'구간별' if graduated else '수량'} 할인 {name} ({UNIT_WORDS[what][0]}): {words}"
    mode = "Graduated" if graduated else "Volume"
    english = f"{mode} rebate, {name} ({UNIT_WORDS[what][1]}): {words}"
    return _line(month, term, -rebate, korean, english)


def parts_of(tiers: Tiers, units: Fraction) -> list[tuple[Fraction, Decimal]]:
    """(units, percent off them). Their sum is the whole quantity."""
    if tiers.mode == "volume":
        reached = [step for step in tiers.steps if step.start <= units]
        return [(units, reached[-1].off)]
    parts = []
    for step in tiers.steps:
        end = units if step.end is None else min(units, Fraction(step.end))
        if end > step.start:
            parts.append((end - step.start, step.off))
    return parts


# ─── minimums and fees ─────────────────────────────────────────────────────────────────────────


def _replica_lines(month: Month, terms: list[Term], runs: Sequence[Run]) -> list[ExtraLine]:
    lines = []
    for term in _of_kind(terms, "replica_minimum"):
        assert isinstance(term.value, ReplicaMinimum)
        least = term.value.seconds
        short = [one for one in runs if one.chip == term.item and one.seconds < least]
        seconds = sum((least - one.seconds) * one.cards for one in short)
        exact = sum((missing_won(one, least) for one in short), Fraction(0))
        korean = f"최소 과금 {least}초 미달 {term.item}: 레플리카 {len(short)}개, {seconds} 카드·초"
        english = (
            f"Below the minimum of {least} s, {term.item}: "
            f"{len(short)} replicas, {seconds} card-seconds"
        )
        lines.append(_line(month, term, exact, korean, english))
    return lines


def missing_won(run: Run, least: int) -> Fraction:
    """What a replica costs beyond its time because of the minimum, exact won."""
    missing = max(0, least - run.seconds) * run.cards
    return Fraction(missing, 3600) * Fraction(run.won_per_hour)


def _fee_lines(month: Month, terms: list[Term], used: bool) -> list[ExtraLine]:
    """Fees of the price list are due in months with use; agreed ones in each month."""
    return [
        _by_days(month, one, Fraction(0), (f"월 기본료 {one.item}", f"Monthly fee, {one.item}"))
        for one in _of_kind(terms, "fee")
        if one.agreed or used
    ]


def _minimum_lines(month: Month, terms: list[Term], spent: Fraction) -> list[ExtraLine]:
    words = ("월 최소 이용액 차액", "Up to the monthly minimum")
    return [_by_days(month, one, spent, words) for one in _of_kind(terms, "minimum")]


def _by_days(month: Month, term: Term, less: Fraction, words: tuple[str, str]) -> ExtraLine:
    """Won a month × days ÷ days of the month, less what counts for it, never below zero."""
    assert isinstance(term.value, Monthly)
    days = days_of(month, term)
    exact = max(Fraction(0), Fraction(term.value.won * days, month.days) - less)
    whole = f"{_won(Fraction(term.value.won))}"
    share = "" if days == month.days else f" × {days}/{month.days}"
    korean, english = f"{words[0]}: {whole}{share}", f"{words[1]}: {whole}{share}"
    if term.kind == "minimum":
        korean, english = f"{korean} − {_won(less)}", f"{english} − {_won(less)}"
    return _line(month, term, exact, korean, english)


# ─── words ─────────────────────────────────────────────────────────────────────────────────────


def _won(exact: Fraction) -> str:
    sign = "−" if exact < 0 else ""
    return f"{sign}₩{_plain(abs(exact), 2)}"


def _plain(value: Fraction | Decimal, decimals: int = 4) -> str:
    """``1,234.5``: rounded for reading only."""
    scaled = Decimal(rounded(Fraction(value) * 10**decimals)).scaleb(-decimals)
    text = f"{scaled:,.{decimals}f}"
    return text.rstrip("0").rstrip(".")
