"""A reservation that all have signed: booked at the approved price, or not at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing import budgets
from billing.approvals.kinds import CannotBeDone, Deed, Now, TermsChanged
from billing.fiscal.refusals import Refusal
from billing.models import ApprovalRequest
from portal.deployments import reserving
from portal.deployments.actions import reservations
from portal.deployments.models import Reservation, ReservationState
from portal.deployments.reserving import ReservationQuote, ReservationWish
from portal.deployments.states import move_reservation
from tenants import actors, standing
from tenants.actors import Actor

PREFIX = "rsv_"
REFUSALS = (
    reserving.BadTimes,  # its first hour has come meanwhile
    reserving.UnknownChip,
    reserving.TooManyCards,
    reserving.NoCards,
    standing.OrderingClosed,
    budgets.BudgetExceeded,
    budgets.CountersUnavailable,
    Refusal,
)


def _find(request: ApprovalRequest) -> Reservation:
    rows = Reservation.objects.filter(organization=request.organization, public_id=request.subject)
    return rows.select_related("organization", "project__organization", "chip", "site").get()


def _wish(one: Reservation) -> ReservationWish:
    return ReservationWish(
        one.name, one.chip.code, one.cards, one.period, one.region, one.wished_site
    )


def _quote(one: Reservation, now: datetime) -> ReservationQuote:
    try:
        return reserving.quote(wish=_wish(one), project=one.project, now=now)
    except REFUSALS as error:
        raise CannotBeDone(str(error)) from error


def _terms(one: Reservation, priced: ReservationQuote) -> dict[str, Any]:
    """What would be approved at this price."""
    one.site, one.price_version = priced.site, priced.price.public_id
    one.won_per_card_hour, one.won_in_all = priced.won_per_card_hour, priced.won_in_all
    return reservations.terms_of(one)


def _terms_now(request: ApprovalRequest, now: datetime) -> Now:
    one = _find(request)
    priced = _quote(one, now)
    return Now(_terms(one, priced), priced.won_in_all)


def _sets_aside(request: ApprovalRequest, now: datetime) -> int:
    try:
        return sum(_quote(_find(request), now).shares.values())
    except CannotBeDone:
        return 0


def _done(request: ApprovalRequest) -> str:
    one = _find(request)
    waits = one.state in (ReservationState.AWAITING, ReservationState.CANCELLED)
    return "" if waits else one.public_id


def _ended(request: ApprovalRequest, now: datetime) -> None:
    reservations.not_approved(_find(request), now)


def _carry_out(request: ApprovalRequest, by: Actor, now: datetime) -> str:
    """Hold the money and the cards, in the name of the request. ``CannotBeDone``."""
    system = actors.system(request.organization, request.public_id)
    with actors.scope_for(system):
        approved: dict[str, Any] = request.terms.get(round=request.round).terms
        one = _find(request)
        priced = _quote(one, now)
    try:
        found = reservations.keep(
            one.public_id,
            priced.shares,
            one.project,
            system,
            lambda: _write(request, approved, system, now),
        )
    except REFUSALS as error:
        raise CannotBeDone(str(error)) from error
    return found.public_id


def _write(
    request: ApprovalRequest, approved: dict[str, Any], by: Actor, now: datetime
) -> reservations.Written:
    Reservation.objects.select_for_update().get(
        organization=request.organization, public_id=request.subject
    )
    one = _find(request)
    if one.state != ReservationState.AWAITING:
        raise TermsChanged  # somebody else has just booked or cancelled it
    standing.require_ordering(by.organization)
    priced = reserving.quote_locked(_wish(one), one.project, now)
    if _terms(one, priced) != approved:
        raise TermsChanged
    one.save()
    because = "Approved, within the budget."
    move_reservation(one, ReservationState.BOOKED, because=because, now=now)
    return one, reservations.fulfil(one, priced, by, now)


DEED = Deed(
    terms_now=_terms_now, carry_out=_carry_out, done=_done, ended=_ended, sets_aside=_sets_aside
)


def beside(orders: Deed) -> Deed:
    """The deed of all orders: those of endpoints, and reservations, by the subject's prefix."""

    def of(request: ApprovalRequest) -> Deed:
        return DEED if request.subject.startswith(PREFIX) else orders

    return Deed(
        terms_now=lambda request, now: of(request).terms_now(request, now),
        carry_out=lambda request, by, now: of(request).carry_out(request, by, now),
        done=lambda request: of(request).done(request),
        ended=lambda request, now: of(request).ended(request, now),
        sets_aside=lambda request, now: of(request).sets_aside(request, now),
    )
