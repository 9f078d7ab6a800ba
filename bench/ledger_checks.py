"""What must hold after every step of a story of ``bench.simulate_ledger``."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from django.db.models import Count, Max, Sum

from billing import invoices, journal, receivables
from billing.models import (
    Account,
    Accrual,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    Payment,
    PaymentAllocation,
)
from portal.lib.money import MICRO
from portal.lib.periods import Month
from portal.usage.models import LedgerEntry
from tenants import rls

if TYPE_CHECKING:
    from bench.ledger_story import Entry, Story


class Broken(AssertionError):
    """Something that must always hold does not."""


def look(story: Story) -> None:
    """Counters, ledger, accruals, invoices, journal: after every step."""
    _counters_agree(story)
    with rls.tenant(story.firm.pk):
        _ledger_agrees(story)
        _invoices_agree(story)
    _numbers_have_no_gap()


def _counters_agree(story: Story) -> None:
    month = str(Month.of(datetime.now(UTC)))
    for subject, limit in story.limits.items():
        now = story.admission.standing(story.firm.code, subject=subject, month=month)
        wanted = (limit, story.spent[subject], story.held(subject))
        if now is None or (now.limit, now.spent, now.held) != wanted or now.left < 0:
            raise Broken(f"{subject}: {now} instead of {wanted}")


def _ledger_agrees(story: Story) -> None:
    """Each answer at most once, as it was told; what was not charged is written off."""
    for row in LedgerEntry.objects.all():
        entry = story.entries.get(str(row.request_id))
        if entry is None:
            raise Broken(f"nobody asked for {row.request_id}")
        if row.cost_micro != entry.cost or row.settled_micro < 0:
            raise Broken(f"{row.request_id} costs {row.cost_micro}, not {entry.cost}")
        if entry.written_off < 0:
            entry.written_off = row.written_off_micro
        elif row.written_off_micro != entry.written_off:
            raise Broken(f"{row.request_id} wrote off {row.written_off_micro}")


def _invoices_agree(story: Story) -> None:
    balances = journal.balances(story.firm)
    if sum(balances.values()):
        raise Broken(f"the journal does not balance: {balances}")
    issued = Invoice.objects.aggregate(won=Sum("total_won"))["won"] or 0
    booked = dict(Payment.objects.values_list("reference", "won"))
    if booked != story.paid:
        raise Broken(f"booked {booked}, and {story.paid} came in")
    paid = sum(booked.values())
    placed = PaymentAllocation.objects.aggregate(won=Sum("won"))["won"] or 0
    wanted = {
        Account.RECEIVABLE: issued - placed,
        Account.BANK: paid,
        Account.CREDIT: placed - paid,
    }
    for account, won in wanted.items():
        if balances.get(account, 0) != won:
            raise Broken(f"{account}: {balances.get(account)} instead of {won}")
    if any(one.open < 0 for one in receivables.with_open(Invoice.objects.all())):
        raise Broken("an invoice was paid twice")
    if any(one.free < 0 for one in receivables.with_free(Payment.objects.all())):
        raise Broken("a payment was used twice")
    months = Invoice.objects.filter(kind=InvoiceKind.MONTH).values_list("month", flat=True)
    if len(set(months)) != len(months):
        raise Broken("a month was billed twice")
    for line in InvoiceLine.objects.values("exact_micro", "amount_won"):
        if abs(line["exact_micro"] - line["amount_won"] * MICRO) > MICRO:
            raise Broken(f"a line was rounded by more than a won: {line}")


def _numbers_have_no_gap() -> None:
    with rls.everyone(because="simulation: numbers of all invoices"):
        given = dict(
            Invoice.objects.order_by()
            .values_list("number")
            .annotate(n=Count("pk"))
            .values_list("number", "n")
        )
        for series in InvoiceSeries.objects.all():
            of_month = [one for one in given if one.startswith(f"{series.month}-")]
            if len(of_month) != series.last:
                raise Broken(f"{series}: {len(of_month)} invoices")


def all_is_billed(story: Story) -> None:
    """What the entries come to, exactly, is what was accrued; and what stands on the invoices,
    with less than a won a line still to come where nothing above ₩0 was left to bill."""
    exact = sum((_exact(one) for one in story.entries.values()), Fraction(0))
    with rls.tenant(story.firm.pk):
        count = LedgerEntry.objects.count()
        found = Accrual.objects.aggregate(sum=Sum("amount_micro"), last=Max("number"))
        billed = InvoiceLine.objects.aggregate(sum=Sum("exact_micro"))["sum"] or Decimal(0)
        open_lines = invoices.draft(story.firm, until=story.now).supply_won
    if count != len(story.entries):
        raise Broken(f"{count} entries of {len(story.entries)} answers")
    lost = sum(one.written_off for one in story.entries.values())
    accrued = Fraction(found["sum"] or 0)
    if accrued != exact - lost:
        raise Broken(f"accrued {accrued}, used {exact}, of it written off {lost}")
    if open_lines > 0:
        raise Broken(f"₩{open_lines} were not billed")
    if open_lines == 0 and not -MICRO < exact - lost - Fraction(billed) < 10 * MICRO:
        raise Broken(f"billed {billed}, used {exact - lost}")


def _exact(entry: Entry) -> Fraction:
    """Micro-won."""
    from bench.ledger_story import scaled

    return Fraction(scaled(entry.price, *entry.tokens), MICRO)
