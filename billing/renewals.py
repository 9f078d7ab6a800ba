"""A wrong invoice is taken back whole, and a new one with the right contents takes its place.

Two people of the operator agree on it; the credit note and the new invoice are written in one
transaction. The wrong invoice goes on standing for what was used: what it took over from the
accruals stays taken over, so no later invoice bills that use again or loses it. The new invoice
takes over nothing. It is owed for income, tax and interest, which the credit note has given back;
its items are names of their own (``rating.RENEWED``), and its lines keep the wrong one's places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from billing import credit_notes, invoices, journal, rating, totals
from billing.drafts import TEXTS
from billing.etax import amending, profiles
from billing.etax.amendments import Reason
from billing.funding import drawing
from billing.models import Account, CreditNote, Invoice, InvoiceKind, InvoiceLine
from billing.payments import bookings
from billing.vat import ZERO, VatRule
from portal.lib.money import MICRO
from portal.lib.periods import Month, seoul_date
from tenants import reasons
from tenants.actions import deeds, proposals
from tenants.actors import Actor
from tenants.models import Organization, Proposal
from tenants.proposal_kinds import RENEWAL

REASONS = (Reason.PARTICULARS, Reason.PRICE, Reason.LETTER_OF_CREDIT)
MOST_WON = 10**15  # of a line
MOST_PRICE = Decimal(10) ** 12  # what a unit price has room for


class AlreadyRenewed(Exception):
    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return _("Invoice %(number)s stands in its place. Correct that one.") % {
            "number": self.number
        }


class WrongAmount(Exception):
    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position

    def __str__(self) -> str:
        return _("Line %(line)s: from ₩0 to ₩%(most)s, and below zero only where the line was.") % {
            "line": self.position,
            "most": f"{MOST_WON:,}",
        }


class NothingToBill(Exception):
    def __str__(self) -> str:
        return _("Nothing is left to bill: propose a credit note over everything.")


class NothingChanges(Exception):
    def __str__(self) -> str:
        return _("A change of the price or the quantity changes the amounts.")


REFUSALS = (AlreadyRenewed, WrongAmount, NothingToBill, NothingChanges, amending.BadCorrection)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the new invoice would say: won by line of the wrong one, and the cut to ten won."""

    lines: tuple[tuple[InvoiceLine, int], ...]
    cut_won: int
    rule: VatRule

    @property
    def taxed_won(self) -> list[int]:
        found = [won for line, won in self.lines if line.unit != rating.INTEREST]
        return [*found, -self.cut_won] if self.cut_won else found

    @property
    def supply_won(self) -> int:
        return sum(self.taxed_won)

    @property
    def vat_won(self) -> int:
        return self.rule.vat(self.taxed_won)

    @property
    def untaxed_won(self) -> int:
        return sum(won for line, won in self.lines if line.unit == rating.INTEREST)

    @property
    def total_won(self) -> int:
        return self.supply_won + self.vat_won + self.untaxed_won


def usual(invoice: Invoice) -> dict[int, int]:
    """Won by line if nothing else is said: what is left of each; where all was taken back before,
    what each was. The cut to ten won is made anew."""
    found = [one for one in credit_notes.lines_left(invoice) if one.line.unit != rating.CUT]
    gone = not any(one.left_won for one in found)
    return {one.line.position: one.line.amount_won if gone else one.left_won for one in found}


def worked_out(invoice: Invoice, amounts: Mapping[int, int], *, reason: Reason) -> Renewal:
    """The new invoice with these won by line, the others as ``usual``. ``AlreadyRenewed``,
    ``UnknownLine``, ``WrongAmount``, ``NothingToBill``."""
    if (newer := newer_than(invoice)) is not None:
        raise AlreadyRenewed(newer.number)
    lines = {one.position: one for one in invoice.lines.all() if one.unit != rating.CUT}
    if unknown := set(amounts) - set(lines):
        raise credit_notes.UnknownLine(*unknown)
    right = usual(invoice) | dict(amounts)
    for position, won in right.items():
        if not 0 <= (-won if lines[position].amount_won < 0 else won) <= MOST_WON:
            raise WrongAmount(position)
    kept = tuple((line, right[place]) for place, line in lines.items() if right[place])
    found = Renewal(kept, 0, _rule(invoice, reason))
    found = replace(found, cut_won=found.rule.cut(found.taxed_won))
    if found.supply_won < 0 or found.total_won <= 0:
        raise NothingToBill
    return found


