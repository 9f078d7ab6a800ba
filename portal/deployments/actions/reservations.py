"""Reserving cards: priced beforehand, once, within the budget, or not at all.

As ``orders``: the price of each month that it touches is held in Valkey before the rows are
written, and becomes committed after they are kept. Valkey is never called inside a transaction,
so the door must not open one around this action (``rls.own_transactions``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.utils.translation import gettext_noop

from billing import budgets, holding
from billing.approvals import asking
from billing.approvals.matrix import ORDER
from billing.fiscal import orders as fiscal
from billing.models import Commitment
from portal.deployments import reserving
from portal.deployments.actions import waiting_orders
from portal.deployments.actions.orders import IdempotencyMismatch
from portal.deployments.models import (
    Reservation,
    ReservationMove,
    ReservationState,
    ReservedCard,
)
from portal.deployments.reserving import ReservationQuote, ReservationWish
from portal.deployments.slots import Slot
from portal.deployments.states import move_reservation
from portal.lib import ids
from portal.lib.periods import Month, seoul_date
from tenants import actors, audit, names, standing
from tenants.actors import Actor
from tenants.models import Organization, Project

BOOKED = gettext_noop("Reserved, within the budget.")
WAITS = gettext_noop("Waits for approval.")
Written = tuple[Reservation, list[Commitment]]


class HasToBeSigned(Exception):
    """Price or rules have changed since they were looked at: nothing was reserved."""

    def __init__(self, priced: ReservationQuote) -> None:
        super().__init__()
        self.priced = priced


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish on its way to becoming a reservation."""

    reference: str
    wish: ReservationWish
    project: Project
    idempotency_key: str
    by: Actor
    now: datetime
    taken_from: str = ""  # public id of an offer


def place(
    *,
    wish: ReservationWish,
    project: Project,
    idempotency_key: str,
    by: Actor,
    now: datetime,
) -> Reservation:
    """Reserve. The same key again gives the same reservation; nothing is reserved twice. Where the
    organization's rules ask for approval it waits (state ``awaiting``) and holds nothing.

    As ``reserving.quote``, and ``standing.OrderingClosed``, ``budgets.BudgetExceeded``,
    ``IdempotencyMismatch``, ``names.BadName``; of a budget line ``fiscal.LineRefuses``, ``NoLine``.
    """
    by.require("orders.create")
    wish = replace(wish, name=names.normalized(wish.name, longest=60))
    asked = Asked(ids.mint("rsv"), wish, project, idempotency_key, by, now)
    try:
        with actors.scope_for(by):
            first = before(by, idempotency_key, wish.digest())
            if first is not None:
                return first
            standing.require_ordering(by.organization)
            priced = reserving.quote(wish=wish, project=project, now=now)
            if waiting_orders.steps_for(project, priced.won_in_all):
                return _wait(asked, priced)
        return keep(asked.reference, priced.shares, project, by, lambda: _write(asked))
    except HasToBeSigned as error:
        with actors.scope_for(by):
            return _wait(asked, error.priced)
    except (budgets.BudgetExceeded, reserving.NoCards, IntegrityError):
        with actors.scope_for(by):
            twin = before(by, idempotency_key, wish.digest())
        if twin is None:
            raise
        return twin


def before(by: Actor, idempotency_key: str, digest: str) -> Reservation | None:
    """What this key has reserved already. ``IdempotencyMismatch`` if of another wish. A key is the
    organization's: also if in a project that the actor does not see."""
    rows = Reservation.objects.filter(organization=by.organization, idempotency_key=idempotency_key)
    found = rows.select_related("site", "chip", "project").first()
    if found is not None and (found.request_digest != digest or not by.sees(found.project)):
        raise IdempotencyMismatch
    return found


def keep(
    reference: str,
    shares: Mapping[Month, int],
    project: Project,
    by: Actor,
    write: Callable[[], Written],
) -> Reservation:
    """Hold the money of each month, write the rows, make the holds commitments. Opens its own
    transactions; whatever goes wrong, nothing is held afterwards. ``budgets.BudgetExceeded``."""
    organization = by.organization
    with ExitStack() as holds:
        for month, amount in shares.items():
            with actors.scope_for(by):
                subjects = budgets.subjects_of(organization, project, month=month)
            holds.enter_context(
                holding.held(
                    organization=organization,
                    subjects=subjects,
                    reference=reference,
                    month=month,
                    amount_micro=amount,
                )
            )
        with actors.scope_for(by):
            reservation, commitments = write()
    tell(commitments, organization, project, by)
    return reservation


def tell(
    commitments: Iterable[Commitment], organization: Organization, project: Project, by: Actor
) -> None:
    """Make Valkey's half equal to the rows; a lost call is repaired by ``commitments.retell``."""
    for row in commitments:
        with actors.scope_for(by):
            month = Month.parse(row.month)
            subjects = budgets.subjects_of(organization, project, month=month)
        budgets.tell(row, organization, subjects)


