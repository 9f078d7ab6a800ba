"""Values of prices and terms: read strictly, written as plain JSON.

Whatever people or programs hand in is read here once, before it is proposed and again before it
is carried out. ``BadTerm`` says the rule and the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from billing.term_lines import (
    Monthly,
    Percent,
    ReplicaMinimum,
    Step,
    Tiers,
    TokenPrices,
    UnitPrice,
    Value,
)

HIGHEST_WON = Decimal(1_000_000_000)
DECIMALS = 6
MOST_STEPS = 10
HIGHEST_START = 10**12  # units of a step
HIGHEST_MONTHLY = 10_000_000_000
LONGEST_MINIMUM = 86_400  # seconds
UNIT_PRICED = ("cards", "storage", "tokens")  # kinds that may be a price or percent off it


class BadTerm(Exception):
    """A value that breaks a rule; the sentence says which."""

    def __init__(self, rule: str, **numbers: Any) -> None:
        super().__init__(rule, numbers)
        self.rule = rule
        self.numbers = numbers

    def __str__(self) -> str:
        sentences = {
            "price": _("A price is ₩0 to ₩1,000,000,000 with at most six decimals."),
            "cached": _(
                "Input from the cache costs no more than other input: %(cached)s > %(in)s."
            ),
            "percent": _("A discount is 0 to 100 percent with at most two decimals."),
            "monthly": _("An amount a month is ₩1 to ₩10,000,000,000, in whole won."),
            "seconds": _("The shortest time billed is 0 to 86,400 seconds."),
            "kind": _("There is no such kind of term: %(kind)s."),
            "fields": _("This term needs exactly: %(fields)s."),
            "mode": _("Tiers are graduated or volume."),
            "steps": _("Tiers have 1 to 10 steps."),
            "step": _("A step runs from a whole number to a larger one, below 10^12."),
            "begin": _("The first step begins at 0, not at %(start)s."),
            "gap": _("There is a gap between the steps: %(end)s to %(start)s."),
            "overlap": _("The steps overlap: %(start)s to %(end)s."),
            "end": _("The last step has no end, and only the last one."),
        }
        return sentences[self.rule] % self.numbers


def price(value: Any) -> Decimal:
    """Won, ₩0 to ₩1,000,000,000, six decimals."""
    found = _decimal(value, "price")
    if not 0 <= found <= HIGHEST_WON or found != round(found, DECIMALS):
        raise BadTerm("price")
    return found


def percent(value: Any) -> Decimal:
    """0 to 100, two decimals."""
    found = _decimal(value, "percent")
    if not 0 <= found <= 100 or found != round(found, 2):
        raise BadTerm("percent")
    return found


def _decimal(value: Any, rule: str) -> Decimal:
    """Text, whole numbers and decimals; never a float, which has lost its digits already."""
    if isinstance(value, bool | float):
        raise BadTerm(rule)
    try:
        found = Decimal(value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise BadTerm(rule) from error
    if not found.is_finite():
        raise BadTerm(rule)
    return found


def _whole(value: Any, rule: str, most: int) -> int:
    found = _decimal(value, rule)
    if found != found.to_integral_value() or not 0 <= found <= most:
        raise BadTerm(rule)
    return int(found)


def parse(kind: str, value: Any) -> Value:
    """The value of a term of this kind out of its JSON. ``BadTerm``."""
    if not isinstance(value, Mapping):
        raise BadTerm("fields", fields="{…}")
    if kind in UNIT_PRICED and "off" in value:
        return Percent(percent(_only(value, "off")["off"]))
    readers: dict[str, Callable[[Mapping[str, Any]], Value]] = {
        "tokens": _tokens,
        "cards": _unit,
        "storage": _unit,
        "batch": lambda found: Percent(percent(_only(found, "off")["off"])),
        "tiers": _tiers,
        "fee": _monthly,
        "minimum": _monthly,
        "replica_minimum": _replica_minimum,
    }
    if kind not in readers:
        raise BadTerm("kind", kind=str(kind)[:40])
    return readers[kind](value)


def _only(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    if set(value) != set(names):
        raise BadTerm("fields", fields=", ".join(names))
    return value


def _tokens(value: Mapping[str, Any]) -> TokenPrices:
    found = _only(value, "price_in", "price_cached", "price_out")
    prices = TokenPrices(
        *(price(found[name]) for name in ("price_in", "price_cached", "price_out"))
    )
    require_cached_no_dearer(prices.price_in, prices.price_cached)
    return prices


def require_cached_no_dearer(price_in: Decimal, price_cached: Decimal) -> None:
    """A hold reckons with every token at the price of input: nothing may cost more."""
    if price_cached > price_in:
        raise BadTerm("cached", **{"cached": f"{price_cached:f}", "in": f"{price_in:f}"})


def _unit(value: Mapping[str, Any]) -> UnitPrice:
    return UnitPrice(price(_only(value, "won")["won"]))


def _monthly(value: Mapping[str, Any]) -> Monthly:
    return Monthly(_whole(_only(value, "won")["won"], "monthly", HIGHEST_MONTHLY))


def _replica_minimum(value: Mapping[str, Any]) -> ReplicaMinimum:
    return ReplicaMinimum(_whole(_only(value, "seconds")["seconds"], "seconds", LONGEST_MINIMUM))


def _tiers(value: Mapping[str, Any]) -> Tiers:
    found = _only(value, "mode", "steps")
    if found["mode"] not in {"graduated", "volume"}:
        raise BadTerm("mode")
    rows = found["steps"]
    if not isinstance(rows, list | tuple) or not 1 <= len(rows) <= MOST_STEPS:
        raise BadTerm("steps")
    steps = tuple(_step(row) for row in rows)
    _require_chain(steps)
    return Tiers(found["mode"], steps)


def _step(row: Any) -> Step:
    if not isinstance(row, Mapping) or set(row) != {"start", "end", "off"}:
        raise BadTerm("fields", fields="start, end, off")
    start = _whole(row["start"], "step", HIGHEST_START)
    end = None if row["end"] is None else _whole(row["end"], "step", HIGHEST_START)
    if end is not None and end <= start:
        raise BadTerm("step")
    return Step(start, end, percent(row["off"]))


def _require_chain(steps: tuple[Step, ...]) -> None:
    """From 0 on without gap or overlap; only the last step is open."""
    if steps[0].start != 0:
        raise BadTerm("begin", start=steps[0].start)
    for one, after in pairwise(steps):
        if one.end is None:
            raise BadTerm("end")
        if after.start > one.end:
            raise BadTerm("gap", end=one.end, start=after.start)
        if after.start < one.end:
            raise BadTerm("overlap", start=after.start, end=one.end)
    if steps[-1].end is not None:
        raise BadTerm("end")


def written(value: Value) -> dict[str, Any]:
    """The value as JSON: decimals as text."""
    match value:
        case Percent(off):
            return {"off": f"{off:f}"}
        case TokenPrices(price_in, price_cached, price_out):
            return {
                "price_in": f"{price_in:f}",
                "price_cached": f"{price_cached:f}",
                "price_out": f"{price_out:f}",
            }
        case UnitPrice(won):
            return {"won": f"{won:f}"}
        case Tiers(mode, steps):
            rows = [{"start": one.start, "end": one.end, "off": f"{one.off:f}"} for one in steps]
            return {"mode": mode, "steps": rows}
        case Monthly(won):
            return {"won": won}
        case ReplicaMinimum(seconds):
            return {"seconds": seconds}
