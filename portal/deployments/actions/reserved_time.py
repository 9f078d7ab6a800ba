"""What was reserved and not used: into the append-only ledger of card time, once per second.

It waits for the replicas of the same organization at the same site: only when their time is known
it is known what was left over. Hours in which the site did not answer, or was not open by the
operator's will, cost nothing, nor do cards that it could not give because cards had failed. What
is left out is kept beside, in the same transaction, with the reason.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Least
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing.models import Commitment
from portal.deployments import ready_time, room_then
from portal.deployments.actions import card_time, recommitting, reservations
from portal.deployments.models import (
    EndpointKind,
    Placement,
    Reservation,
    ReservationOffer,
    ReservationState,
    ReservedCard,
    Uncharged,
    UnchargedTime,
)
from portal.deployments.reservation_models import OfferState
from portal.deployments.slots import Slot
from portal.deployments.states import move_reservation
from portal.deployments.unused import Left, Used, joined, unused
from portal.fleet.models import Condition, Site, SiteMove
from portal.lib.periods import Period
from portal.usage.models import CardTime
from tenants import actors, rls
from tenants.models import Organization

log = structlog.get_logger()
OVER = gettext_noop("Its time is over.")
PREFIX = "rsv_"


def accrue_all(*, now: datetime) -> int:
    """Full hours of all reservations; new rows are counted. One that cannot be counted does not
    stop the others. Offers whose time is over end as well."""
    with rls.everyone(because="sweep: reserved card time of all organizations"):
        over = ReservationOffer.objects.filter(state=OfferState.OPEN, ends_at__lte=now)
        over.update(state=OfferState.EXPIRED)
        due = list(_due(now).values_list("pk", flat=True))
    total = 0
    for pk in due:
        try:
            total += _accrue(pk, now)
        except (DatabaseError, LookupError):
            log.exception("reservation.counting_failed", reservation=pk)
    return total


def accrue_organization(organization: Organization, *, now: datetime) -> int:
    """Full hours of one organization's, before it is billed."""
    with rls.tenant(organization.pk):
        rows = _due(now).filter(organization=organization)
        due = list(rows.values_list("pk", flat=True))
    return sum(_accrue(pk, now) for pk in due)


def _hour(moment: datetime) -> datetime:
    """The full hour in which it lies."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _due(now: datetime) -> QuerySet[Reservation]:
    behind = Q(accrued_until=None) | Q(accrued_until__lt=Least(F("ends_at"), _hour(now)))
    rows = Reservation.objects.filter(behind, state="booked", starts_at__lt=_hour(now))
    return rows.order_by("pk")


def _accrue(pk: int, now: datetime) -> int:
    """One reservation, under its lock."""
    with transaction.atomic(), rls.everyone(because="card time of one reservation"):
        rows = Reservation.objects.select_for_update(of=["self"])
        found = rows.select_related("organization", "project", "site", "chip").get(pk=pk)
        count = _count(found, _hour(now))
        commitments = _settle(found, now)
    tell(found, commitments)
    return count


def tell(reservation: Reservation, commitments: list[Commitment]) -> None:
    """Valkey's half, outside of any transaction."""
    by = actors.system(reservation.organization, _("Budget check"))
    reservations.tell(commitments, reservation.organization, reservation.project, by)


def _count(one: Reservation, hour: datetime) -> int:
    start = one.accrued_until or one.starts_at
    until = _hour(min(_heard(one.site, hour), one.ends_at, _known_until(one, hour)))
    if until <= start:
        return 0
    period = Period(start, until)
    rooms = room_then.rooms_of(one, period)
    left = unused(one.slots(), _used(one, period), _older(one), period, rooms)
    charged, free = _divided(one, left)
    rows = [_row(one, piece) for piece in joined(charged)]
    CardTime.objects.bulk_create(rows)
    UnchargedTime.objects.bulk_create(
        _uncharged(one, piece, why) for why, pieces in free.items() for piece in joined(pieces)
    )
    Reservation.objects.filter(pk=one.pk).update(accrued_until=until)
    one.accrued_until = until
    return len(rows)


