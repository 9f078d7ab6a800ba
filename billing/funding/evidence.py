"""What the settlement (정산) of a programme asks for: papers over all that a source has paid."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from billing import documents
from billing.models import (
    FundingDraw,
    FundingReturn,
    FundingSource,
    Invoice,
    PaymentAllocation,
)
from portal.lib import spreadsheet
from portal.lib.periods import seoul_date

_Table = tuple[str, Sequence[str], Sequence[Sequence[object]]]


def pack(source: FundingSource, *, now: datetime) -> bytes:
    """A ZIP for the settlement of a programme: what the source and the payer's own share paid, the
    invoices with their PDF files, their usage lines, their payments, what was given back, and an
    index of it all."""
    draws = list(draws_of(source))
    invoices = {one.invoice_id: one.invoice for one in draws}
    tables = [
        _draws(source, draws),
        _returns(source, draws),
        _usage(invoices.values()),
        _payments(invoices),
    ]
    index: list[tuple[str, str, int]] = []
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as file:
        for name, head, rows in tables:
            file.writestr(name, "".join(spreadsheet.lines(head, rows)))
            index.append((name, "", len(rows)))
        for invoice in invoices.values():
            name = f"invoices/{invoice.number}.pdf"
            file.writestr(name, documents.pdf_of(invoice, now=now))
            index.append((name, invoice.public_id, invoice.total_won))
        head = (_("File"), _("Document"), _("Lines or won"))
        file.writestr("index.csv", "".join(spreadsheet.lines(head, index)))
    return raw.getvalue()


def draws_of(source: FundingSource) -> QuerySet[FundingDraw]:
    """What a source paid, and the own shares that it left to others, by invoice."""
    rows = FundingDraw.objects.filter(Q(source=source) | Q(share_of=source))
    rows = rows.select_related("invoice", "source", "share_of")
    return rows.order_by("invoice__number", "position")


def _returns(source: FundingSource, draws: Sequence[FundingDraw]) -> _Table:
    head = (
        _("Credit note"),
        _("Invoice"),
        _("Line of the invoice"),
        _("Given back to this source"),
        _("Own share"),
    )
    found = FundingReturn.objects.filter(draw__in=[one.pk for one in draws])
    rows = [
        (
            one.credit_note.number,
            one.draw.invoice.number,
            one.draw.cost,
            one.won if one.draw.source_id == source.pk else 0,
            0 if one.draw.source_id == source.pk else one.won,
        )
        for one in found.select_related("credit_note", "draw__invoice")
    ]
    return "returns.csv", head, rows


def _draws(source: FundingSource, draws: Sequence[FundingDraw]) -> _Table:
    head = (
        _("Invoice"),
        _("Line of the invoice"),
        _("Day"),
        _("Paid by this source"),
        _("Own share"),
    )
    rows = [
        (
            one.invoice.number,
            one.cost,
            seoul_date(one.at).isoformat(),
            one.won if one.source_id == source.pk else 0,
            0 if one.source_id == source.pk else one.won,
        )
        for one in draws
    ]
    return "draws.csv", head, rows


def _usage(invoices: Iterable[Invoice]) -> _Table:
    head = (
        _("Invoice"),
        _("Line of the invoice"),
        _("Month"),
        _("Text"),
        _("Quantity"),
        _("Unit"),
        _("Won"),
    )
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
