"""What stands below the lines of an invoice: tax, late interest, the cut to ten won."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from django.conf import settings

from billing import drafting, dunning, receivables, terms
from billing.drafts import Draft, DraftLine
from billing.models import Invoice
from billing.rating import CUT, INTEREST, Item
from billing.vat import VatRule
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants.models import Organization


def usual_rule() -> VatRule:
    """How tax is computed now; issued documents keep the rule that they had."""
    return VatRule(settings.DURE_VAT_ROUNDING, per_line=settings.DURE_VAT_BASIS == "line")


def rule_for(organization: Organization) -> VatRule:
    """The same for one organization: public bodies' totals may be cut to ten won."""
    cut = settings.DURE_TEN_WON_CUT and organization.kind == "public"
    return replace(usual_rule(), ten_won=cut)


def complete(found: Draft, organization: Organization, *, month: Month | None = None) -> Draft:
    """The draft with its tax rule, the cut to ten won where one is due, and, at the end of a
    ``month``, its rebates, fees and minimums and its late interest."""
    if month is not None:
        more = (*month_terms(organization, month), *interest(organization, month))
        found = replace(found, lines=(*found.lines, *more))
    found = replace(found, rule=rule_for(organization))
    off = found.rule.cut(found.taxed_won)
    if not off:
        return found
    last = max(line.item.usage_month for line in found.lines)
    cut = DraftLine(Item(last, CUT, "", ""), off, Decimal(0))
    return replace(found, lines=(*found.lines, cut))


def month_terms(organization: Organization, month: Month) -> list[DraftLine]:
    """What the price list and the organization's agreements say of the month as a whole."""
    quantities = drafting.used_in(organization, month)
    return [
        DraftLine(line.item, line.micro, Decimal(0), texts=(line.text_ko, line.text_en))
        for line in terms.lines_for(organization, month, quantities)
    ]


def interest(organization: Organization, month: Month) -> list[DraftLine]:
    """One line for each invoice that was overdue in the month: simple interest on what is still
    open, for its late days of that month. None unless the operator has set a rate."""
    rate: Decimal = settings.DURE_LATE_INTEREST_PERCENT
    if not rate:
        return []
    first, until = month.first_date, month.next.first_date
    late = list(Invoice.objects.filter(organization=organization, due_date__lt=until))
    left = receivables.open_of_many(late)
    lines = []
    for invoice in late:
        days = dunning.days_late(invoice.due_date, first, until)
        exact = dunning.late_interest(left[invoice.pk], days, rate)
        if exact:
            item = Item(str(month), INTEREST, invoice.number, "", f"{days}")
            lines.append(DraftLine(item, int(exact * MICRO), rate))
    return lines


def newest_invoice(organization: Organization) -> int:
    """Its row's number; grows with each invoice of an organization. 0 if there is none."""
    rows = Invoice.objects.filter(organization=organization).order_by("-pk")
    return rows.values_list("pk", flat=True).first() or 0
