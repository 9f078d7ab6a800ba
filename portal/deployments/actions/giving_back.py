"""Giving reserved hours back: those that begin within a day stay and are charged, later ones are
free for others and cost nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.deployments.actions import recommitting, reservations, reserved_time
from portal.deployments.models import Reservation, ReservationOffer, ReservationState
from portal.deployments.reservation_models import OfferState
from portal.deployments.reserving import HOUR
from portal.deployments.slots import Slot, outside
from portal.deployments.states import move_reservation, note_reservation
from portal.lib.periods import Period
from tenants import actors, audit
from tenants.actors import Actor

STAYS = timedelta(hours=24)
ALL = gettext_noop("Cancelled; nothing is charged.")
REST = gettext_noop("Its later hours were given back.")


class NothingToGiveBack(Exception):
    def __str__(self) -> str:
        return _(
            "Nothing of it can be given back: its hours are over or begin within 24 hours. You can "
            "offer them to others."
        )


def stays_until(one: Reservation, now: datetime) -> datetime:
    """Where it would end if it were given back now; its start if nothing would stay."""
    first_free = hour_from(now + STAYS)
    return max(one.starts_at, min(one.ends_at, first_free))


def hour_from(moment: datetime) -> datetime:
    """The first full hour that is not before it."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + HOUR


def give_back(*, reservation: Reservation, by: Actor, now: datetime) -> Reservation:
    """Give back what begins later than in 24 hours. ``NothingToGiveBack``. Valkey is told outside
    the transaction; a lost call is repaired by ``commitments.retell``."""
    by.require("orders.create")
    with actors.scope_for(by):
        rows = Reservation.objects.visible_to(by).select_for_update(of=["self"])
        one = rows.select_related("organization", "project").get(pk=reservation.pk)
        if one.state == ReservationState.CANCELLED:
            return one  # somebody else was faster
        until = stays_until(one, now)
        if one.state != ReservationState.BOOKED or until >= one.ends_at:
            raise NothingToGiveBack
        _shorten(one, until, now)
        commitments = recommitting.lower(one, now=now)
        changes = {"until": until.isoformat() if until > one.starts_at else ""}
        audit.record(
            "reservation.give_back", by=by, now=now, subject=one.public_id, changes=changes
        )
    reserved_time.tell(one, commitments)
    return one


def _shorten(one: Reservation, until: datetime, now: datetime) -> None:
    beyond = Period(until, one.ends_at)
    stays = [Slot(s.number, piece) for s in one.slots() for piece in outside(s.period, beyond)]
    rehold(one, stays)
    ReservationOffer.objects.filter(reservation=one, state=OfferState.OPEN).update(
        state=OfferState.WITHDRAWN
    )
    if until <= one.starts_at:
        move_reservation(one, ReservationState.CANCELLED, because=ALL, now=now)
        return
    one.ends_at = until
    one.save(update_fields=["ends_at"])
    note_reservation(one, one.state, because=REST, now=now)


def rehold(one: Reservation, slots: list[Slot]) -> None:
    """It holds these and nothing else."""
    one.held.all().delete()
    reservations.hold(one, slots)
