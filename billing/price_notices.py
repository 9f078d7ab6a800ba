"""Telling customers of another price before it holds: each organization once, at its own prices.

What two people have approved is noted in their transaction. A sweep then goes through the
organizations in the order of their numbers and moves a mark in the transaction that tells them: so
it may be killed or run twice, and nobody is told twice or left out. Whom an agreement keeps at
other prices is not told of a change that is none for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.urls import reverse

from billing import tariffs
from billing.models import PriceNotice, PriceTerm
from billing.price_words import figures
from billing.resolution import Version
from portal.lib.periods import seoul_date
from tenants import notices, rls
from tenants.models import Organization

BATCH = 200
MOST = 50  # batches of one run
TERMS = "terms"
_TICK = timedelta(microseconds=1)


def of_price(version: Version) -> None:
    """Note that a price will change. What is newly for sale changes nothing for anybody."""
    what, _slash, name = version.item.partition("/")
    before = tariffs.Book(what, version.starts_at - _TICK)
    if before.price(name, offering_class=version.offering_class) is None:
        return
    PriceNotice.objects.create(
        version=version.public_id,
        what=what,
        name=name,
        offering_class=version.offering_class,
        starts_at=version.starts_at,
    )


def of_term(term: PriceTerm) -> None:
    """Note that a term of the list begins."""
    PriceNotice.objects.create(
        version=term.public_id, what=TERMS, name=term.item, starts_at=term.starts_at
    )


def sweep(*, now: datetime) -> int:
    """Tell those who have not been told yet; how many organizations were looked at."""
    looked = 0
    for _turn in range(MOST):
        count = _step(now)
        if not count:
            break
        looked += count
    return looked


def _step(now: datetime) -> int:
    """The next organizations of the oldest change that nobody else is at, in one transaction."""
    with rls.everyone(because="customers are told of another price"):
        rows = PriceNotice.objects.filter(told_at=None).select_for_update(skip_locked=True)
        row = rows.first()
        if row is None:
            return 0
        customers = Organization.objects.filter(pk__gt=row.reached, closed_at=None)
        some = list(customers.exclude(kind="operator").order_by("pk")[:BATCH])
        if some:
            _tell(row, some, now)
            row.reached = some[-1].pk
        if len(some) < BATCH:
            row.told_at = now
        row.save(update_fields=["reached", "told_at"])
        return len(some)


def _tell(row: PriceNotice, organizations: Iterable[Organization], now: datetime) -> None:
    if row.what == TERMS:
        for organization in organizations:
            _of_terms(organization, row, now)
        return
    before = tariffs.Book(row.what, row.starts_at - _TICK)
    after = tariffs.Book(row.what, row.starts_at)
    for organization in organizations:
        old = before.price(row.name, organization.pk, row.offering_class)
        new = after.price(row.name, organization.pk, row.offering_class)
        if old and new and old.figures != new.figures:
            _of_prices(organization, row, old, new, now)


def _of_prices(
    organization: Organization, row: PriceNotice, old: Version, new: Version, now: datetime
) -> None:
    """In won without VAT, in the order of the list."""
    to, place = notices.holders(organization, "invoices.read"), reverse("price_list")
    name = f"{row.name} · {row.offering_class}" if row.offering_class else row.name
    before, after, day = figures(old), figures(new), seoul_date(row.starts_at).isoformat()
    if row.what == "tokens":
        notices.tell(
            "price.tokens",
            organization=organization,
            to=to,
            now=now,
            place=place,
            name=name,
            before=before,
            after=after,
            day=day,
        )
    elif row.what == "cards":
        notices.tell(
            "price.cards",
            organization=organization,
            to=to,
            now=now,
            place=place,
            name=name,
            before=before,
            after=after,
            day=day,
        )
    else:
        notices.tell(
            "price.storage",
            organization=organization,
            to=to,
            now=now,
            place=place,
            name=name,
            before=before,
            after=after,
            day=day,
        )


def _of_terms(organization: Organization, row: PriceNotice, now: datetime) -> None:
    notices.tell(
        "price.terms",
        organization=organization,
        to=notices.holders(organization, "invoices.read"),
        now=now,
        place=reverse("price_list"),
        day=seoul_date(row.starts_at).isoformat(),
    )
