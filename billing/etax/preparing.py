"""Invoices become e-tax documents: one each, with all that they say, ready or with what is missing.

Only invoices from ``DURE_ETAX_FROM`` on: what came before was told to the tax service otherwise.
"""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_noop

from billing import receivables
from billing.etax import deadlines, documents, lifecycle, profiles, trouble
from billing.etax.documents import Document, Party, Purpose, TaxKind
from billing.models import EtaxDocument, EtaxProfile, EtaxState, Invoice
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()

MOST = 200  # a sweep; the next one goes on
SHEET = "invoice"
# Kept in English, shown in the reader's language.
PREPARED = gettext_noop("Made of the invoice.")
CORRECTED = gettext_noop("Made of a correction.")
INCOMPLETE = gettext_noop("Something is missing that the tax service wants.")
COMPLETE = gettext_noop("Its details are complete.")


def prepare_due(*, now: datetime) -> int:
    """Documents for invoices that have none. One organization's error never stops the others,
    and what fails goes behind them."""
    since = first_day()
    if since is None:
        return 0
    with rls.everyone(because="e-tax invoices are made of all customers' invoices"):
        # an invoice in a wrong one's place is told by the correction, if the wrong one was told
        never_told = EtaxDocument.objects.filter(
            source=OuterRef("renews__invoice__public_id"), state=EtaxState.WAIVED
        )
        rows = Invoice.objects.filter(Q(renews=None) | Exists(never_told), issue_date__gte=since)
        waiting = trouble.in_order(rows.filter(etax=None), now=now)
        due = list(waiting.select_related("organization")[:MOST])
    return sum(_tried(invoice, now) for invoice in due)


def first_day() -> date | None:
    """The issue date of the first invoice that gets a document; none before it is set."""
    text = settings.DURE_ETAX_FROM
    return date.fromisoformat(text) if text else None


def _tried(invoice: Invoice, now: datetime) -> bool:
    try:
        return prepare(invoice, now=now) is not None
    except (OperationalError, InterfaceError):
        raise  # nothing is wrong with this invoice
    except Exception as error:  # whatever it is, it stops no other organization
        log.exception("etax.not_prepared", invoice=invoice.public_id)
        trouble.note(invoice, error, now=now)
        return False


def prepare(invoice: Invoice, *, now: datetime) -> EtaxDocument | None:
    """The invoice's document. ``None`` if somebody was faster."""
    with rls.tenant(invoice.organization_id):
        profile = profiles.of(invoice.organization)
        made = of_invoice(invoice, profile, key=key_of(invoice.number, 1))
        return write(
            made,
            invoice=invoice,
            source=invoice.public_id,
            sheet=SHEET,
            due=deadlines.issue_by(made.write_date),
            by=actors.system(invoice.organization, "E-tax"),
            now=now,
        )


def key_of(number: str, serial: int, letter: str = "") -> str:
    """Our document number at the issuer: that of the invoice or correction, and which try it is.
    A letter tells two sheets of one correction apart."""
    return "-".join(part for part in (number, letter, str(serial)) if part)


@transaction.atomic
def write(
    made: Document,
    *,
    invoice: Invoice,
    source: str,
    sheet: str,
    due: date,
    by: Actor,
    now: datetime,
    serial: int = 1,
    original: EtaxDocument | None = None,
) -> EtaxDocument | None:
    """Keep a document that is ready, or blocked by its faults. ``None`` if it is there already."""
    faults = documents.faults(made)
    row = EtaxDocument(
        public_id=ids.mint("etx"),
        organization_id=invoice.organization_id,
        invoice=invoice,
        source=source,
        sheet=sheet,
        serial=serial,
        original=original,
        due_date=due,
        state=EtaxState.BLOCKED if faults else EtaxState.PREPARED,
        state_since=now,
        next_at=None if faults else now,
        created_at=now,
        **columns(made),
    )
    EtaxDocument.objects.bulk_create([row], ignore_conflicts=True)
    kept = EtaxDocument.objects.filter(public_id=row.public_id).first()
    if kept is not None:
        because = PREPARED if original is None else CORRECTED
        lifecycle.begin(kept, because=INCOMPLETE if faults else because, by=by, now=now)
    return kept


def columns(made: Document) -> dict[str, object]:
    """What a row repeats of its document, so that lists can be searched and summed."""
    return {
        "key": made.key,
        "code": made.amendment.code if made.amendment else "",
        "tax": made.tax,
        "type_code": documents.type_code(made.tax, amended=made.amendment is not None),
        "write_date": made.write_date,
        "supply_won": made.supply_won,
        "vat_won": made.vat_won,
        "total_won": made.total_won,
        "body": documents.to_json(made),
        "faults": [str(fault) for fault in documents.faults(made)],
    }


