"""What stands below the lines of an invoice: tax, late interest, the cut to ten won."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from django.conf import settings
from django.db.models import Min, Sum

from billing import drafting, dunning, shares, terms
from billing.drafts import Draft, DraftLine
from billing.etax import profiles
from billing.models import DraftState, Invoice, InvoiceDraft, InvoiceLine
from billing.rating import CUT, INTEREST, TERM_KINDS, Item
from billing.vat import ZERO, VatRule
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants.models import Organization


def usual_rule() -> VatRule:
    """How tax is computed now; issued documents keep the rule that they had."""
    return VatRule(settings.DURE_VAT_ROUNDING, per_line=settings.DURE_VAT_BASIS == "line")


def rule_for(organization: Organization) -> VatRule:
    """The same for one organization: public bodies' totals may be cut to ten won, and supplies to
    some bear no tax."""
    cut = settings.DURE_TEN_WON_CUT and organization.kind == "public"
    rule = replace(usual_rule(), ten_won=cut)
    return replace(rule, rounding=ZERO) if profiles.bears_no_tax(organization) else rule


def complete(found: Draft, organization: Organization, *, month: Month | None = None) -> Draft:
    """The draft with its tax rule, the cut to ten won where one is due, and, at the end of a
    ``month``, its rebates, fees and minimums and its late interest."""
    if month is not None:
        used = {line.item.usage_month for line in found.lines}
        more = (*month_terms(organization, month, used), *interest(organization, month))
        found = replace(found, lines=(*found.lines, *more))
    found = replace(found, rule=rule_for(organization))
    off = found.rule.cut(found.taxed_won)
    if not off:
        return found
    last = max(line.item.usage_month for line in found.lines)
    cut = DraftLine(Item(last, CUT, "", ""), off, Decimal(0))
    return replace(found, lines=(*found.lines, cut))


def month_terms(
    organization: Organization, month: Month, used: Collection[str] = ()
) -> list[DraftLine]:
    """What the price list and the organization's agreements say of the month as a whole, and what
    that has become of months before: use of them came late (``used`` names them), or there was no
    invoice to take a rebate off. What stands on issued lines is taken off, as with any item."""
    months = {month, *(Month.parse(one) for one in used), *_looked_at_again(organization, month)}
    return [
        line
        for one in sorted(months, key=lambda one: one.first_date)
        if one.first_date <= month.first_date
        for line in _terms_of(organization, one)
    ]


def _looked_at_again(organization: Organization, month: Month) -> list[Month]:
    """The month before, and those that ended without an invoice, of those that were closed."""
    since = terms.looked_back(month)
    rows = InvoiceDraft.objects.filter(
        organization=organization, close__month__gte=str(since), close__month__lt=str(month)
    )
    closed = rows.filter(state__in=[DraftState.ISSUED, DraftState.NOTHING])
    return [
        Month.parse(text)
        for text, state in closed.values_list("close__month", "state")
        if state == DraftState.NOTHING or text == str(month.previous)
    ]


def _terms_of(organization: Organization, month: Month) -> list[DraftLine]:
    billed = _billed_terms(organization, month)
    if not billed and not terms.of(organization, month):
        return []
    quantities = drafting.used_in(organization, month)
    lines = []
    for line in terms.lines_for(organization, month, quantities):
        quantity, _texts = billed.pop(line.item.key(), (0, None))
        if line.micro != quantity:
            rest, texts = line.micro - quantity, (line.text_ko, line.text_en)
            lines.append(DraftLine(line.item, rest, Decimal(0), texts=texts))
    for key, (quantity, texts) in sorted(billed.items()):  # nothing of it is owed any more
        if quantity:
            lines.append(DraftLine(Item.parse(key), -quantity, Decimal(0), texts=texts))
    return lines


def _billed_terms(
    organization: Organization, month: Month
) -> dict[str, tuple[int, tuple[str, str]]]:
    """By item: micro-won on issued lines, and the words of one of them."""
    rows = InvoiceLine.objects.filter(
        organization=organization, usage_month=str(month), unit__in=TERM_KINDS
    )
    sums = rows.values_list("item").annotate(Sum("quantity"), Min("text_ko"), Min("text_en"))
    return {item: (won, (ko, en)) for item, won, ko, en in sums.order_by()}


def interest(organization: Organization, month: Month) -> list[DraftLine]:
    """One line for each invoice that was overdue in the month: simple interest on what is still
    open of it, earlier interest apart, for its late days of that month. None unless the operator
    has set a rate."""
    rate: Decimal = settings.DURE_LATE_INTEREST_PERCENT
    if not rate:
        return []
    first, until = month.first_date, month.next.first_date
    late = list(Invoice.objects.filter(organization=organization, due_date__lt=until))
    left = shares.of_many(late)
    lines = []
    for invoice in late:
        by_days: Counter[int] = Counter()
        for share in left[invoice.pk]:
            by_days[dunning.days_late(share.due, first, until)] += share.principal_won
        for days, won in by_days.items():
            if exact := dunning.late_interest(won, days, rate):
                item = Item(str(month), INTEREST, invoice.number, "", f"{days}")
                lines.append(DraftLine(item, int(exact * MICRO), rate))
    return lines


def newest_invoice(organization: Organization) -> int:
    """Its row's number; grows with each invoice of an organization. 0 if there is none."""
    rows = Invoice.objects.filter(organization=organization).order_by("-pk")
    return rows.values_list("pk", flat=True).first() or 0
