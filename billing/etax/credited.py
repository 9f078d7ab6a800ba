"""Credit notes, and invoices in the place of wrong ones, become amendments: level, not edge.

What is taken back is told to the tax service by the code of its reason, whoever did it and
whenever. An invoice that came in a wrong one's place in the same deed is told with it; one that
came later is told as a further change. So it never has a document of its own as well, unless
nothing was ever told of the wrong one.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_noop

from billing.etax import amending, lifecycle, trouble
from billing.etax.amending import BadCorrection, Correction, NothingToAmend
from billing.etax.amendments import Reason
from billing.models import CreditNote, EtaxDocument, EtaxState, Invoice
from tenants import actors, rls

log = structlog.get_logger()

AT_ONCE = 50
OVERTAKEN = gettext_noop("A right invoice took its invoice's place before anything was issued.")


def amend_due(*, now: datetime) -> int:
    """Write the amendments of corrections that have none yet; how many. A correction of an
    invoice that has no e-tax document, or a waived one, is not told. What fails goes behind the
    others."""
    with rls.everyone(because="e-tax: corrections of all organizations"):
        notes = trouble.in_order(_notes(), now=now).select_related("invoice__organization")
        later = trouble.in_order(_later(), now=now).select_related("renews__invoice__organization")
        due = [*notes[:AT_ONCE], *later[:AT_ONCE]]
    return sum(_amended(one, now) for one in due)


def _notes() -> QuerySet[CreditNote]:
    told = _told("invoice__")
    amended = EtaxDocument.objects.filter(source=OuterRef("public_id"))
    return CreditNote.objects.filter(told, ~Exists(amended), supply_won__gt=0)


def _later() -> QuerySet[Invoice]:
    """Invoices in the place of ones that had been taken back before."""
    amended = EtaxDocument.objects.filter(source=OuterRef("public_id"))
    return Invoice.objects.filter(
        _told("renews__invoice__"), ~Exists(amended), renews__issued_at__lt=F("issued_at")
    )


def _told(path: str) -> Q:
    """The tax service knows the invoice: by its own document, or by a correction's."""
    own = Q(source=OuterRef(f"{path}public_id")) | Q(source=OuterRef(f"{path}renews__public_id"))
    return Q(Exists(EtaxDocument.objects.filter(own).exclude(state=EtaxState.WAIVED)))


def _amended(row: CreditNote | Invoice, now: datetime) -> int:
    try:
        return _amend(row, now)
    except (OperationalError, InterfaceError):
        raise  # nothing is wrong with this correction
    except (NothingToAmend, BadCorrection) as error:  # somebody has amended it by hand
        log.warning("etax.not_amended", correction=row.public_id, error=str(error)[:200])
        trouble.note(row, error, now=now)
    except Exception as error:  # whatever it is, it stops no other organization
        log.exception("etax.not_amended", correction=row.public_id)
        trouble.note(row, error, now=now)
    return 0


def _amend(row: CreditNote | Invoice, now: datetime) -> int:
    with rls.tenant(row.organization_id), transaction.atomic():
        found = correction_of(row) if isinstance(row, CreditNote) else _billed_again(row)
        if found.renewed is not None and _overtaken(found.invoice, now):
            return 0
        by = actors.system(found.invoice.organization, "E-tax")
        return len(amending.amend(correction=found, by=by, now=now))


def _overtaken(invoice: Invoice, now: datetime) -> bool:
    """Of a document that waits for a person nothing is out: it is not due any more, and the right
    invoice has one of its own."""
    by = actors.system(invoice.organization, "E-tax")
    with rls.tenant(invoice.organization_id):
        row = amending.original_of(invoice)
        return row.state == EtaxState.BLOCKED and lifecycle.move(
            row, EtaxState.WAIVED, because=OVERTAKEN, by=by, now=now, next_at=None
        )


def correction_of(note: CreditNote) -> Correction:
    """What it takes back, less what was billed in its place in the same deed; late interest is no
    part of that."""
    renewed = Invoice.objects.filter(renews=note, issued_at=note.issued_at).first()
    supply_won, vat_won = (renewed.supply_won, renewed.vat_won) if renewed else (0, 0)
    return Correction(
        public_id=note.public_id,
        number=note.number,
        invoice=note.invoice,
        reason=Reason(note.reason),
        supply_won=supply_won - note.supply_won,
        vat_won=vat_won - note.vat_won,
        happened_on=note.issue_date,
        text=note.because,
        renewed=renewed,
    )


def _billed_again(invoice: Invoice) -> Correction:
    """The whole of an invoice in the place of one that had been taken back before."""
    assert invoice.renews is not None
    return Correction(
        public_id=invoice.public_id,
        number=invoice.number,
        invoice=invoice.renews.invoice,
        reason=Reason.PRICE,
        supply_won=invoice.supply_won,
        vat_won=invoice.vat_won,
        happened_on=invoice.issue_date,
        text=invoice.renews.because,
    )
