"""What of a fiscal year is spent and not paid yet: by documents, of its own months only."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from billing import invoices
from billing.fiscal import closing, unpaid
from billing.fiscal.unpaid import Unpaid
from billing.models import FiscalYear
from tests import factories
from tests.billing import county as world
from tests.billing.county import NOVEMBER


def test_counts_open_invoices_and_what_no_invoice_bills_yet(prices: None, counters: None) -> None:
    made = world.make()
    million = {"tokens_in": 1_000_000, "tokens_out": 0}  # ₩60, with VAT ₩66
    factories.ledger_entry(made.project, at=NOVEMBER, **million)
    later = NOVEMBER + timedelta(hours=1)
    invoices.issue_interim(organization=made.office, by=made.officer, now=later)
    factories.ledger_entry(made.project, at=later, **million)
    factories.ledger_entry(made.project, at=later, **million)
    now = later + timedelta(hours=1)

    with world.rls.tenant(made.office.pk):
        found = unpaid.of(made.year, now=now)
        overdue = unpaid.of(made.year, now=now + timedelta(days=31)).overdue_won
        before = unpaid.of(FiscalYear(organization=made.office, year=2025), now=now)
        rehearsed = closing.rehearse(made.year, now=now)
        of_one_project = replace(made.clerk, projects=(made.project.public_id,))
        seen = closing.seen_by(of_one_project, rehearsed)

    assert found == Unpaid(66, 132, date(2026, 12, 16), 0) and found.total_won == 198
    assert overdue == 66
    assert before == Unpaid(0, 0, None, 0)
    assert rehearsed.unpaid == found and rehearsed.blocking == 0
    assert (len(rehearsed.lines), seen.lines, seen.unpaid) == (2, (), None)  # no line pays for it
