"""The terms of an organization in a month, and the lines that they add to its use.

Month end asks ``lines_for`` with everything that the month's ledger has. Tiers, batch discounts
and replica minimums hold for whole months; fees and minimums by days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Extract

from billing import rating, tariffs, term_values
from billing.models import AgreedTerm, PriceTerm
from billing.rating import Item
from billing.term_lines import ExtraLine, Run, Term, Used, extra_lines
from portal.lib.periods import Month, seoul_date
from portal.usage.models import CardTime
from tenants.models import Organization

MONTHLY = ("batch", "fee", "minimum", "replica_minimum", "tiers")


def lines_for(
    organization: Organization, month: Month, quantities: Mapping[Item, int]
) -> list[ExtraLine]:
    """Lines beside the used items of one month. Runs inside the tenant's transaction.

    ``quantities`` is all that the ledger has of the month, billed or not. Ask when the month is
    over: an interim invoice leaves terms to the month end.
    """
    terms = of(organization, month)
    if not terms:
        return []
    used = [_used(item, quantity) for item, quantity in quantities.items()]
    short = any(one.kind == "replica_minimum" for one in terms)
    return extra_lines(month, terms, used, _runs(organization, month) if short else ())


def concerned(month: Month) -> QuerySet[Organization] | None:
    """Organizations whose agreements add lines to the month, or correct those of months before;
    ``None``: the price list has terms, so that every one may be. Ask as the platform
    (``rls.everyone``)."""
    if _listed(month.period.end):
        return None
    rows = AgreedTerm.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=looked_back(month).period.start),
        kind__in=MONTHLY,
        starts_at__lt=month.period.end,
    )
    return Organization.objects.filter(pk__in=rows.values("organization")).order_by("pk")


def looked_back(month: Month) -> Month:
    """The first month whose terms are looked at once more at the end of another."""
    return Month(month.year - 1, month.month)


def _used(item: Item, quantity: int) -> Used:
    if item.kind in rating.MICRO_KINDS:
        return Used(item, "", quantity, Fraction(quantity, 1_000_000))
    version = tariffs.version(item.price_version)
    exact = rating.amount(item, quantity, version.price_of(item.kind))
    return Used(item, version.item, quantity, exact)


def of(organization: Organization | None, month: Month) -> list[Term]:
    """Terms of the price list and of the organization's agreements that hold in a month."""
    period = month.period
    found = _listed(period.end)
    if organization is not None:
        rows = AgreedTerm.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=period.start),
            organization=organization,
            kind__in=MONTHLY,
            starts_at__lt=period.end,
        )
        found += [_agreed(row) for row in rows]
    return found


def _listed(until: datetime) -> list[Term]:
    """Each term of the price list ends where its successor begins."""
    found: list[Term] = []
    after: dict[tuple[str, str], date] = {}
    for row in PriceTerm.objects.filter(starts_at__lt=until).order_by("-starts_at"):
        first, key = seoul_date(row.starts_at), (row.kind, row.item)
        value = term_values.parse(row.kind, row.value)
        found.append(Term(row.public_id, row.kind, row.item, value, first, after.get(key)))
        after[key] = first
    return found


def _agreed(row: AgreedTerm) -> Term:
    value = term_values.parse(row.kind, row.value)
    end = seoul_date(row.ends_at) if row.ends_at else None
    first = seoul_date(row.starts_at)
    return Term(row.public_id, row.kind, row.item, value, first, end, agreed=True)


def _runs(organization: Organization, month: Month) -> list[Run]:
    """Replicas whose first second lies in the month, with all time that they have so far. What was
    reserved and not used (``rsv_…``) is no replica."""
    seconds = Extract(F("ended_at") - F("started_at"), "epoch")
    rows = CardTime.objects.filter(organization=organization, started_at__gte=month.period.start)
    rows = rows.exclude(placement__startswith="rsv_")
    earlier = CardTime.objects.filter(
        organization=organization, started_at__lt=month.period.start
    ).values("placement")
    began = rows.filter(started_at__lt=month.period.end).exclude(placement__in=earlier)
    sums = (
        rows.filter(placement__in=began.values("placement"))
        .values("placement", "endpoint", "endpoint_name", "chip", "cards", "price_version")
        .annotate(seconds=Sum(seconds))
        .order_by("placement", "price_version")
    )
    found: dict[str, Run] = {}
    for row in sums:
        before = found.get(row["placement"])
        found[row["placement"]] = Run(
            endpoint=row["endpoint"],
            name=row["endpoint_name"],
            chip=row["chip"],
            cards=row["cards"],
            seconds=int(row["seconds"]) + (before.seconds if before else 0),
            won_per_hour=tariffs.unit_price(row["price_version"], "card_seconds"),
        )
    return list(found.values())
