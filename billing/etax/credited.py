"""Credit notes become amendments: level, not edge. What a credit note takes back is told to the
tax service as a change of the amount (code 02), whoever issued it and whenever."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from billing.etax import amending, preparing
from billing.etax.amending import BadCorrection, Correction, NothingToAmend
from billing.etax.amendments import Reason
from billing.models import CreditNote, EtaxDocument, EtaxState
from tenants import actors, rls

log = structlog.get_logger()

AT_ONCE = 50


def amend_due(*, now: datetime) -> int:
    """Write the amendments of credit notes that have none yet; how many. A credit note of an
    invoice that has no e-tax document, or a waived one, is not told."""
    told = EtaxDocument.objects.filter(
        source=OuterRef("invoice__public_id"), sheet=preparing.SHEET
    ).exclude(state=EtaxState.WAIVED)
    amended = EtaxDocument.objects.filter(source=OuterRef("public_id"))
    with rls.everyone(because="e-tax: credit notes of all organizations"):
        rows = CreditNote.objects.filter(Exists(told), ~Exists(amended), supply_won__gt=0)
        notes = list(rows.select_related("invoice__organization").order_by("pk")[:AT_ONCE])
    return sum(_amend(note, now) for note in notes)


def _amend(note: CreditNote, now: datetime) -> int:
    by = actors.system(note.invoice.organization, "E-tax")
    try:
        with transaction.atomic():
            return len(amending.amend(correction=correction_of(note), by=by, now=now))
    except (NothingToAmend, BadCorrection) as error:  # somebody has amended it by hand
        log.warning("etax.not_amended", credit_note=note.public_id, error=str(error)[:200])
        return 0


def correction_of(note: CreditNote) -> Correction:
    """What it takes back, as the tax service is told it; late interest is no part of that."""
    return Correction(
        public_id=note.public_id,
        number=note.number,
        invoice=note.invoice,
        reason=Reason.PRICE,
        supply_won=-note.supply_won,
        vat_won=-note.vat_won,
        happened_on=note.issue_date,
        text=note.because,
    )