# ─── what it says ──────────────────────────────────────────────────────────────────────────────


def of_invoice(invoice: Invoice, profile: EtaxProfile | None, *, key: str) -> Document:
    """The document of an invoice. 작성일자 is the last day of the supply: the last day of the
    month, or of the days that an interim invoice bills."""
    day = seoul_date(invoice.period_end - timedelta(microseconds=1))
    rows = [
        (f"{line.usage_month} {line.text_ko}", line.amount_won)
        for line in invoice.lines.all()
        if line.amount_won
    ]
    return Document(
        key=key,
        write_date=day,
        tax=TaxKind(profile.tax) if profile else TaxKind.TAXABLE,
        purpose=Purpose.RECEIPT if receivables.is_paid(invoice) else Purpose.CLAIM,
        supplier=supplier(invoice),
        buyer=buyer(invoice, profile),
        lines=documents.item_lines(rows, invoice.vat_won, day),
        supply_won=invoice.supply_won,
        vat_won=invoice.vat_won,
        remark=f"청구서 {invoice.number}",
    )


def supplier(invoice: Invoice) -> Party:
    """The seller as the invoice names it, with its trade of today."""
    seller = invoice.seller
    return Party(
        number=seller["business_number"],
        name=seller["name"],
        representative=seller["representative"],
        address=seller["address"],
        trade=settings.DURE_SELLER_TRADE,
        item=settings.DURE_SELLER_ITEM,
        email=settings.DURE_SELLER_EMAIL,
    )


def buyer(invoice: Invoice, profile: EtaxProfile | None) -> Party:
    """The buyer as the invoice names it, with the details that its budget officer keeps."""
    kept = profiles.details_of(profile)
    return Party(
        number=invoice.buyer["business_number"],
        name=invoice.buyer["name"],
        address=invoice.buyer["address"],
        **dataclasses.asdict(kept),
    )


# ─── once more ─────────────────────────────────────────────────────────────────────────────────


def rebuild_due(*, now: datetime) -> int:
    """Blocked documents whose customer's details have changed since."""
    changed = Q(organization__etax_profile__changed_at__gt=F("state_since"))
    with rls.everyone(because="details of any customer may have been completed"):
        rows = EtaxDocument.objects.filter(changed, state=EtaxState.BLOCKED, refusal_code="")
        due = list(rows.select_related("organization", "invoice").order_by("pk")[:MOST])
    return sum(rebuild(one, by=actors.system(one.organization, "E-tax"), now=now) for one in due)


def rebuild(row: EtaxDocument, *, by: Actor, now: datetime) -> bool:
    """Make a blocked document anew out of today's details; whether it is ready now.

    Nothing was issued under its number, so the number stays.
    """
    with rls.tenant(row.organization_id):
        made = _anew(row, profiles.of(row.organization))
        seen = {**columns(made), "refusal_code": "", "refusal": "", "failures": 0}
        if documents.faults(made):
            rows = EtaxDocument.objects.filter(pk=row.pk, state=EtaxState.BLOCKED)
            rows.update(**seen, state_since=now)
            return False
        return lifecycle.move(
            row, EtaxState.PREPARED, because=COMPLETE, by=by, now=now, next_at=now, **seen
        )


def _anew(row: EtaxDocument, profile: EtaxProfile | None) -> Document:
    if row.sheet == SHEET:
        return of_invoice(row.invoice, profile, key=row.key)
    kept = documents.of_json(row.body)
    return dataclasses.replace(
        kept, supplier=supplier(row.invoice), buyer=buyer(row.invoice, profile)
    )


def anew(row: EtaxDocument, *, now: datetime, by: Actor) -> EtaxDocument | None:
    """A rejected document under the next number; ``None`` if somebody was faster."""
    number = row.key.rpartition("-")[0]
    with rls.tenant(row.organization_id):
        made = _anew(row, profiles.of(row.organization))
        made = dataclasses.replace(made, key=f"{number}-{row.serial + 1}")
        return write(
            made,
            invoice=row.invoice,
            source=row.source,
            sheet=row.sheet,
            serial=row.serial + 1,
            original=row.original,
            due=row.due_date,
            by=by,
            now=now,
        )


def operator() -> Organization | None:
    """The seller's own organization, whose staff the work list is for."""
    return Organization.objects.filter(kind="operator").order_by("pk").first()