def _heard(site: Site, hour: datetime) -> datetime:
    """Up to the last report: a card that fails after it is known by the next one. Of a site that
    is asked no more nothing new comes."""
    if site.condition == Condition.RETIRED or site.observed_at is None:
        return card_time.heard(site, hour)
    return min(hour, site.observed_at)


def _known_until(one: Reservation, hour: datetime) -> datetime:
    """Up to where the card time of the organization's replicas there is in the ledger."""
    rows = Placement.objects.filter(
        organization=one.organization_id,
        endpoint__kind=EndpointKind.DEDICATED,
        site=one.site_id,
        offering__chip=one.chip_id,
    )
    counted = Q(state="stopped", accrued_until__gte=F("state_since"))
    late = rows.exclude(counted).values_list("accrued_until", "created_at", "cards")
    return min((since or made for since, made, cards in late if cards), default=hour)


def _used(one: Reservation, period: Period) -> list[Used]:
    rows = CardTime.objects.filter(
        organization=one.organization_id,
        site=one.site.code,
        chip=one.chip.code,
        started_at__gte=period.start - timedelta(hours=1),
        started_at__lt=period.end,
        ended_at__gt=period.start,
    ).exclude(placement__startswith=PREFIX)
    return [Used(Period(row.started_at, row.ended_at), row.cards) for row in rows]


def _older(one: Reservation) -> list[Slot]:
    rows = ReservedCard.objects.filter(
        organization=one.organization_id,
        site=one.site_id,
        chip=one.chip_id,
        reservation__lt=one.pk,
        starts_at__lt=one.ends_at,
        ends_at__gt=one.starts_at,
    )
    return [row.slot for row in rows]


def _divided(one: Reservation, left: list[Left]) -> tuple[list[Used], dict[Uncharged, list[Used]]]:
    """What is charged, and what is not: first the times in which the site could not have taken
    anything."""
    outages = [Period(row.started_at, row.ended_at) for row in one.site.outages.all()]
    closed = _closed(one)
    charged: list[Used] = []
    free: dict[Uncharged, list[Used]] = {why: [] for why in Uncharged}
    for piece in left:
        heard = ready_time.without([piece.period], outages)
        open_ = ready_time.without(heard, closed)
        cards = piece.charged + piece.missing
        free[Uncharged.SILENT] += _used_in(ready_time.without([piece.period], heard), cards)
        free[Uncharged.CLOSED] += _used_in(ready_time.without(heard, open_), cards)
        free[Uncharged.CARDS] += _used_in(open_, piece.missing)
        charged += _used_in(open_, piece.charged)
    return charged, free


def _used_in(periods: list[Period], cards: int) -> list[Used]:
    return [Used(one, cards) for one in periods if cards]


def _closed(one: Reservation) -> list[Period]:
    """When the operator let the site take no new work."""
    moves = SiteMove.objects.filter(site=one.site_id, kind="condition", at__lt=one.ends_at)
    found, since = [], None
    for move in moves.order_by("at", "pk"):
        if move.to_state != Condition.OPEN:
            since = since or move.at
        elif since is not None:
            found.append(Period(since, move.at))
            since = None
    return [*found, Period(since, max(since, one.ends_at))] if since else found


def _row(one: Reservation, piece: Used) -> CardTime:
    return CardTime(
        organization_id=one.organization_id,
        project=one.project.public_id,
        endpoint=one.public_id,
        endpoint_name=reservations.named_by(one),
        placement=one.public_id,
        site=one.site.code,
        chip=one.chip.code,
        cards=piece.cards,
        started_at=piece.period.start,
        ended_at=piece.period.end,
        price_version=one.price_version,
    )


def _uncharged(one: Reservation, piece: Used, why: Uncharged) -> UnchargedTime:
    return UnchargedTime(
        organization_id=one.organization_id,
        reservation=one,
        because=why,
        cards=piece.cards,
        started_at=piece.period.start,
        ended_at=piece.period.end,
    )


def _settle(one: Reservation, now: datetime) -> list[Commitment]:
    """Free what its months did not cost, and end it when its time is over."""
    if one.accrued_until is None:
        return []
    rows = recommitting.lower(one, now=now)
    if one.accrued_until >= one.ends_at:
        move_reservation(one, ReservationState.ENDED, because=OVER, now=now)
    return rows