def _write(asked: Asked) -> Written:
    """All rows, with the sites locked so that no card is reserved twice."""
    standing.require_ordering(asked.by.organization)  # a hold may have come meanwhile
    priced = reserving.quote_locked(asked.wish, asked.project, asked.now)
    if waiting_orders.steps_for(asked.project, priced.won_in_all):
        raise HasToBeSigned(priced)
    found = row(asked, priced, ReservationState.BOOKED)
    return found, fulfil(found, priced, asked.by, asked.now)


def row(asked: Asked, priced: ReservationQuote, state: str) -> Reservation:
    """The reservation with its price."""
    wish = asked.wish
    found = Reservation.objects.create(
        public_id=asked.reference,
        organization=asked.by.organization,
        project=asked.project,
        idempotency_key=asked.idempotency_key,
        request_digest=wish.digest(),
        name=wish.name,
        region=wish.region,
        wished_site=wish.site,
        site=priced.site,
        chip=priced.chip,
        cards=priced.cards,
        starts_at=wish.period.start,
        ends_at=wish.period.end,
        price_version=priced.price.public_id,
        won_per_card_hour=priced.won_per_card_hour,
        won_in_all=priced.won_in_all,
        state=state,
        taken_from=asked.taken_from,
        placed_at=asked.now,
        placed_by=asked.by.label,
    )
    ReservationMove.objects.create(
        organization=asked.by.organization,
        reservation=found,
        from_state="",
        to_state=state,
        because=BOOKED if state == ReservationState.BOOKED else WAITS,
        at=asked.now,
    )
    return found


def fulfil(
    reservation: Reservation, priced: ReservationQuote, by: Actor, now: datetime
) -> list[Commitment]:
    """Hold the cards and commit the money; in the transaction that has the sites locked."""
    hold(reservation, priced.slots)
    found = [
        _commit(reservation, month, amount, by, now) for month, amount in priced.shares.items()
    ]
    changes = {
        "site": priced.site.code,
        "chip": priced.chip.code,
        "cards": priced.cards,
        "from": reservation.starts_at.isoformat(),
        "until": reservation.ends_at.isoformat(),
    }
    audit.record(
        "reservation.place", by=by, now=now, subject=reservation.public_id, changes=changes
    )
    return found


def hold(reservation: Reservation, slots: Iterable[Slot]) -> None:
    """Write down what it holds. The database refuses a card that is reserved already."""
    ReservedCard.objects.bulk_create(
        ReservedCard(
            organization_id=reservation.organization_id,
            reservation=reservation,
            site_id=reservation.site_id,
            chip_id=reservation.chip_id,
            number=one.number,
            starts_at=one.period.start,
            ends_at=one.period.end,
        )
        for one in slots
    )


def _commit(
    reservation: Reservation, month: Month, amount_micro: int, by: Actor, now: datetime
) -> Commitment:
    commitment = budgets.record_commitment(
        organization=by.organization,
        project=reservation.project,
        reference=reservation.public_id,
        endpoint=reservation.public_id,
        month=month,
        amount_micro=amount_micro,
    )
    fiscal.commit(
        commitment,
        project=reservation.project,
        subject=reservation.name,
        seller=settings.DURE_SELLER_NAME,
        by=by,
        now=now,
    )
    return commitment


def _wait(asked: Asked, priced: ReservationQuote) -> Reservation:
    """Write it down and ask those who have to approve it."""
    found = row(asked, priced, ReservationState.AWAITING)
    asking.ask(
        wish=asking.Wish(
            kind=ORDER,
            subject=found.public_id,
            title=found.name,
            terms=terms_of(found),
            amount_won=found.won_in_all,
            project=asked.project,
        ),
        by=asked.by,
        now=asked.now,
    )
    return found


def terms_of(reservation: Reservation) -> dict[str, object]:
    """What is approved: which cards, when, and their price. Amounts in won without VAT."""
    return {
        "change": "reserve",
        "name": reservation.name,
        "region": reservation.region,
        "chip": reservation.chip.code,
        "cards": reservation.cards,
        "begins": reservation.starts_at.isoformat(),
        "ends": reservation.ends_at.isoformat(),
        "won_per_card_hour": f"{reservation.won_per_card_hour.normalize():f}",
        "won_in_all": reservation.won_in_all,
    }


def not_approved(reservation: Reservation, now: datetime) -> None:
    """Nobody wants it any more. Repeating it changes nothing."""
    if reservation.state == ReservationState.AWAITING:
        because = gettext_noop("It was not approved.")
        move_reservation(reservation, ReservationState.CANCELLED, because=because, now=now)


def named_by(reservation: Reservation) -> str:
    """For invoice lines and lists: its name and its first day in Korea."""
    return f"{reservation.name} ({seoul_date(reservation.starts_at):%m-%d})"[:64]
