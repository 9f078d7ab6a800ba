"""What doors ask about funding sources."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import BooleanField, Case, F, QuerySet, Sum, Value, When

from billing.funding import evidence
from billing.models import (
    FundingDraw,
    FundingKind,
    FundingReturn,
    FundingSource,
    PrepaidEntry,
    PrepaidTopUp,
)
from billing.receivables import sum_by
from tenants.actors import Actor

Sources = QuerySet[Any]  # with ``drawn``, ``left`` and ``is_ended``, which the stubs cannot follow


def sources(actor: Actor) -> Sources:
    """All sources with what each has paid and what is left (``None``: no end), those in use first,
    in the order in which they are drawn."""
    prepaid = When(
        kind=FundingKind.PREPAID, then=sum_by(PrepaidEntry.objects.all(), "won", "source")
    )
    return (
        FundingSource.objects.visible_to(actor)
        .annotate(
            drawn=sum_by(FundingDraw.objects.all(), "won", "source")
            - sum_by(FundingReturn.objects.all(), "won", "draw__source"),
            is_ended=Case(
                When(ended_at=None, then=Value(False)),
                default=Value(True),
                output_field=BooleanField(),
            ),
        )
        .annotate(left=Case(prepaid, default=F("cap_won") - F("drawn")))
        .order_by("is_ended", "place", "usable_until", "pk")
    )


def state_of(source: Any, today: date) -> str:
    """``ended``, ``expired``, ``empty``, ``coming`` or ``active``, on a day in Korea."""
    if source.ended_at is not None:
        return "ended"
    if source.usable_until < today:
        return "expired"
    if source.left == 0:
        return "empty"
    return "coming" if source.starts > today else "active"


@dataclass(frozen=True, slots=True)
class Movement:
    """What a source paid of a line, or got back (below zero). ``own_won`` is what others paid as
    its own share."""

    day: date
    document: str  # invoice or credit_note
    number: str
    cost: str
    won: int
    own_won: int


def statement(source: FundingSource) -> list[Movement]:
    """All that a source paid and got back, in order."""
    draws = evidence.draws_of(source)
    returns = FundingReturn.objects.filter(draw__in=draws.order_by().values("pk"))
    rows: list[tuple[Any, str, FundingDraw, int]]
    rows = [(one.invoice, "invoice", one, one.won) for one in draws]
    rows += [
        (one.credit_note, "credit_note", one.draw, -one.won)
        for one in returns.select_related("draw", "credit_note").order_by("draw__position")
    ]
    found: dict[tuple[str, str], Movement] = {}
    for document, kind, draw, won in rows:
        mine = draw.source_id == source.pk
        key = (document.number, draw.cost)
        known = found.get(
            key, Movement(document.issue_date, kind, document.number, draw.cost, 0, 0)
        )
        found[key] = replace(
            known, won=known.won + won * mine, own_won=known.own_won + won * (not mine)
        )
    return sorted(found.values(), key=lambda one: (one.day, one.number))


def entries(source: FundingSource) -> QuerySet[PrepaidEntry]:
    """How prepaid credit came and went, the latest first."""
    return source.entries.select_related("invoice", "payment").order_by("-at", "-pk")


def topups(actor: Actor) -> QuerySet[PrepaidTopUp]:
    """Wishes to pay in advance, the latest first."""
    rows = PrepaidTopUp.objects.visible_to(actor).select_related("organization", "source")
    return rows.order_by("-asked_at", "-pk")


def waiting_topups(actor: Actor) -> QuerySet[PrepaidTopUp]:
    """Those that wait for their payment."""
    return topups(actor).filter(source=None, withdrawn_at=None)


def prepaid_left(actor: Actor) -> int:
    """Won of prepaid credit that is still there."""
    rows = PrepaidEntry.objects.visible_to(actor)
    return rows.aggregate(won=Sum("won"))["won"] or 0