def newer_than(invoice: Invoice) -> Invoice | None:
    """The invoice that stands in this one's place."""
    return Invoice.objects.filter(renews__invoice=invoice).first()


def _rule(invoice: Invoice, reason: Reason) -> VatRule:
    """The wrong invoice's own, so that the same amounts bear the same tax; none where the supply
    turns out to bear none."""
    rule = VatRule.parse(invoice.vat_rule)
    if profiles.bears_no_tax(invoice.organization) or reason is Reason.LETTER_OF_CREDIT:
        return replace(rule, rounding=ZERO)
    return replace(rule, rounding=totals.usual_rule().rounding) if rule.rounding == ZERO else rule


# ─── two people ────────────────────────────────────────────────────────────────────────────────


def propose(
    *,
    invoice: Invoice,
    amounts: Mapping[int, int],
    reason: Reason,
    because: str,
    by: Actor,
    now: datetime,
) -> Proposal:
    """Ask a second person. The customer will read ``because``; ``reason``, one of ``REASONS``,
    decides what the tax service is told. As ``worked_out``, and ``NothingChanges``,
    ``BadCorrection``, ``AlreadyProposed``, ``BadReason``."""
    by.require("operator.billing")
    because = reasons.normalized(because)
    found = worked_out(invoice, amounts, reason=reason)
    _require_tellable(invoice, found, reason, now)
    return proposals.propose(
        kind=RENEWAL,
        subject=invoice.public_id,
        payload={
            "invoice": invoice.number,
            "total_won": found.total_won,
            "lines": {str(line.position): won for line, won in found.lines},
            "reason": reason,
        },
        because=because,
        by=by,
        now=now,
    )


def _require_tellable(invoice: Invoice, found: Renewal, reason: Reason, now: datetime) -> None:
    """Whether the tax service can be told of it so."""
    left = [one for one in credit_notes.lines_left(invoice) if not one.is_untaxed]
    before = [one.left_won for one in left]
    change = found.supply_won - sum(before), found.vat_won - found.rule.vat(before)
    if reason is Reason.PRICE and change == (0, 0):
        raise NothingChanges
    amending.require_possible(
        amending.Correction(
            public_id="",
            number="",
            invoice=invoice,
            reason=reason,
            supply_won=change[0],
            vat_won=change[1],
            happened_on=seoul_date(now),
            text="",
            renewed=invoice,
        )
    )


