"""What a pause or the end of an endpoint frees, what stays owed, and what is lost; and how far it
is. Nothing here changes anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import estimates, tariffs
from portal.deployments import lasting, queries
from portal.deployments.actions import freeing
from portal.deployments.models import (
    FREEING,
    Drill,
    DrillState,
    Endpoint,
    Order,
    OrderKind,
    OrderState,
    Placement,
    Reservation,
    ReservationState,
    Revision,
)
from portal.fleet.models import Site
from portal.lib.periods import Month
from tenants.models import ModelAlias


@dataclass(frozen=True, slots=True)
class Form:
    """What the endpoint is now, and its price in won without VAT; empty for one that was never
    ordered."""

    revision: Revision | None
    chip: str = ""
    price_version: str = ""
    won_per_card_hour: Decimal = Decimal(0)
    won_per_hour: int = 0
    won_per_month: int = 0  # of 31 days, all replicas always on


@dataclass(frozen=True, slots=True)
class Lost:
    """What an endpoint that is deleted takes with it."""

    aliases: tuple[str, ...]  # names of projects that stand for it, and mean nothing afterwards
    drills: int  # called off, or ended where it runs
    hours: bool
    awaiting: bool  # a change that waits to be signed can no longer be carried out


@dataclass(frozen=True, slots=True)
class Freed:
    """Before anything is done. Micro-won are of this month."""

    kind: str
    form: Form
    replicas: int
    cards: int
    sites: tuple[Site, ...]
    set_aside_micro: int
    owed_micro: int  # used until now, of what is set aside
    kept_micro: int  # for the hours at which it opens again this month
    reservations: int  # of its project: they are paid on, used or not
    lost: Lost | None  # of a pause nothing is

    @property
    def site_codes(self) -> list[str]:
        return [site.code for site in self.sites]

    @property
    def free_micro(self) -> int:
        """Free again once all have stopped and their time is counted: at least so much."""
        return max(0, self.set_aside_micro - self.owed_micro - self.kept_micro)


@dataclass(frozen=True, slots=True)
class SiteStops:
    """A site at which replicas are still to stop. ``silent``: it cannot be told now."""

    site: Site
    replicas: int
    silent: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a pause or an end that is under way. ``counted``: all card time is in the ledger."""

    order: Order
    sites: tuple[SiteStops, ...]
    counted: bool


def form_of(endpoint: Endpoint, now: datetime) -> Form:
    """Also of an endpoint that was never ordered or whose chip has no price: it may be freed."""
    rows = endpoint.revisions.select_related("offering__chip").order_by("-number")
    revision = rows.first()
    if revision is None or revision.offering is None:
        return Form(revision)
    chip = revision.offering.chip.code
    price = tariffs.card_tariff_at(chip, now, endpoint.organization_id)
    if price is None:
        return Form(revision, chip)
    cards = revision.offering.cards * revision.replicas
    cost = estimates.endpoint(price, cards=cards, month=Month.of(now))
    return Form(
        revision=revision,
        chip=chip,
        price_version=price.public_id,
        won_per_card_hour=price.won_per_hour,
        won_per_hour=cost.hour.supply_won,
        won_per_month=cost.worst.supply_won,
    )


def of(endpoint: Endpoint, kind: str, now: datetime) -> Freed:
    """What an order of this kind (pause, delete) would do now."""
    month = Month.of(now)
    stopping = [one for one in _living(endpoint) if one.wanted]
    owed = freeing.stopped_micro(endpoint, month, now)
    return Freed(
        kind=kind,
        form=form_of(endpoint, now),
        replicas=len(stopping),
        cards=sum(one.cards for one in stopping),
        sites=tuple({one.site_id: one.site for one in stopping}.values()),
        set_aside_micro=queries.set_aside_micro(endpoint, month),
        owed_micro=owed,
        kept_micro=_kept(endpoint, kind, month, now, owed),
        reservations=Reservation.objects.filter(
            project=endpoint.project_id, state=ReservationState.BOOKED
        ).count(),
        lost=_lost(endpoint) if kind == OrderKind.DELETE else None,
    )


def _living(endpoint: Endpoint) -> Iterable[Placement]:
    return endpoint.placements.living().select_related("site__region")


def _kept(endpoint: Endpoint, kind: str, month: Month, now: datetime, owed: int) -> int:
    """Opening hours open a paused endpoint again: what they need stays set aside."""
    hours = lasting.hours_of(endpoint) if kind == OrderKind.PAUSE else None
    if hours is None:
        return 0
    planned = freeing.planned_micro(endpoint, month, now, hours=hours, runs=False)
    return max(0, planned - owed)


def _lost(endpoint: Endpoint) -> Lost:
    aliases = ModelAlias.objects.filter(
        organization=endpoint.organization_id, target=endpoint.name
    ).order_by("name")
    drills = Drill.objects.filter(
        endpoint=endpoint, state__in=[DrillState.BOOKED, DrillState.RUNNING]
    )
    return Lost(
        aliases=tuple(aliases.values_list("name", flat=True)),
        drills=drills.count(),
        hours=lasting.hours_of(endpoint) is not None,
        awaiting=endpoint.orders.filter(state=OrderState.AWAITING).exists(),
    )


def progress(endpoint: Endpoint, living: Iterable[Placement]) -> Progress | None:
    """Of the pause or end that is under way, if one is. ``living``: its placements with sites."""
    order = queries.freeing_order_of(endpoint)
    if order is None:
        return None
    return Progress(order, _stops(living), counted=not freeing.is_going(endpoint))


def stopping(order: Order) -> tuple[SiteStops, ...]:
    """Of one order: nothing unless it is a pause or an end that is under way."""
    under_way = order.kind in FREEING and order.state == OrderState.PLACED
    return _stops(_living(order.endpoint)) if under_way and order.endpoint else ()


def _stops(living: Iterable[Placement]) -> tuple[SiteStops, ...]:
    going = [one for one in living if not one.wanted]
    counts = Counter(one.site_id for one in going)
    sites = {one.site_id: one.site for one in going}
    return tuple(
        SiteStops(site, counts[pk], site.trouble_since is not None) for pk, site in sites.items()
    )
