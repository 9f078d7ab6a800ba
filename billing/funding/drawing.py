"""Invoices drawn from funding sources when they are issued, and given back by credit notes.

An invoice is drawn once, in the transaction that issues it, with the organization locked, so that
no source gives more than it has, and a killed program leaves either both or nothing. Organizations
without sources have no draws. What a draw says never changes; credit notes add returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Sum

from billing import waterfall
from billing.funding import prepaid
from billing.funding.sources import left_won
from billing.models import (
    CreditNote,
    FundingDraw,
    FundingKind,
    FundingReturn,
    FundingSource,
    Invoice,
    InvoiceLine,
)
from billing.waterfall import VAT, Cost, Drawn, Kind, Source
from portal.lib.periods import Month, seoul_date
from tenants import rls


def apply_to(drafts: Collection[int], *, now: datetime) -> int:
    """Draw the invoices that drafts have become, of organizations with sources; how many. In the
    transaction that issues them."""
    rows = Invoice.objects.filter(
        draft__in=drafts,
        organization__in=FundingSource.objects.filter(ended_at=None).values("organization"),
    )
    found = list(rows.select_related("organization"))
    for invoice in found:
        apply(invoice, now=now)
    return len(found)


@transaction.atomic
def apply(invoice: Invoice, *, now: datetime) -> list[FundingDraw]:
    """Draw an invoice from its organization's sources, once; none without sources. To be called in
    the transaction that issues it; again it finds what was drawn."""
    organization = invoice.organization
    with rls.tenant(organization.pk):
        prepaid.lock(organization)
        known = list(FundingDraw.objects.filter(invoice=invoice))
        rows = {
            one.public_id: one
            for one in FundingSource.objects.filter(organization=organization, ended_at=None)
        }
        if known or not rows:
            return known
        found = waterfall.draw(
            costs_of(invoice), [_source(one) for one in rows.values()], seoul_date(now)
        )
        draws = FundingDraw.objects.bulk_create(
            FundingDraw(
                organization=organization,
                invoice=invoice,
                position=position,
                cost=one.cost,
                source=rows.get(one.source),
                share_of=rows.get(one.share_of),
                won=one.won,
                at=now,
            )
            for position, one in enumerate(found, start=1)
        )
        _pay(invoice, draws, now)
    return draws


def _pay(invoice: Invoice, draws: Iterable[FundingDraw], now: datetime) -> None:
    """What prepaid credit gives is paid by that."""
    won: Counter[FundingSource] = Counter()
    for one in draws:
        if one.source is not None and one.source.kind == FundingKind.PREPAID:
            won[one.source] += one.won
    for source, part in won.items():
        prepaid.pay(source, invoice, part, now=now)


def _source(row: FundingSource) -> Source:
    day = timedelta(days=1)
    return Source(
        id=row.public_id,
        kind=Kind(row.kind),
        order=row.place,
        left_won=left_won(row),
        starts=row.starts,
        ends=row.last_day + day,
        usable_until=row.usable_until + day,
        covers=frozenset(row.covers) or None,
        own_share=row.own_share,
    )


def costs_of(invoice: Invoice) -> list[Cost]:
    """The invoice's lines by unit (tokens, card_seconds, …), each over the days of its month that
    the invoice bills, and the value added tax over all of them."""
    end = seoul_date(invoice.period_end - timedelta(microseconds=1))
    lines = [_cost(line, end) for line in invoice.lines.all()]
    first = min((one.day for one in lines), default=end)
    return [*lines, Cost(VAT, VAT, invoice.vat_won, first, max(end, first))]


def _cost(line: InvoiceLine, end: date) -> Cost:
    month = Month.parse(line.usage_month)
    last = min(month.next.first_date - timedelta(days=1), end)
    first = month.first_date
    return Cost(str(line.position), line.unit, line.amount_won, first, max(last, first))


# ─── given back ────────────────────────────────────────────────────────────────────────────────


def give_back(note: CreditNote, *, now: datetime) -> list[FundingReturn]:
    """A credit note gives back to the sources what it takes off their invoice, the last first. In
    the transaction that issues it, with the organization locked."""
    draws = list(note.invoice.draws.select_related("source", "share_of"))
    taken = waterfall.give_back(_taken(note), [_drawn(one) for one in _standing(draws)])
    found = FundingReturn.objects.bulk_create(
        FundingReturn(
            organization_id=note.organization_id,
            draw=one,
            credit_note=note,
            won=taken[one.pk],
            at=now,
        )
        for one in draws
        if one.pk in taken
    )
    for row in found:
        source = row.draw.source
        if source is not None and source.kind == FundingKind.PREPAID:
            prepaid.put_back(source, note.invoice, row.won, now=now)
    return found


def _taken(note: CreditNote) -> list[Cost]:
    """What a credit note takes back, as costs of its invoice. Their days decide nothing here."""
    day = note.issue_date
    lines = note.lines.select_related("invoice_line")
    found = [
        Cost(str(one.invoice_line.position), one.invoice_line.unit, one.amount_won, day)
        for one in lines
    ]
    return [*found, Cost(VAT, VAT, note.vat_won, day)]


def returned(draws: Iterable[FundingDraw]) -> Mapping[int, int]:
    """Won given back of each draw, by its row."""
    rows = FundingReturn.objects.filter(draw__in=[one.pk for one in draws])
    return dict(rows.order_by().values_list("draw").annotate(Sum("won")))


def _standing(draws: list[FundingDraw]) -> list[tuple[FundingDraw, int]]:
    back = returned(draws)
    return [(one, one.won - back.get(one.pk, 0)) for one in draws]


def _drawn(standing: tuple[FundingDraw, int]) -> Drawn:
    draw, won = standing
    return Drawn(
        id=draw.pk,
        cost=draw.cost,
        won=won,
        is_share=draw.share_of_id is not None,
        own_share=draw.source.own_share if draw.source else 0,
    )


# ─── as it is shown ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Part:
    """What one source pays of an invoice; no source: own money without a name. ``share_of`` names
    the programme whose own share it is."""

    source: FundingSource | None
    share_of: FundingSource | None
    won: int
    back_won: int

    @property
    def kind(self) -> str:
        return FundingKind.OWN if self.source is None else self.source.kind


def parts_of(invoice: Invoice) -> list[Part]:
    """Who pays what of an invoice, in the order of drawing; empty where nobody asked for it."""
    draws = list(invoice.draws.select_related("source", "share_of"))
    back = returned(draws) if draws else {}
    sums: dict[tuple[int | None, int | None], Part] = {}
    for one in draws:
        key = (one.source_id, one.share_of_id)
        known = sums.get(key, Part(one.source, one.share_of, 0, 0))
        sums[key] = Part(
            one.source,
            one.share_of,
            known.won + one.won,
            known.back_won + back.get(one.pk, 0),
        )
    return list(sums.values())
