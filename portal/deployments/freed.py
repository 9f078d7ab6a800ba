"""What a pause or the end of an endpoint frees, what stays owed, and what is lost; and how far it
is. Nothing here changes anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, Subquery

from billing import estimates
from portal.deployments import lasting, queries
from portal.deployments.actions import freeing
from portal.deployments.lasting import Prices
from portal.deployments.models import (
    FREEING,
    DrillState,
    Endpoint,
    Order,
    OrderKind,
    OrderState,
    Placement,
    PlacementState,
    Reservation,
    ReservationState,
    Revision,
)
from portal.deployments.schedules import Hours
from portal.fleet.models import Site
from portal.lib.money import MICRO
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


def form_of(endpoint: Endpoint, prices: Prices) -> Form:
    """Also of an endpoint that was never ordered or whose chip has no price: it may be freed."""
    rows = endpoint.revisions.select_related("offering__chip").order_by("-number")
    revision = rows.first()
    if revision is None or revision.offering is None:
        return Form(revision)
    chip = revision.offering.chip.code
    price = prices.tariff(chip)
    if price is None:
        return Form(revision, chip)
    cards = revision.offering.cards * revision.replicas
    cost = estimates.endpoint(price, cards=cards, month=Month.of(prices.now))
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
    month, prices = Month.of(now), Prices(endpoint, now)
    living = list(endpoint.placements.living().select_related("site__region", "offering__chip"))
    stopping = [one for one in living if one.wanted]
    form, hours = form_of(endpoint, prices), lasting.hours_of(endpoint)
    ends = kind == OrderKind.DELETE
    beside = _beside(endpoint)
    return Freed(
        kind=kind,
        form=form,
        replicas=len(stopping),
        cards=sum(one.cards for one in stopping),
        sites=tuple({one.site_id: one.site for one in stopping}.values()),
        set_aside_micro=queries.set_aside_micro(endpoint, month),
        owed_micro=freeing.stopped_micro(endpoint, living, prices, month),
        kept_micro=0 if ends else _kept(form, hours, prices, month),
        reservations=beside["reserved"] or 0,
        lost=_lost(endpoint, hours, beside) if ends else None,
    )


def used_micro(endpoint: Endpoint, now: datetime) -> int:
    """Used this month until now, without VAT: in the ledger, and at most what is not yet."""
    living = [one for one in endpoint.placements.all() if one.state != PlacementState.STOPPED]
    return freeing.stopped_micro(endpoint, living, Prices(endpoint, now), Month.of(now))


def _kept(form: Form, hours: Hours | None, prices: Prices, month: Month) -> int:
    """Opening hours open a paused endpoint again: what they need stays set aside, as
    ``freeing.planned_micro`` counts it."""
    revision = form.revision
    if hours is None or revision is None or revision.offering is None:
        return 0
    left = lasting.seconds_left(hours, runs=False, now=prices.now, end=month.period.end)
    cards = revision.offering.cards * revision.replicas
    return int(-(-prices.amount(revision.offering, cards * left) * MICRO // 1))


def _beside(endpoint: Endpoint) -> dict[str, Any]:
    """What belongs to it, in one query."""
    booked = Reservation.objects.filter(project=OuterRef("project"), state=ReservationState.BOOKED)
    drills = Q(drills__state__in=[DrillState.BOOKED, DrillState.RUNNING])
    waiting = Order.objects.filter(endpoint=OuterRef("pk"), state=OrderState.AWAITING)
    found = Endpoint.objects.filter(pk=endpoint.pk).values(
        booked_drills=Count("drills", filter=drills),
        awaiting=Exists(waiting),
        reserved=Subquery(
            booked.order_by().values("project").annotate(count=Count("pk")).values("count")
        ),
    )
    return dict(found.get())


def _lost(endpoint: Endpoint, hours: Hours | None, beside: dict[str, Any]) -> Lost:
    aliases = ModelAlias.objects.filter(
        organization=endpoint.organization_id, target=endpoint.name
    ).order_by("name")
    return Lost(
        aliases=tuple(aliases.values_list("name", flat=True)),
        drills=beside["booked_drills"],
        hours=hours is not None,
        awaiting=beside["awaiting"],
    )


def progress(order: Order, living: Iterable[Placement]) -> Progress:
    """Of a pause or end that is under way. ``living``: its endpoint's, with their sites."""
    assert order.endpoint is not None  # of every such order
    return Progress(order, _stops(living), counted=not freeing.is_going(order.endpoint))


def stopping(order: Order) -> tuple[SiteStops, ...]:
    """Of one order: nothing unless it is a pause or an end that is under way."""
    under_way = order.kind in FREEING and order.state == OrderState.PLACED
    if not under_way or order.endpoint is None:
        return ()
    return _stops(order.endpoint.placements.living().select_related("site__region"))


def _stops(living: Iterable[Placement]) -> tuple[SiteStops, ...]:
    going = [one for one in living if not one.wanted]
    counts = Counter(one.site_id for one in going)
    sites = {one.site_id: one.site for one in going}
    return tuple(
        SiteStops(site, counts[pk], site.trouble_since is not None) for pk, site in sites.items()
    )
