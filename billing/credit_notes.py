"""Corrections of issued invoices: credit notes, which take two people of the operator.

Never more is taken back than an invoice has left, of each line and of the whole. Tax is what the
invoice's own rule says of what was left before, less what it says of what is left after; so the
tax of all credit notes of an invoice is never more than its own, to the won.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import invoices, journal, rating
from billing.etax.amendments import RULES, Reason, code_for
from billing.funding import drawing
from billing.models import (
    Account,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    NumberSeries,
)
from billing.vat import VatRule
from portal.lib import ids
from portal.lib.periods import Month, seoul_date
from tenants import notices, reasons, rls
from tenants.actions import deeds, proposals
from tenants.actors import Actor
from tenants.models import Organization, Proposal
from tenants.proposal_kinds import CREDIT_NOTE


class UnknownLine(Exception):
    def __str__(self) -> str:
        return _("The invoice has no such line.")


class NothingTakenBack(Exception):
    def __str__(self) -> str:
        return _("Give an amount above ₩0 for at least one line.")


class MoreThanLeft(Exception):
    """More than the line, or the invoice, has left."""

    def __init__(self, left_won: int) -> None:
        super().__init__(left_won)
        self.left_won = left_won

    def __str__(self) -> str:
        return _("Only ₩%(left)s are left to take back.") % {"left": f"{self.left_won:,}"}


class NotAllOfIt(Exception):
    """The reason takes back the whole invoice, and this is a part, or a part went before."""

    def __str__(self) -> str:
        return _(
            "For this reason the whole invoice is taken back at once, and nothing of it before. "
            "Take back a part as a change of the price or the quantity."
        )


# Wrong particulars and letters of credit take a new invoice as well: ``billing.renewals``.
REASONS = (Reason.PRICE, Reason.RETURN, Reason.CANCELLATION, Reason.DUPLICATE)


@dataclass(frozen=True, slots=True)
class LineLeft:
    """A line of an invoice, and how much of it is not taken back yet: with the line's sign."""

    line: InvoiceLine
    left_won: int

    @property
    def is_untaxed(self) -> bool:
        return self.line.unit == rating.INTEREST


@dataclass(frozen=True, slots=True)
class Correction:
    """What a credit note would take back. Whole won, above zero in total."""

    lines: tuple[tuple[InvoiceLine, int], ...]
    supply_won: int
    vat_won: int
    untaxed_won: int

    @property
    def total_won(self) -> int:
        return self.supply_won + self.vat_won + self.untaxed_won


def lines_left(invoice: Invoice) -> list[LineLeft]:
    """Every line with what is left of it."""
    taken = dict(
        CreditNoteLine.objects.filter(invoice_line__invoice=invoice)
        .values_list("invoice_line")
        .annotate(Sum("amount_won"))
        .order_by()
    )
    return [LineLeft(line, line.amount_won - taken.get(line.pk, 0)) for line in invoice.lines.all()]


def worked_out(invoice: Invoice, amounts: Mapping[int, int]) -> Correction:
    """What taking back ``amounts`` (won by position, above zero; of a line that is negative
    itself, below) comes to. ``UnknownLine``, ``NothingTakenBack``, ``MoreThanLeft``."""
    found = lines_left(invoice)
    if unknown := set(amounts) - {one.line.position for one in found}:
        raise UnknownLine(*unknown)
    chosen = [(one, amounts.get(one.line.position, 0)) for one in found]
    for one, won in chosen:
        if won and not 0 < won * _sign(one) <= abs(one.left_won):
            raise MoreThanLeft(max(0, one.left_won * _sign(one)))
    before = [one.left_won for one, _won in chosen if not one.is_untaxed]
    after = [one.left_won - won for one, won in chosen if not one.is_untaxed]
    rule = VatRule.parse(invoice.vat_rule)
    correction = Correction(
        lines=tuple((one.line, won) for one, won in chosen if won),
        supply_won=sum(before) - sum(after),
        vat_won=rule.vat(before) - rule.vat(after),
        untaxed_won=sum(won for one, won in chosen if one.is_untaxed),
    )
    if sum(after) < 0:
        raise MoreThanLeft(max(0, sum(before)))
    if correction.total_won <= 0:
        raise NothingTakenBack
    return correction


def _sign(one: LineLeft) -> int:
    return -1 if one.line.amount_won < 0 else 1


def whole(invoice: Invoice) -> dict[int, int]:
    """The amounts that take back all that is left."""
    return {one.line.position: one.left_won for one in lines_left(invoice) if one.left_won}


# ─── two people ────────────────────────────────────────────────────────────────────────────────


