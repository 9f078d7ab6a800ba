"""Funding sources: added, ended, drawn when an invoice is issued, shown for settlement (정산).

``billing.waterfall`` decides; here are the rows. An invoice is drawn once, in the transaction that
issues it, with the organization locked, so that no source gives more than it has. What a draw says
never changes; what a credit note takes off is in the credit note.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from billing import documents, waterfall
from billing.models import (
    FundingDraw,
    FundingKind,
    FundingSource,
    Invoice,
    InvoiceLine,
    PaymentAllocation,
)
from billing.waterfall import VAT, Cost, Kind, Source
from portal.lib import ids, spreadsheet
from portal.lib.periods import Month, seoul_date
from tenants import audit, rls
from tenants.actors import Actor
from tenants.models import Organization

MOST_WON = 10**12


class BadSource(ValueError):
    """The sentence says what is wrong with the terms."""


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
    source = FundingSource.objects.create(
        public_id=ids.mint("fund"),
        organization=by.organization,
        kind=terms.kind,
        place=terms.place,
        name=terms.name.strip(),
        programme=terms.programme,
        provider_number=terms.provider_number,
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


def _check(terms: Terms) -> None:
    if terms.kind not in FundingKind.values or not terms.name.strip():
        raise BadSource(_("Give the kind and a name."))
    if terms.last_day < terms.starts or terms.usable_until < terms.starts:
        raise BadSource(_("The period ends before it begins."))
    if terms.cap_won is not None and not 0 <= terms.cap_won <= MOST_WON:
        raise BadSource(_("An amount is ₩0 to ₩1,000,000,000,000."))
    if not 0 <= terms.own_share <= waterfall.WHOLE:
        raise BadSource(_("The own share is 0 % to 100 %."))
    if terms.own_share and Kind(terms.kind) in waterfall.OWN_MONEY:
        raise BadSource(_("Own money has no own share."))
    if terms.kind != FundingKind.OWN and terms.cap_won is None:
        raise BadSource(_("Vouchers, subsidies and prepaid credit have an amount."))


@transaction.atomic
def end(*, source: FundingSource, by: Actor, now: datetime) -> None:
    """Draw from it no more. Harmless when repeated."""
    by.require("budgets.change")
    if FundingSource.objects.filter(pk=source.pk, ended_at=None).update(ended_at=now):
        audit.record("funding.end", by=by, now=now, subject=source.public_id)


def drawn_won(source: FundingSource) -> int:
    """What it has paid so far."""
    return source.draws.aggregate(total=Sum("won"))["total"] or 0


def left_won(source: FundingSource) -> int | None:
    """What it still has; ``None``: no end."""
    return None if source.cap_won is None else source.cap_won - drawn_won(source)


@transaction.atomic
def apply(invoice: Invoice, *, now: datetime) -> list[FundingDraw]:
    """Draw an invoice from its organization's sources, once. To be called in the transaction that
    issues it; again it finds what was drawn."""
    organization = invoice.organization
    with rls.tenant(organization.pk):
        Organization.objects.select_for_update().get(pk=organization.pk)
        known = list(FundingDraw.objects.filter(invoice=invoice))
        if known:
            return known
        rows = {
            one.public_id: one
            for one in FundingSource.objects.filter(organization=organization, ended_at=None)
        }
        found = waterfall.draw(
            costs_of(invoice), [_source(one) for one in rows.values()], seoul_date(now)
        )
        return FundingDraw.objects.bulk_create(
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


# ─── for the settlement ────────────────────────────────────────────────────────────────────────

_Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]


def evidence(source: FundingSource, *, now: datetime) -> bytes:
    """A ZIP for the settlement of a programme: what the source and the payer's own share paid, the
    invoices with their PDF files, their usage lines, their payments, and an index of it all."""
    draws = list(
        FundingDraw.objects.filter(source=source).select_related("invoice", "share_of")
    ) + list(FundingDraw.objects.filter(share_of=source).select_related("invoice", "share_of"))
    draws.sort(key=lambda one: (one.invoice.number, one.position))
    invoices = {one.invoice_id: one.invoice for one in draws}
    tables = [_draws(draws), _usage(invoices.values()), _payments(invoices)]
    index: list[tuple[str, str, int]] = []
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, head, rows in tables:
            pack.writestr(name, "".join(spreadsheet.lines(head, rows)))
            index.append((name, "", len(rows)))
        for invoice in invoices.values():
            name = f"invoices/{invoice.number}.pdf"
            pack.writestr(name, documents.pdf_of(invoice, now=now))
            index.append((name, invoice.public_id, invoice.total_won))
        head = (_("File"), _("Document"), _("Lines or won"))
        pack.writestr("index.csv", "".join(spreadsheet.lines(head, index)))
    return raw.getvalue()


def _draws(draws: Sequence[FundingDraw]) -> _Table:
    head = (_("Invoice"), _("Line"), _("Day"), _("Paid by the programme"), _("Own share"))
    rows = [
        (
            one.invoice.number,
            one.cost,
            seoul_date(one.at).isoformat(),
            0 if one.share_of_id else one.won,
            one.won if one.share_of_id else 0,
        )
        for one in draws
    ]
    return "draws.csv", head, rows


def _usage(invoices: Iterable[Invoice]) -> _Table:
    head = (_("Invoice"), _("Line"), _("Month"), _("Text"), _("Quantity"), _("Unit"), _("Won"))
    rows = [
        (
            invoice.number,
            line.position,
            line.usage_month,
            line.text_ko,
            line.quantity,
            line.unit,
            line.amount_won,
        )
        for invoice in invoices
        for line in invoice.lines.all()
    ]
    return "usage.csv", head, rows


def _payments(invoices: dict[int, Invoice]) -> _Table:
    head = (_("Invoice"), _("Payment"), _("Received"), _("How"), _("Won"))
    found = PaymentAllocation.objects.filter(invoice__in=list(invoices))
    rows = [
        (
            one.invoice.number,
            one.payment.public_id,
            seoul_date(one.payment.received_at).isoformat(),
            one.payment.source_label,
            one.won,
        )
        for one in found.select_related("invoice", "payment")
    ]
    return "payments.csv", head, rows
