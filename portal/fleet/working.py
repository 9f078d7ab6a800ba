"""How many cards of one kind worked at a site, moment by moment: told by reports, kept as moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portal.fleet.models import Site, UsableCards, UsableCardsMove
from portal.lib.periods import Period

BROKEN = ("failed", "gone")


@dataclass(frozen=True, slots=True)
class Worked:
    """Cards that worked for a period."""

    period: Period
    cards: int


def note(
    site: Site,
    before: Iterable[tuple[int, str]],
    after: Iterable[tuple[int, str]],
    *,
    now: datetime,
) -> None:
    """Keep what one report changed. Cards are (chip, state); ``site`` is as it was before, since
    a card that stopped working did so at some time after the report before this one."""
    had, has = _counts(before), _counts(after)
    rows = [
        UsableCardsMove(
            site=site,
            chip_id=chip,
            from_cards=had[chip],
            to_cards=has[chip],
            at=now if has[chip] > had[chip] else site.observed_at or now,
        )
        for chip in sorted({*had, *has})
        if had[chip] != has[chip]
    ]
    if rows:
        UsableCardsMove.objects.bulk_create(rows)


def _counts(cards: Iterable[tuple[int, str]]) -> Counter[int]:
    return Counter(chip for chip, state in cards if state not in BROKEN)


def within(site: Site, chip: int, period: Period) -> list[Worked]:
    """Each moment of the period in order. Where no move was kept yet it worked as it does now."""
    rows = UsableCardsMove.objects.filter(site=site, chip=chip)
    moves = list(rows.filter(at__gt=period.start, at__lt=period.end).order_by("at", "pk"))
    cards = _at(site, chip, period.start)
    found, start = [], period.start
    for move in moves:
        if start < move.at:
            found.append(Worked(Period(start, move.at), cards))
        start, cards = move.at, move.to_cards
    return [*found, Worked(Period(start, period.end), cards)]


def _at(site: Site, chip: int, moment: datetime) -> int:
    rows = UsableCardsMove.objects.filter(site=site, chip=chip).order_by("at", "pk")
    if last := rows.filter(at__lte=moment).last():
        return last.to_cards
    if first := rows.first():
        return first.from_cards
    known = UsableCards.objects.filter(site=site, chip=chip).first()
    return known.cards if known else 0
