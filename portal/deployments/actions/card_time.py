"""Card time: out of the placements' moves into the append-only ledger, once per second."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from billing import tariffs
from portal.deployments import ready_time
from portal.deployments.models import EndpointKind, Placement
from portal.fleet.models import Site
from portal.lib.periods import Period
from portal.usage.models import CardTime
from tenants import rls
from tenants.models import Organization


def accrue_all(*, now: datetime) -> int:
    """Full hours of what runs, and everything of what has stopped. New rows are counted."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    with rls.everyone(because="sweep: card time of all organizations"):
        stopped = Q(state="stopped") & (
            Q(accrued_until=None) | Q(accrued_until__lt=F("state_since"))
        )
        running = ~Q(state="stopped") & (Q(accrued_until=None) | Q(accrued_until__lt=hour))
        due = list(_dedicated().filter(stopped | running).values_list("pk", "state"))
    total = 0
    for pk, state in due:
        total += _accrue(pk, now if state == "stopped" else hour)
    return total


def accrue_organization(organization: Organization, *, now: datetime) -> int:
    """Everything up to now, for an interim invoice. Whole seconds only."""
    with rls.tenant(organization.pk):
        due = list(_dedicated().filter(organization=organization).values_list("pk", flat=True))
    until = now.replace(microsecond=0)
    return sum(_accrue(pk, until) for pk in due)


def _dedicated() -> QuerySet[Placement]:
    return Placement.objects.filter(endpoint__kind=EndpointKind.DEDICATED, cards__gt=0)


def _accrue(pk: int, until: datetime) -> int:
    """One placement up to ``until``, under its lock; nothing is counted twice."""
    with transaction.atomic(), rls.everyone(because="card time of one placement"):
        placement = (
            Placement.objects.select_for_update(of=["self"])
            .select_related("endpoint__project", "site", "offering__chip")
            .get(pk=pk)
        )
        until = heard(placement.site, until)
        moves = list(placement.moves.order_by("at", "id").values_list("at", "to_state"))
        outages = [Period(one.started_at, one.ended_at) for one in placement.site.outages.all()]
        periods = ready_time.without(_ready(placement, moves, until), outages)
        rows = [
            _row(placement, start=piece.start, end=piece.end)
            for piece in ready_time.pieces(periods, after=placement.accrued_until)
        ]
        CardTime.objects.bulk_create(rows)
        reached = max(until, placement.accrued_until or until)
        if placement.state == "stopped":
            reached = max(reached, placement.state_since + timedelta(seconds=1))
        Placement.objects.filter(pk=pk).update(accrued_until=reached)
    return len(rows)


def _ready(
    placement: Placement, moves: list[tuple[datetime, str]], until: datetime
) -> list[Period]:
    """Of one that was replaced, only until its replacement took over: that one is paid then."""
    end = min(until, placement.leaving_at or until)
    return ready_time.ready_periods(moves, until=end)


def heard(site: Site, until: datetime) -> datetime:
    """While a site cannot be asked, nothing behind its last answer is counted: if it stays silent
    that is an outage, otherwise it is counted afterwards."""
    if site.trouble_since is None or site.observed_at is None:
        return until
    return min(until, site.observed_at.replace(microsecond=0))


def _row(placement: Placement, *, start: datetime, end: datetime) -> CardTime:
    endpoint = placement.endpoint
    chip = placement.offering.chip.code
    tariff = tariffs.card_tariff_at(chip, start, placement.organization_id)
    if tariff is None or endpoint.project is None:
        raise LookupError(f"no price of {chip} at {start}")
    return CardTime(
        organization_id=placement.organization_id,
        project=endpoint.project.public_id,
        endpoint=endpoint.public_id,
        endpoint_name=endpoint.name,
        placement=placement.public_id,
        site=placement.site.code,
        chip=chip,
        cards=placement.cards,
        started_at=start,
        ended_at=end,
        price_version=tariff.public_id,
    )
