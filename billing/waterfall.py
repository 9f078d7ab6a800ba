"""Which money pays what: costs drawn from funding sources in their stated order. Pure.

A source pays a cost only if it covers that kind of cost, the cost's day lies in its period, and it
is still usable on the day of the draw. A subsidy pays its part and leaves the payer's own share
(자부담) to the payer's own money: never to another subsidy or voucher. Own money has no end, so
that what is drawn always sums to the cost. Whole won; a subsidy's part is cut off below one won.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

WHOLE = 10_000  # shares are parts of ten thousand: 2,000 is 20 %
VAT = "vat"  # the kind of cost that value added tax is; most programmes do not pay it


class Kind(StrEnum):
    OWN = "own"  # 자체 예산
    PREPAID = "prepaid"  # credit that was paid for, with an expiry
    VOUCHER = "voucher"  # 바우처
    SUBSIDY = "subsidy"  # 보조금


OWN_MONEY = frozenset({Kind.OWN, Kind.PREPAID})  # what an own share may be paid with


@dataclass(frozen=True, slots=True)
class Source:
    """``left_won`` is what it still has (``None``: no end). ``ends`` and ``usable_until`` are the
    days after the last. ``covers`` names kinds of cost (``None``: all, value added tax as well).
    ``own_share`` of each cost is the payer's."""

    id: str
    kind: Kind
    order: int
    left_won: int | None = None
    starts: date = date.min
    ends: date = date.max
    usable_until: date = date.max
    covers: frozenset[str] | None = None
    own_share: int = 0

    def __post_init__(self) -> None:
        if self.left_won is not None and self.left_won < 0:
            raise ValueError(f"{self.id} has less than nothing")
        if not 0 <= self.own_share <= WHOLE:
            raise ValueError(f"{self.id}: a share is 0 to {WHOLE}")
        if self.own_share and self.kind in OWN_MONEY:
            raise ValueError(f"{self.id}: own money has no own share")

    def pays(self, cost: Cost, at: date) -> bool:
        """Whether it may pay anything of a cost on a day."""
        covered = self.covers is None or cost.kind in self.covers
        inside = self.starts <= cost.day and (cost.last or cost.day) < self.ends
        return covered and inside and at < self.usable_until

    def part_of(self, won: int) -> int:
        """What it pays of an amount that is all its own to pay."""
        return won * (WHOLE - self.own_share) // WHOLE


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of an invoice, or its value added tax; incurred on a day, or from a day to the
    ``last``: all of it has to lie in a source's period, for nobody knows which part did."""

    id: str
    kind: str
    won: int
    day: date
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """``share_of`` names the subsidy whose own share this is, if it is one."""

    cost: str
    source: str
    won: int
    share_of: str = ""


OWN = Source("own", Kind.OWN, order=1_000_000)  # what pays when nothing else is named


def draw(costs: Sequence[Cost], sources: Iterable[Source], at: date) -> list[Draw]:
    """Who pays what. The draws of a cost sum to it; a source gives no more than it has. Corrections
    (costs below zero) are taken off others first; ``ValueError`` if less than nothing is left."""
    ordered = sorted(sources, key=lambda one: (one.order, one.usable_until, one.ends, one.id))
    if not any(one.kind is Kind.OWN and one.left_won is None for one in ordered):
        ordered.append(OWN)
    left = {one.id: one.left_won for one in ordered}
    return [found for cost in net(costs) for found in _draw_one(cost, ordered, left, at)]


def _draw_one(
    cost: Cost, ordered: Sequence[Source], left: dict[str, int | None], at: date
) -> Iterator[Draw]:
    rest = cost.won
    for source in ordered:
        if not rest:
            return
        if not source.pays(cost, at):
            continue
        whole = _reach(source, rest, left[source.id])
        paid = source.part_of(whole)
        if not paid:
            continue
        rest -= whole
        _take(left, source.id, paid)
        yield Draw(cost.id, source.id, paid)
        yield from _own(replace(cost, won=whole - paid), ordered, left, at, source.id)
    if rest:
        yield from _own(replace(cost, won=rest), ordered, left, at, "")


def _reach(source: Source, rest: int, has: int | None) -> int:
    """How much of a cost a source brings with what it has, its own share included."""
    if has is None or source.part_of(rest) <= has:
        return rest
    return min(rest, -(-has * WHOLE // (WHOLE - source.own_share)))


def _own(
    cost: Cost, ordered: Sequence[Source], left: dict[str, int | None], at: date, share_of: str
) -> Iterator[Draw]:
    """A part that only the payer's own money may pay; own money without an end pays whatever no
    other may."""
    rest = cost.won
    for source in ordered:
        endless = source.kind is Kind.OWN and source.left_won is None
        if not rest:
            return
        if source.kind not in OWN_MONEY or not (endless or source.pays(cost, at)):
            continue
        has = left[source.id]
        paid = rest if has is None else min(rest, has)
        if paid:
            rest -= paid
            _take(left, source.id, paid)
            yield Draw(cost.id, source.id, paid, share_of)


def _take(left: dict[str, int | None], source: str, won: int) -> None:
    has = left[source]
    if has is not None:
        left[source] = has - won


def net(costs: Sequence[Cost]) -> list[Cost]:
    """Costs without those below zero: these are taken off costs of their kind, then off any, from
    the last; ``ValueError`` if they are more than all others."""
    if sum(one.won for one in costs) < 0:
        raise ValueError("the corrections are more than the costs")
    found = [one for one in costs if one.won > 0]
    for minus in (one for one in costs if one.won < 0):
        over = -minus.won
        same = [place for place, one in enumerate(found) if one.kind == minus.kind]
        others = [place for place in range(len(found)) if place not in same]
        for place in (*reversed(same), *reversed(others)):
            part = min(over, found[place].won)
            found[place] = replace(found[place], won=found[place].won - part)
            over -= part
    return [one for one in found if one.won]


# ─── what a credit note gives back ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw as it stands: ``won`` is what earlier credit notes have left of it. ``own_share`` is
    its source's."""

    id: int
    cost: str
    won: int
    is_share: bool = False
    own_share: int = 0


def give_back(costs: Sequence[Cost], drawn: Sequence[Drawn]) -> dict[int, int]:
    """Won to give back of each draw, by its id: what was drawn last is given back first, of the
    same cost before the others. A subsidy and its own share shrink together, so that it never pays
    more than its part of what is left. ``drawn`` is in the order of drawing."""
    groups = _groups(drawn)
    left = {one.id: one.won for one in drawn}
    over = 0
    for cost in net(costs):
        of_cost = [group for group in groups if group[0].cost == cost.id]
        over += _give(of_cost, cost.won, left)
    _give(groups, over, left)
    return {one.id: one.won - left[one.id] for one in drawn if left[one.id] != one.won}


def _groups(drawn: Sequence[Drawn]) -> list[list[Drawn]]:
    """Each draw with the own shares that follow it."""
    found: list[list[Drawn]] = []
    for one in drawn:
        if one.is_share and found:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _give(groups: Sequence[Sequence[Drawn]], won: int, left: dict[int, int]) -> int:
    """Take ``won`` off groups from the last; what they do not have."""
    for head, *shares in reversed(groups):
        stands = sum(left[one.id] for one in (head, *shares))
        back = min(won, stands)
        won -= back
        keeps = min(left[head.id], (stands - back) * (WHOLE - head.own_share) // WHOLE)
        back -= left[head.id] - keeps
        left[head.id] = keeps
        for one in reversed(shares):
            part = min(back, left[one.id])
            left[one.id] -= part
            back -= part
    return won
