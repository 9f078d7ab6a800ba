"""Do the books agree? Rows of every table, sums of what is money or use, and what does not add up.

For whoever restores a backup, and for a look at any time: it only reads. Sums are exact, so two
servers with the same books say the same. Whether money agrees is ``billing.books``' word, as in
``verify_books``; that compares the accruals with what was used as well, and rates what waits for
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Model, Sum

from billing import books
from billing.models import (
    CreditNote,
    EtaxDocument,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    NumberSeries,
    Posting,
)
from portal.usage.models import CardTime, LedgerEntry
from tenants import rls, verifying
from tenants.models import Organization

# What is added up of each table.
SUMS: dict[type[Model], tuple[str, ...]] = {
    LedgerEntry: (
        *("tokens_in", "tokens_cached", "tokens_out"),
        *("hold_micro", "cost_micro", "settled_micro", "written_off_micro"),
    ),
    CardTime: ("cards",),
    Invoice: ("supply_won", "vat_won", "total_won"),
    InvoiceLine: ("quantity", "exact_micro", "amount_won"),
    CreditNote: ("supply_won", "vat_won", "total_won"),
    Posting: ("amount_micro",),
    EtaxDocument: ("supply_won", "vat_won", "total_won"),
}


@dataclass(frozen=True, slots=True)
class Books:
    """``tables``: rows by table. ``sums``: exact numbers as texts, by table and column."""

    tables: dict[str, int]
    sums: dict[str, str]
    faults: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read(*, now: datetime) -> Books:
    """Everything, in one look. The audit chains are verified one by one after it."""
    with rls.everyone(because="the books of all organizations are added up"):
        tables = dict(sorted(_rows()))
        sums = dict(sorted(_sums()))
        faults = [*map(str, books.verify(now=now, use=False)), *_series_faults()]
        organizations = list(Organization.objects.order_by("pk"))
    faults += [one for organization in organizations for one in _chain(organization, now)]
    return Books(tables, sums, faults)


def _rows() -> Iterator[tuple[str, int]]:
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.managed and not model._meta.proxy:
                table = model._meta.db_table
                quoted = connection.ops.quote_name(table)
                cursor.execute(f"SELECT count(*) FROM {quoted}")  # noqa: S608 - our own tables
                yield table, cursor.fetchone()[0]


def _sums() -> Iterator[tuple[str, str]]:
    for model, columns in SUMS.items():
        rows = model._default_manager.order_by()
        for name, value in rows.aggregate(**{name: Sum(name) for name in columns}).items():
            yield f"{model._meta.db_table}.{name}", str(value or 0)
    sides = Posting.objects.order_by().values_list("debit", "credit")
    for debit, credit, micro in sides.annotate(Sum("amount_micro")):
        yield f"journal {debit} ← {credit}", str(micro)


def _series_faults() -> Iterator[str]:
    """Numbers are gapless: as many documents as the last number of their series says."""
    invoices, notes = _numbers(Invoice), _numbers(CreditNote)
    for series in InvoiceSeries.objects.order_by("month"):
        count = invoices.get(series.month, 0)
        if count != series.last:
            yield f"invoices of {series.month}: {count} of {series.last} numbers"
    for other in NumberSeries.objects.filter(name__startswith="credit:").order_by("name"):
        month = other.name.removeprefix("credit:")
        count = notes.get(f"C{month}", 0)
        if count != other.last:
            yield f"credit notes of {month}: {count} of {other.last} numbers"


def _numbers(model: type[Invoice | CreditNote]) -> dict[str, int]:
    """How many documents each series has."""
    found: dict[str, int] = {}
    for number in model._default_manager.order_by().values_list("number", flat=True).iterator():
        month = number.rpartition("-")[0]
        found[month] = found.get(month, 0) + 1
    return found


def _chain(organization: Organization, now: datetime) -> Iterator[str]:
    report = verifying.verify(organization, now=now)
    for fault in report.faults:
        yield f"audit log of {organization.public_id}: {fault}"
