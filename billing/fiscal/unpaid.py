"""What of a year is spent and not paid yet: its open invoices, and what no invoice has billed.

지출액 counts what is used, so it runs ahead of the bank. Both parts come from documents: invoices
of the year's months with their payments and credit notes, and the lines of the invoice that would
be written now. Whole won with VAT.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing import drafting, receivables, totals
from billing.models import FiscalYear
from portal.lib.periods import seoul_date


@dataclass(frozen=True, slots=True)
class Unpaid:
    """``due``: the first day on which something billed is due; ``overdue_won``: what was due
    before today. ``unbilled_won`` is ``None`` while something has no price that was ever set."""

    billed_won: int
    unbilled_won: int | None
    due: date | None
    overdue_won: int

    @property
    def total_won(self) -> int:
        return self.billed_won + (self.unbilled_won or 0)


def of(year: FiscalYear, *, now: datetime) -> Unpaid:
    """The organization's whole account of the year. Runs inside the tenant's transaction."""
    rows = receivables.open_invoices(year.organization).filter(month__startswith=f"{year.year}-")
    found = [(one.due_date, one.open) for one in rows]
    today = seoul_date(now)
    return Unpaid(
        billed_won=sum(won for _, won in found),
        unbilled_won=_unbilled(year, now),
        due=min((due for due, _ in found), default=None),
        overdue_won=sum(won for due, won in found if due < today),
    )


def _unbilled(year: FiscalYear, now: datetime) -> int | None:
    try:
        draft = drafting.draft(year.organization, until=now)
    except KeyError:
        return None
    amounts = [
        one.amount_won for one in draft.lines if one.item.usage_month.startswith(f"{year.year}-")
    ]
    return max(0, sum(amounts) + totals.rule_for(year.organization).vat(amounts))
