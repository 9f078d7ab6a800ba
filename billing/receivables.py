"""What is still to be paid."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Sum

from billing.models import CreditNote, Invoice


def open_won(invoice: Invoice) -> int:
    """Won of an invoice that are still to be paid; never below zero."""
    return open_of_many([invoice])[invoice.pk]


def open_of_many(invoices: Collection[Invoice]) -> dict[int, int]:
    """The same of many invoices, by their rows, asked at once."""
    credited = dict(
        CreditNote.objects.filter(invoice__in=invoices)
        .values_list("invoice")
        .annotate(Sum("total_won"))
        .order_by()
    )
    return {one.pk: max(0, one.total_won - credited.get(one.pk, 0)) for one in invoices}
