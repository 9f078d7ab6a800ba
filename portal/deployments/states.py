"""State is moved, not set: the old state stands in the WHERE clause, a move row says because."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.deployments.models import (
    ORDER_ARROWS,
    PLACEMENT_ARROWS,
    Order,
    OrderMove,
    Placement,
    PlacementMove,
    Reservation,
    ReservationMove,
)
from portal.deployments.reservation_models import RESERVATION_ARROWS


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


def move_placement(
    placement: Placement, to_state: str, *, because: str, now: datetime, **seen: Any
) -> bool:
    """Move ``placement`` from the state it was loaded with; ``seen`` are columns to set with it.

    False if somebody else moved it first: then nothing was changed, and the next sweep looks
    again. ``NoSuchMove`` if the arrow does not exist.
    """
    if (placement.state, to_state) not in PLACEMENT_ARROWS:
        raise NoSuchMove(f"{placement.public_id}: {placement.state} → {to_state}")
    because = because[:300]
    moved = Placement.objects.filter(pk=placement.pk, state=placement.state).update(
        state=to_state, because=because, state_since=now, **seen
    )
    if not moved:
        return False
    PlacementMove.objects.create(
        organization_id=placement.organization_id,
        placement=placement,
        from_state=placement.state,
        to_state=to_state,
        because=because,
        at=now,
    )
    placement.state = to_state
    return True


def move_order(order: Order, to_state: str, *, because: str, now: datetime) -> bool:
    """Move ``order``; as ``move_placement``."""
    if (order.state, to_state) not in ORDER_ARROWS:
        raise NoSuchMove(f"{order.public_id}: {order.state} → {to_state}")
    moved = Order.objects.filter(pk=order.pk, state=order.state).update(state=to_state)
    if not moved:
        return False
    OrderMove.objects.create(
        organization_id=order.organization_id,
        order=order,
        from_state=order.state,
        to_state=to_state,
        because=because[:300],
        at=now,
    )
    order.state = to_state
    return True


def move_reservation(
    reservation: Reservation, to_state: str, *, because: str, now: datetime
) -> bool:
    """Move ``reservation``; as ``move_placement``."""
    if (reservation.state, to_state) not in RESERVATION_ARROWS:
        raise NoSuchMove(f"{reservation.public_id}: {reservation.state} → {to_state}")
    moved = Reservation.objects.filter(pk=reservation.pk, state=reservation.state)
    if not moved.update(state=to_state):
        return False
    note_reservation(reservation, to_state, because=because, now=now)
    reservation.state = to_state
    return True


def note_reservation(
    reservation: Reservation, to_state: str, *, because: str, now: datetime
) -> None:
    """What happened to it: a change of state, or of what is held of it."""
    ReservationMove.objects.create(
        organization_id=reservation.organization_id,
        reservation=reservation,
        from_state=reservation.state,
        to_state=to_state,
        because=because[:300],
        at=now,
    )
