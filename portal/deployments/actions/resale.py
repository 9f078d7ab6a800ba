"""Offering reserved cards to others, and taking what others offer.

Who takes it pays their own price for it and nobody learns of whom; the first owner is charged for
so much less. What nobody takes stays theirs and is charged. Never for sale is what runs on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing.models import Commitment
from portal.deployments import placement, reserving
from portal.deployments.actions import (
    giving_back,
    recommitting,
    reservations,
    reserved_time,
    waiting_orders,
)
from portal.deployments.actions.orders import IdempotencyMismatch
from portal.deployments.actions.reservations import Asked
from portal.deployments.models import (
    Placement,
    Reservation,
    ReservationOffer,
    ReservationState,
    ReservedCard,
)
from portal.deployments.reservation_models import OfferState
from portal.deployments.reserving import Look, ReservationQuote, ReservationWish
from portal.deployments.slots import Slot, at, carve, cut
from portal.deployments.states import note_reservation
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.periods import Period
from tenants import actors, audit, notices, rls, standing
from tenants.actors import Actor
from tenants.models import Project

TAKEN = gettext_noop("Some of its cards were taken by another organization.")


class CannotOffer(Exception):
    def __str__(self) -> str:
        return _(
            "Offer whole hours of this reservation that are still to come, and no more cards than "
            "it holds and nothing of yours runs on."
        )


class OfferedAlready(Exception):
    def __str__(self) -> str:
        return _("Something of this reservation is offered already. Withdraw that first.")


class OfferGone(Exception):
    def __str__(self) -> str:
        return _("This is no longer offered, or no longer all of it. Look at the offers again.")


class OwnOffer(Exception):
    def __str__(self) -> str:
        return _("This is your own offer. Withdraw it instead.")


class MustBeSigned(Exception):
    def __str__(self) -> str:
        return _(
            "By your organization's rules this has to be signed first, and an offer cannot wait. "
            "Reserve cards instead."
        )


@transaction.atomic
def offer(
    *, reservation: Reservation, cards: int, period: Period, by: Actor, now: datetime
) -> ReservationOffer:
    """Let others take it. ``CannotOffer``, ``OfferedAlready``."""
    by.require("orders.create")
    rows = Reservation.objects.visible_to(by).select_for_update(of=["self"])
    one = rows.select_related("project").get(pk=reservation.pk)
    inside = one.starts_at <= period.start < period.end <= one.ends_at
    whole = all(moment.timestamp() % 3600 == 0 for moment in (period.start, period.end))
    ahead = whole and period.start >= now
    if one.state != ReservationState.BOOKED or not (inside and ahead):
        raise CannotOffer
    if not 1 <= cards <= spare(one, period):
        raise CannotOffer
    if one.offers.filter(state=OfferState.OPEN).exists():
        raise OfferedAlready
    made = ReservationOffer.objects.create(
        public_id=ids.mint("rof"),
        organization=by.organization,
        reservation=one,
        site_id=one.site_id,
        chip_id=one.chip_id,
        cards=cards,
        offered=cards,
        starts_at=period.start,
        ends_at=period.end,
        created_at=now,
    )
    changes = {"offer": made.public_id, "cards": cards}
    audit.record("reservation.offer", by=by, now=now, subject=one.public_id, changes=changes)
    return made


def spare(one: Reservation, period: Period) -> int:
    """Cards that it holds at each moment of a period, and on which nothing of its owner runs."""
    mine = ReservedCard.objects.filter(
        organization=one.organization_id, site=one.site_id, chip=one.chip_id
    )
    all_of_it = [row.slot for row in mine.filter(ends_at__gt=period.start)]
    held = one.slots()
    runs = _running(one)
    pieces = cut(period, [slot.period for slot in (*held, *all_of_it)])
    return min(min(at(held, piece.start), at(all_of_it, piece.start) - runs) for piece in pieces)


def _running(one: Reservation) -> int:
    """Cards on which something of its owner runs there, or is to run."""
    rows = Placement.objects.living().filter(wanted=True, organization=one.organization_id)
    rows = rows.filter(site=one.site_id, offering__chip=one.chip_id)
    return rows.aggregate(cards=Sum("cards"))["cards"] or 0


@transaction.atomic
def withdraw(*, offered: ReservationOffer, by: Actor, now: datetime) -> None:
    """No longer offer it. Repeating it changes nothing."""
    by.require("orders.create")
    rows = ReservationOffer.objects.filter(pk=offered.pk, organization=by.organization)
    if rows.filter(state=OfferState.OPEN).update(state=OfferState.WITHDRAWN):
        subject = offered.reservation.public_id
        audit.record("reservation.withdraw", by=by, now=now, subject=subject)


@dataclass(frozen=True, slots=True)
class Taking:
    """What a customer wants of an offer."""

    offered: ReservationOffer
    cards: int
    name: str


def wish_of(taking: Taking, now: datetime) -> ReservationWish:
    """As a reservation of their own, from the next hour on."""
    one = taking.offered
    start = max(one.starts_at, giving_back.hour_from(now))
    if start >= one.ends_at:
        raise OfferGone
    return ReservationWish(
        taking.name, one.chip.code, taking.cards, Period(start, one.ends_at), site=one.site.code
    )


def quote(*, taking: Taking, project: Project, now: datetime) -> ReservationQuote:
    """What it would cost the taker. ``OfferGone``, ``reserving.NoCards`` where the project's data
    may not go there, ``UnknownChip``, ``TooManyCards``."""
    one, wish = taking.offered, wish_of(taking, now)
    if one.state != OfferState.OPEN or not 1 <= taking.cards <= one.cards:
        raise OfferGone
    return _priced(wish, project, Site.objects.select_related("region").get(pk=one.site_id), now)


def _priced(wish: ReservationWish, project: Project, site: Site, now: datetime) -> ReservationQuote:
    look = reserving.look(wish.chip, [site], project, now)
    look.require_quota(wish)
    _require_allowed(look, wish)
    return look.priced(site, wish, [Slot(number, wish.period) for number in range(wish.cards)])


def _require_allowed(look: Look, wish: ReservationWish) -> None:
    """The site takes the project's data, and is there."""
    (room,) = look.rooms(wish)
    room = replace(room, cards_free=wish.cards, cards_reserved=0)
    choice = placement.choose([room], look.wanted(wish))
    if not choice.sites:
        raise reserving.NoCards(choice.rejected, (), None)


