"""Funding sources: added, put in order, ended; and what each has left.

A source's terms never change, but for its place in the order. What credit was paid for in advance
is a source as well: it is made by a payment (``billing.funding.prepaid``), not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.utils.translation import gettext as _

from billing import waterfall
from billing.funding import prepaid
from billing.models import FundingKind, FundingReturn, FundingSource
from billing.waterfall import VAT, Kind
from portal.lib import ids
from tenants import audit
from tenants.actors import Actor

MOST_WON = 10**12
# What a source may be limited to: kinds of lines, and the tax. Rebates follow what they are of.
COST_KINDS = (
    "tokens",
    "card_seconds",
    "storage",
    "fee",
    "minimum",
    "replica_minimum",
    "interest",
    VAT,
)
LAST_PLACE = prepaid.LAST_PLACE
MOST_SOURCES = 100  # in use at a time; each invoice looks at all of them


class BadSource(ValueError):
    """The sentence says what is wrong with the terms."""


class SourceEnded(Exception):
    def __str__(self) -> str:
        return _("This funding source has ended. Nothing is drawn from it any more.")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a source is. Days are inclusive; ``own_share`` in parts of ten thousand."""

    kind: str
    place: int
    name: str
    starts: date
    last_day: date
    usable_until: date
    cap_won: int | None = None
    programme: str = ""
    provider_number: str = ""
    covers: tuple[str, ...] = ()
    own_share: int = 0


@transaction.atomic
def add(*, terms: Terms, by: Actor, now: datetime) -> FundingSource:
    """A new source. ``BadSource``."""
    by.require("budgets.change")
    _check(terms)
    prepaid.lock(by.organization)
    if in_use(by).count() >= MOST_SOURCES:
        raise BadSource(_("There are too many sources already. End those that are not used."))
    source = FundingSource.objects.create(
        public_id=ids.mint("fund"),
        organization=by.organization,
        kind=terms.kind,
        place=terms.place,
        name=terms.name.strip(),
        programme=terms.programme.strip(),
        provider_number=terms.provider_number.strip(),
        cap_won=terms.cap_won,
        starts=terms.starts,
        last_day=terms.last_day,
        usable_until=terms.usable_until,
        covers=list(terms.covers),
        own_share=terms.own_share,
        added_at=now,
    )
    changes = {"kind": source.kind, "cap_won": source.cap_won}
    audit.record("funding.add", by=by, now=now, subject=source.public_id, changes=changes)
    return source


def in_use(by: Actor) -> QuerySet[FundingSource]:
    """Those that are not ended, in the order in which they are drawn."""
    return FundingSource.objects.visible_to(by).filter(ended_at=None).order_by("place", "pk")


def _check(terms: Terms) -> None:
    if terms.kind not in FundingKind.values or not terms.name.strip():
        raise BadSource(_("Give the kind and a name."))
    if terms.kind == FundingKind.PREPAID:
        raise BadSource(_("Prepaid credit comes from a payment. Ask for a top-up."))
    if terms.last_day < terms.starts or terms.usable_until < terms.starts:
        raise BadSource(_("The period ends before it begins."))
    if terms.cap_won is not None and not 0 <= terms.cap_won <= MOST_WON:
        raise BadSource(_("An amount is ₩0 to ₩1,000,000,000,000."))
    if not 0 <= terms.own_share <= waterfall.WHOLE:
        raise BadSource(_("The own share is 0 % to 100 %."))
    if not set(terms.covers) <= set(COST_KINDS):
        raise BadSource(_("It covers a kind of cost that there is not."))
    if terms.own_share and Kind(terms.kind) in waterfall.OWN_MONEY:
        raise BadSource(_("Own money has no own share."))
    if terms.kind != FundingKind.OWN and terms.cap_won is None:
        raise BadSource(_("Vouchers and subsidies have an amount."))


@transaction.atomic
def end(*, source: FundingSource, by: Actor, now: datetime) -> None:
    """Draw from it no more. What is left of prepaid credit becomes credit, unless it has expired.
    Harmless when repeated."""
    by.require("budgets.change")
    prepaid.lock(by.organization)
    if FundingSource.objects.filter(pk=source.pk, ended_at=None).update(ended_at=now):
        if source.kind == FundingKind.PREPAID:
            prepaid.give_up(source, now=now)
        audit.record("funding.end", by=by, now=now, subject=source.public_id)


@transaction.atomic
def move(*, source: FundingSource, up: bool, by: Actor, now: datetime) -> None:
    """One place earlier or later in the order; nothing at either end. ``SourceEnded``."""
    by.require("budgets.change")
    prepaid.lock(by.organization)
    rows = list(in_use(by))
    here = next((at for at, one in enumerate(rows) if one.pk == source.pk), None)
    if here is None:
        raise SourceEnded
    there = here - 1 if up else here + 1
    if not 0 <= there < len(rows):
        return
    rows[here], rows[there] = rows[there], rows[here]
    for place, one in enumerate(rows, start=1):
        one.place = place
    FundingSource.objects.bulk_update(rows, ["place"])
    audit.record("funding.order", by=by, now=now, subject=source.public_id)


def next_place(by: Actor) -> int:
    """After all that are in use."""
    last = in_use(by).aggregate(place=Max("place"))["place"] or 0
    return min(last + 1, LAST_PLACE)


def drawn_won(source: FundingSource) -> int:
    """What it has paid so far, less what credit notes gave back."""
    drawn: int = source.draws.aggregate(total=Sum("won"))["total"] or 0
    back = FundingReturn.objects.filter(draw__source=source).aggregate(total=Sum("won"))["total"]
    return drawn - (back or 0)


def left_won(source: FundingSource) -> int | None:
    """What it still has; ``None``: no end. Of prepaid credit, what was paid and is still there."""
    if source.kind == FundingKind.PREPAID:
        return prepaid.left_won(source)
    return None if source.cap_won is None else source.cap_won - drawn_won(source)
