"""Whom a change of a price concerns: seen before it is proposed and before it is approved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from billing.models import AgreedTerm
from portal.deployments.models import Endpoint, EndpointKind, Order
from portal.usage.models import LedgerEntry
from tenants.models import Organization

LOOKS_BACK = timedelta(days=30)
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Effect:
    """``organizations`` would pay another price; ``follow`` have percent off the list, ``fixed``
    an agreed price that stays. Lists are cut at 20, counts are whole."""

    organizations: tuple[Organization, ...]
    count: int
    endpoints: tuple[Endpoint, ...]
    endpoint_count: int
    follow: tuple[Organization, ...]
    fixed: tuple[Organization, ...]


def of_price(what: str, name: str, *, starts_at: datetime, now: datetime) -> Effect:
    """Of a price of the list: who used it in the last 30 days, and what runs on it now."""
    terms = list(
        AgreedTerm.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=starts_at),
            kind=what,
            item=name,
            starts_at__lte=starts_at,
        ).select_related("organization")
    )
    fixed = [one.organization for one in terms if "off" not in one.value]
    endpoints = _endpoints(what, name)
    users = set(_users(what, name, endpoints, now)) - {one.pk for one in fixed}
    rows = Organization.objects.filter(pk__in=users).order_by("name", "pk")
    return Effect(
        organizations=tuple(rows[:SHOWN]),
        count=len(users),
        endpoints=tuple(endpoints[:SHOWN]),
        endpoint_count=len(endpoints),
        follow=tuple(one.organization for one in terms if "off" in one.value),
        fixed=tuple(fixed),
    )


def _endpoints(what: str, name: str) -> list[Endpoint]:
    running = Endpoint.objects.running().select_related("organization").order_by("pk")
    if what == "tokens":
        return list(running.filter(kind=EndpointKind.SHARED, model__slug=name))
    if what == "cards":
        orders = Order.objects.filter(chip=name).values("endpoint")
        return list(running.filter(kind=EndpointKind.DEDICATED, pk__in=orders))
    return []


def _users(what: str, name: str, endpoints: Iterable[Endpoint], now: datetime) -> list[int]:
    if what != "tokens":
        return [one.organization_id for one in endpoints]
    entries = LedgerEntry.objects.admitted(now - LOOKS_BACK, now).filter(model=name)
    return list(entries.order_by().values_list("organization", flat=True).distinct())


def of_organization(organization: Organization) -> Effect:
    """Of an agreement: the organization and its running endpoints."""
    running = Endpoint.objects.running().filter(organization=organization).order_by("pk")
    return Effect((organization,), 1, tuple(running[:SHOWN]), running.count(), (), ())
