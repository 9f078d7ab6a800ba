"""Pages of reserved cards: bob's reservation, and what mallory's firm offers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from portal.deployments.actions import card_time, reservations, reserved_time
from portal.deployments.models import Reservation, ReservationOffer
from portal.deployments.reserving import ReservationWish
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.periods import Period
from tenants import rls
from tenants.actors import Actor
from tenants.models import Project
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row

START = NOON + timedelta(days=2)
SPAN = Period(START, START + timedelta(hours=6))


def _reserved(by: Actor, project: Project) -> Reservation:
    with rls.tenant(by.organization.pk):
        found = Reservation.objects.filter(state="booked").first()
    wish = ReservationWish("야간 학습", "rngd", 8, SPAN)  # replicas run on some
    return found or reservations.place(
        wish=wish, project=project, idempotency_key=ids.mint("idem"), by=by, now=NOON
    )


def a_reservation(world: World) -> Reservation:
    return _reserved(world.cast.bob.may, world.cast.project)


def an_offer(by: Actor, project: Project) -> ReservationOffer:
    one = _reserved(by, project)
    with rls.tenant(by.organization.pk):
        found = one.offers.filter(state="open").first()
        return found or ReservationOffer.objects.create(
            public_id=ids.mint("rof"),
            organization=by.organization,
            reservation=one,
            site=one.site,
            chip=one.chip,
            cards=1,
            offered=1,
            starts_at=SPAN.start,
            ends_at=SPAN.end,
            created_at=NOON,
        )


def own_offer(world: World) -> ReservationOffer:
    return an_offer(world.cast.bob.may, world.cast.project)


def reservation_id(world: World) -> dict[str, Any]:
    return {"public_id": a_reservation(world).public_id}


def own_offer_id(world: World) -> dict[str, Any]:
    return {"public_id": own_offer(world).public_id}


def a_wish(world: World) -> dict[str, Any]:
    return {
        "name": "야간 학습",
        "project": world.cast.project.public_id,
        "chip": "rngd",
        "cards": "1",
        "day": f"{START:%Y-%m-%d}",
        "hour": "1",
        "hours": "3",
        "idempotency_key": ids.mint("idem"),
    }


def a_span(world: World) -> dict[str, Any]:
    """Beyond what it holds: a mistake in the form."""
    return {"cards": "1000", "day": f"{START:%Y-%m-%d}", "hour": "1", "hours": "3"}


ONE = "sign-in found-one 200 200 200 200 404 404"
DEED = "sign-in found-one away away 403 403 404 404"
FORM = "sign-in found-one 200 200 403 403 200 200"
ROWS = [
    Row("reservations", "GET", MEMBERS),
    Row("reservation_export", "GET", MEMBERS),
    Row("reservation_new", "GET", FORM),
    Row("reservation_new", "POST", "sign-in found-one away away 403 403 422 422", body=a_wish),
    Row("reservation_estimate", "GET", FORM),
    Row("reservation", "GET", ONE, reservation_id),
    Row("reservation_give_back", "POST", DEED, reservation_id),
    Row(
        "reservation_offer",
        "POST",
        "sign-in found-one 422 422 403 403 404 404",
        reservation_id,
        a_span,
    ),
    # one's own offer is not taken: 404 for its organization, and a page for every other one
    Row("offer_take", "GET", "sign-in found-one 404 404 403 403 200 200", own_offer_id),
    Row(
        "offer_take",
        "POST",
        "sign-in found-one 404 404 403 403 422 422",
        own_offer_id,
        lambda world: {"cards": "1"},
    ),
    Row("offer_withdraw", "POST", DEED, own_offer_id),
]


def counted_after_an_outage(world: World) -> Reservation:
    """It is over; in one of its hours the site said nothing."""
    one = a_reservation(world)
    one.site.outages.create(started_at=SPAN.start, ended_at=SPAN.start + timedelta(hours=1))
    after = SPAN.end + timedelta(hours=1)
    Site.objects.update(observed_at=after)
    card_time.accrue_all(now=after)
    reserved_time.accrue_all(now=after)
    return one