def carry_out(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Issue both documents of an approved proposal."""
    by.require("operator.billing")
    stored: dict[str, Any] = proposal.payload
    invoice = Invoice.objects.get(public_id=proposal.subject)
    amounts = dict.fromkeys(usual(invoice), 0)
    issue(
        invoice=invoice,
        amounts=amounts | {int(place): won for place, won in stored["lines"].items()},
        reason=Reason(stored["reason"]),
        proposal=proposal,
        by=by,
        now=now,
    )


# ─── the documents ─────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def issue(
    *,
    invoice: Invoice,
    amounts: Mapping[int, int],
    reason: Reason,
    proposal: Proposal,
    by: Actor,
    now: datetime,
) -> Invoice:
    """Take back what is left of the wrong invoice, and issue the right one: numbered, frozen,
    posted; what was paid moves over to it. As ``worked_out``, and ``BadCorrection``."""
    organization = Organization.objects.select_for_update(no_key=True).get(
        pk=invoice.organization_id
    )
    found = worked_out(invoice, amounts, reason=reason)
    _require_tellable(invoice, found, reason, now)
    note = _taken_back(invoice, reason, proposal, by, now)
    made = _write(organization, invoice, note, found, now)
    journal.post(
        organization=organization,
        kind="invoice",
        reference=made.public_id,
        transfers=transfers(found),
        at=now,
        now=now,
    )
    deeds.record(
        "operator.renewal",
        of=organization,
        by=by,
        now=now,
        because=proposal.because,
        changes={
            "number": made.number,
            "in_place_of": invoice.number,
            "total_won": made.total_won,
        },
    )
    drawing.apply(made, now=now)  # what the credit note gave back pays the right amount
    bookings.release(invoice=invoice, now=now)
    bookings.use_credit(organization=organization, now=now)
    invoices.tell(made, organization, now)
    return made


def transfers(found: Renewal) -> list[journal.Transfer]:
    """What the customer owes for: income, tax, interest. Nothing is taken over from accruals."""
    return [
        *journal.transfer(Account.RECEIVABLE, Account.REVENUE, found.supply_won),
        *journal.transfer(Account.RECEIVABLE, Account.VAT, found.vat_won),
        *journal.transfer(Account.RECEIVABLE, Account.INTEREST, found.untaxed_won),
    ]


def _taken_back(
    invoice: Invoice, reason: Reason, proposal: Proposal, by: Actor, now: datetime
) -> CreditNote:
    """A credit note over all that is left; if nothing is, the one that took the last of it."""
    try:
        return credit_notes.issue(
            invoice=invoice,
            amounts=credit_notes.whole(invoice),
            reason=reason,
            proposal=proposal,
            by=by,
            now=now,
        )
    except credit_notes.NothingTakenBack:
        return invoice.credit_notes.order_by("-pk")[0]


def _write(
    organization: Organization, wrong: Invoice, note: CreditNote, found: Renewal, now: datetime
) -> Invoice:
    made = Invoice.objects.create(
        **invoices.head(organization, now),
        kind=InvoiceKind.CORRECTED,
        renews=note,
        month=wrong.month,
        period_start=wrong.period_start,
        period_end=wrong.period_end,
        supply_won=found.supply_won,
        vat_won=found.vat_won,
        untaxed_won=found.untaxed_won,
        total_won=found.total_won,
        vat_rule=found.rule.code,
    )
    rows = [_line(made, line, won) for line, won in found.lines]
    if found.cut_won:
        rows.append(_cut(made, wrong, found.cut_won))
    InvoiceLine.objects.bulk_create(rows)
    return made


def _line(made: Invoice, line: InvoiceLine, won: int) -> InvoiceLine:
    """The wrong line as it was, or with the right amount and the price that it comes to."""
    same = won == line.amount_won
    quantity = won * MICRO if line.unit in rating.MICRO_KINDS and not same else line.quantity
    return InvoiceLine(
        organization_id=made.organization_id,
        invoice=made,
        position=line.position,
        item=f"{rating.RENEWED}|{made.number}|{line.position}",
        usage_month=line.usage_month,
        text_ko=line.text_ko,
        text_en=line.text_en,
        unit=line.unit,
        quantity=quantity,
        unit_price=line.unit_price if same else _price(line, won),
        price_version=line.price_version if same else "",
        exact_micro=Decimal(0),
        amount_won=won,
    )


_PER = {"tokens": rating.UNITS["token_in"]} | {
    unit: rating.UNITS[unit] for unit in ("card_seconds", "storage")
}


def _price(line: InvoiceLine, won: int) -> Decimal:
    """Won per unit that the amount comes to, to six decimals; 0, which is not shown, where the
    quantity at that price would come to something else."""
    if line.unit == rating.INTEREST:
        return line.unit_price
    if line.unit not in _PER or not line.quantity:
        return Decimal(0)
    price = (Decimal(won) * _PER[line.unit] / line.quantity).quantize(Decimal("0.000001"))
    comes_to = line.quantity * price / _PER[line.unit]
    return price if price < MOST_PRICE and abs(comes_to - won) <= Decimal("0.5") else Decimal(0)


def _cut(made: Invoice, wrong: Invoice, won: int) -> InvoiceLine:
    korean, english = TEXTS[rating.CUT]
    last = max(line.position for line in wrong.lines.all())
    return InvoiceLine(
        organization_id=made.organization_id,
        invoice=made,
        position=last + 1,
        item=f"{rating.RENEWED}|{made.number}|{last + 1}",
        usage_month=str(Month.of(wrong.period_end - timedelta(microseconds=1))),
        text_ko=korean,
        text_en=english,
        unit=rating.CUT,
        quantity=won,
        unit_price=Decimal(0),
        price_version="",
        exact_micro=Decimal(0),
        amount_won=-won,
    )