def take(
    *, taking: Taking, project: Project, idempotency_key: str, by: Actor, now: datetime
) -> Reservation:
    """Take cards of an offer as a reservation of one's own; money and cards change hands together
    or not at all. As ``reservations.place``, and ``OfferGone``, ``OwnOffer``, ``MustBeSigned``."""
    by.require("orders.create")
    if taking.offered.organization_id == by.organization.pk:
        raise OwnOffer
    with actors.scope_for(by):
        rows = Reservation.objects.filter(organization=by.organization)
        rows = rows.filter(idempotency_key=idempotency_key).select_related("project")
        known = rows.first()
        if known is not None:
            if known.taken_from != taking.offered.public_id or not by.sees(known.project):
                raise IdempotencyMismatch
            return known
        standing.require_ordering(by.organization)
        priced = quote(taking=taking, project=project, now=now)
        if waiting_orders.steps_for(project, priced.won_in_all):
            raise MustBeSigned
    reference, seller = ids.mint("rsv"), list[tuple[Reservation, list[Commitment]]]()
    asked = Asked(
        reference,
        wish_of(taking, now),
        project,
        idempotency_key,
        by,
        now,
        taken_from=taking.offered.public_id,
    )
    try:
        found = reservations.keep(
            reference, priced.shares, project, by, lambda: _write(asked, taking, priced, seller)
        )
    except IntegrityError as error:
        raise OfferGone from error
    for one, commitments in seller:
        reserved_time.tell(one, commitments)
    return found


def _write(
    asked: Asked,
    taking: Taking,
    priced: ReservationQuote,
    seller: list[tuple[Reservation, list[Commitment]]],
) -> reservations.Written:
    with rls.everyone(because="reserved cards go from one organization to another"):
        Site.objects.select_for_update().get(pk=taking.offered.site_id)
        slots = _give_up(asked, taking, seller)
    priced = replace(priced, slots=tuple(slots))
    found = reservations.row(asked, priced, ReservationState.BOOKED)
    return found, reservations.fulfil(found, priced, asked.by, asked.now)


def _give_up(
    asked: Asked, taking: Taking, seller: list[tuple[Reservation, list[Commitment]]]
) -> list[Slot]:
    """The first owner's half: fewer cards, less money, and a word about it."""
    one, offered = _locked(taking)
    wanted = asked.wish
    fits = taking.cards <= offered.cards and taking.cards <= spare(one, wanted.period)
    if offered.state != OfferState.OPEN or not fits:
        raise OfferGone
    stays, taken = carve(one.slots(), cards=taking.cards, period=wanted.period)
    giving_back.rehold(one, stays)
    offered.cards -= taking.cards
    offered.state = OfferState.OPEN if offered.cards else OfferState.TAKEN
    offered.save(update_fields=["cards", "state"])
    note_reservation(one, one.state, because=TAKEN, now=asked.now)
    seller.append((one, recommitting.lower(one, now=asked.now)))
    _tell_owner(one, taking, asked.now)
    return taken


def _locked(taking: Taking) -> tuple[Reservation, ReservationOffer]:
    rows = Reservation.objects.select_for_update(of=["self"])
    one = rows.select_related("organization", "project").get(pk=taking.offered.reservation_id)
    return one, ReservationOffer.objects.select_for_update().get(pk=taking.offered.pk)


def _tell_owner(one: Reservation, taking: Taking, now: datetime) -> None:
    by = actors.system(one.organization, _("Resale of reserved cards"))
    changes = {"offer": taking.offered.public_id, "cards": taking.cards}
    audit.record("reservation.sell", by=by, now=now, subject=one.public_id, changes=changes)
    project = one.project.public_id
    notices.tell(
        "reservation.taken",
        organization=one.organization,
        to=notices.holders(one.organization, "orders.create", project=project),
        now=now,
        place=reverse("reservation", args=[one.public_id]),
        project=project,
        name=one.name,
        cards=str(taking.cards),
    )