def propose(
    *,
    invoice: Invoice,
    amounts: Mapping[int, int],
    because: str,
    by: Actor,
    now: datetime,
    reason: Reason = Reason.PRICE,
) -> Proposal:
    """Ask a second person. The customer will read ``because``; ``reason`` decides what the tax
    service is told. As ``worked_out``, and ``NotAllOfIt``, ``AlreadyProposed``, ``BadReason``."""
    by.require("operator.billing")
    because = reasons.normalized(because)
    correction = worked_out(invoice, amounts)
    _require_whole(invoice, amounts, reason)
    payload = {
        "invoice": invoice.number,
        "total_won": correction.total_won,
        "lines": {str(line.position): won for line, won in correction.lines},
        "reason": reason,
    }
    return proposals.propose(
        kind=CREDIT_NOTE,
        subject=invoice.public_id,
        payload=payload,
        because=because,
        by=by,
        now=now,
    )


def _require_whole(invoice: Invoice, amounts: Mapping[int, int], reason: Reason) -> None:
    whole_of_it = amounts == whole(invoice) and not invoice.credit_notes.exists()
    if RULES[code_for(reason)].whole and not whole_of_it:
        raise NotAllOfIt


def carry_out(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Issue the credit note of an approved proposal, if there is still so much left."""
    by.require("operator.billing")
    stored: dict[str, Any] = proposal.payload
    invoice = Invoice.objects.get(public_id=proposal.subject)
    amounts = {int(position): won for position, won in stored["lines"].items()}
    reason = Reason(stored.get("reason", Reason.PRICE))
    _require_whole(invoice, amounts, reason)
    issue(
        invoice=invoice,
        amounts=amounts,
        reason=reason,
        proposal=proposal,
        by=by,
        now=now,
    )


# ─── the document ──────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def issue(
    *,
    invoice: Invoice,
    amounts: Mapping[int, int],
    proposal: Proposal,
    by: Actor,
    now: datetime,
    reason: Reason = Reason.PRICE,
) -> CreditNote:
    """Number, freeze and post it, and give back to the funding sources of the invoice; one for
    each proposal. As ``worked_out``."""
    # What one organization is billed and given back happens one after the other.
    organization = Organization.objects.select_for_update(no_key=True).get(
        pk=invoice.organization_id
    )
    correction = worked_out(invoice, amounts)
    note = _write(invoice, correction, proposal, reason, now)
    journal.post(
        organization=organization,
        kind="credit_note",
        reference=note.public_id,
        transfers=transfers(correction),
        at=now,
        now=now,
    )
    with rls.tenant(organization.pk):
        drawing.give_back(note, now=now)
    deeds.record(
        "operator.credit_note",
        of=organization,
        by=by,
        now=now,
        because=note.because,
        changes={
            "number": note.number,
            "invoice": invoice.number,
            "total_won": note.total_won,
        },
    )
    _tell(note, organization, now)
    return note


def transfers(correction: Correction) -> list[journal.Transfer]:
    """The reverse of an invoice, in what it was for the operator: income, tax, interest."""
    return [
        *journal.transfer(Account.REVENUE, Account.RECEIVABLE, correction.supply_won),
        *journal.transfer(Account.VAT, Account.RECEIVABLE, correction.vat_won),
        *journal.transfer(Account.INTEREST, Account.RECEIVABLE, correction.untaxed_won),
    ]


def _write(
    invoice: Invoice, correction: Correction, proposal: Proposal, reason: Reason, now: datetime
) -> CreditNote:
    note = CreditNote.objects.create(
        public_id=ids.mint("crn"),
        organization_id=invoice.organization_id,
        invoice=invoice,
        number=_next_number(Month.of(now)),
        issued_at=now,
        issue_date=seoul_date(now),
        seller=invoices.seller(),
        buyer=invoice.buyer,
        supply_won=correction.supply_won,
        vat_won=correction.vat_won,
        untaxed_won=correction.untaxed_won,
        total_won=correction.total_won,
        vat_rule=invoice.vat_rule,
        because=proposal.because,
        reason=reason,
        proposal=proposal.public_id,
    )
    CreditNoteLine.objects.bulk_create(_lines(note, correction.lines))
    return note


def _lines(note: CreditNote, chosen: Sequence[tuple[InvoiceLine, int]]) -> list[CreditNoteLine]:
    return [
        CreditNoteLine(
            organization_id=note.organization_id,
            credit_note=note,
            invoice_line=line,
            position=position,
            usage_month=line.usage_month,
            text_ko=line.text_ko,
            text_en=line.text_en,
            amount_won=won,
        )
        for position, (line, won) in enumerate(chosen, start=1)
    ]


def _next_number(month: Month) -> str:
    """``C2026-12-00001``; the counter row stays locked until the credit note stands."""
    name = f"credit:{month}"
    NumberSeries.objects.bulk_create([NumberSeries(name=name)], ignore_conflicts=True)
    series = NumberSeries.objects.select_for_update().get(name=name)
    series.last += 1
    series.save(update_fields=["last"])
    return f"C{month}-{series.last:05d}"


def _tell(note: CreditNote, organization: Organization, now: datetime) -> None:
    notices.tell(
        "credit_note.issued",
        organization=organization,
        to=notices.holders(organization, "invoices.read"),
        now=now,
        place=reverse("credit_note", args=[note.public_id]),
        number=note.number,
        invoice=note.invoice.number,
        total=f"{note.total_won:,}",
    )
