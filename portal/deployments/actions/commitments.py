"""Money set aside for dedicated endpoints: a new month's share, and what an ended one really used.

Sweeps over rows; a crash anywhere heals at the next turn. Valkey is called outside transactions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from billing import booked, budgets, tariffs
from billing.chains import Chains
from billing.fiscal import orders as fiscal
from billing.fiscal.refusals import Refusal
from billing.models import Budget, Commitment
from billing.rating import card_amount
from portal.admission import calls
from portal.admission.calls import AdmissionUnavailable
from portal.deployments import lasting
from portal.deployments.actions import placements
from portal.deployments.models import Endpoint, EndpointKind, Order
from portal.lib import wake
from portal.lib.ids import cell_of
from portal.lib.money import MICRO, ceil_won
from portal.lib.periods import Month
from portal.usage.models import CardTime
from tenants import actors as actors_module
from tenants import audit, rls
from tenants.models import Organization, Project

log = structlog.get_logger()

LOST_AFTER_MS = 600_000  # no order takes so long between its hold and its rows


@dataclass(frozen=True, slots=True)
class _Running:
    """``order`` is the newest: chip and cards of now. ``reference`` is that of the first: under
    it stands each whole month; what changes ordered within a month stands under their own."""

    endpoint: Endpoint
    order: Order
    reference: str
    organization: Organization
    project: Project


def _running() -> list[_Running]:
    """Dedicated endpoints that are neither stopped nor paused, or paused by opening hours that
    open again, with their orders."""
    with rls.everyone(because="sweep: commitments of all organizations"):
        rows = (
            Order.objects.forming()
            .filter(
                Q(endpoint__paused_at=None) | Q(endpoint__schedule__isnull=False),
                endpoint__kind=EndpointKind.DEDICATED,
                endpoint__stopped_at=None,
            )
            .select_related("endpoint", "organization", "project")
            .order_by("placed_at", "pk")
        )
        orders: dict[int, list[Order]] = defaultdict(list)
        for one in rows:
            if one.endpoint_id is not None:
                orders[one.endpoint_id].append(one)
    return [_of(found) for found in orders.values()]


def _of(orders: list[Order]) -> _Running:
    first, newest = orders[0], orders[-1]
    assert newest.endpoint is not None  # they were grouped by it
    return _Running(newest.endpoint, newest, first.public_id, newest.organization, newest.project)


def renew(*, now: datetime) -> None:
    """Set aside this month's share of each running endpoint; hold those that do not fit."""
    month = Month.of(now)
    running = _running()
    with rls.everyone(because="sweep: what has been set aside for this month?"):
        rows = Commitment.objects.filter(month=str(month))
        set_aside: dict[str, dict[str, int]] = defaultdict(dict)
        for endpoint, reference, amount in rows.values_list(
            "endpoint", "reference", "amount_micro"
        ):
            set_aside[endpoint][reference] = amount
    for one in running:
        amounts = set_aside[one.endpoint.public_id]
        if one.reference not in amounts:
            _renew_one(one, month, now, have=sum(amounts.values()))


def _renew_one(one: _Running, month: Month, now: datetime, *, have: int) -> None:
    """``have``: micro-won that changes of this month have set aside already."""
    with rls.tenant(one.organization.pk):
        price = tariffs.card_tariff_at(one.order.chip, now, one.organization.pk)
    if price is None:
        log.error("commitment.no_tariff", order=one.order.public_id)
        return
    seconds = _seconds(one, month, now)
    amount = ceil_won(price.won_per_hour * one.order.cards * seconds / 3600) * MICRO - have
    if amount <= 0:
        return
    with rls.tenant(one.organization.pk):
        subjects = budgets.subjects_of(one.organization, one.project)
    try:
        budgets.reserve(
            organization=one.organization,
            subjects=subjects,
            reference=one.reference,
            month=month,
            amount_micro=amount,
        )
    except budgets.BudgetExceeded:
        _hold(one, held=True, now=now)
        return
    except budgets.CountersUnavailable:
        return
    try:
        row = _keep(one, month, amount, now)
    except Refusal:
        budgets.unreserve(organization=one.organization, reference=one.reference, month=month)
        _hold(one, held=True, now=now)
        return
    budgets.tell(row, one.organization, subjects)
    _hold(one, held=False, now=now)


def _seconds(one: _Running, month: Month, now: datetime) -> int:
    """That it runs this month, from now on."""
    with rls.tenant(one.organization.pk):
        hours = lasting.hours_of(one.endpoint)
    runs = one.endpoint.paused_at is None
    since = max(now, month.period.start)
    return lasting.seconds_left(hours, runs=runs, now=since, end=month.period.end)


def _keep(one: _Running, month: Month, amount: int, now: datetime) -> Commitment:
    """The month's row, and the commitment of the project's budget line, if it has one: what is
    ordered once is committed each month anew, so that none runs into a year without a budget."""
    with rls.tenant(one.organization.pk):
        row, _made = Commitment.objects.get_or_create(
            reference=one.reference,
            month=str(month),
            defaults={
                "organization": one.organization,
                "project": one.project.public_id,
                "endpoint": one.endpoint.public_id,
                "amount_micro": amount,
            },
        )
        fiscal.commit(
            row,
            project=one.project,
            subject=one.endpoint.name,
            seller=settings.DURE_SELLER_NAME,
            by=actors_module.system(one.organization, _("Budget check")),
            now=now,
        )
    return row


def _hold(one: _Running, *, held: bool, now: datetime) -> None:
    """Pause an endpoint for want of money, or let it go on. The reason stands on its page."""
    if one.endpoint.funding_hold == held:
        return
    with rls.tenant(one.organization.pk), transaction.atomic():
        Endpoint.objects.filter(pk=one.endpoint.pk, funding_hold=not held).update(funding_hold=held)
        audit.record(
            "endpoint.funding_hold" if held else "endpoint.funding_resume",
            by=actors_module.system(one.organization, _("Budget check")),
            now=now,
            subject=one.endpoint.public_id,
        )
        for code in one.endpoint.placements.living().values_list("site__code", flat=True):
            wake.wake("portal.provisioning.tasks.reconcile", site=code)


def settle_ended(*, now: datetime) -> None:
    """Lower the commitment of each ended endpoint to what its cards really cost."""
    with rls.everyone(because="sweep: ended endpoints with money still set aside"):
        rows = list(
            Commitment.objects.filter(final=False).select_related("organization").order_by("pk")
        )
        ended = {
            endpoint.public_id: endpoint
            for endpoint in Endpoint.objects.filter(
                public_id__in=[row.endpoint for row in rows]
            ).exclude(stopped_at=None)
            if not endpoint.placements.living().exists()
        }
    months: dict[tuple[str, str], list[Commitment]] = defaultdict(list)
    for row in rows:
        endpoint = ended.get(row.endpoint)
        if endpoint is not None and _is_accrued(endpoint):
            months[row.endpoint, row.month].append(row)
    for found in months.values():
        _settle_month(found, now)


def _is_accrued(endpoint: Endpoint) -> bool:
    """Whether all its card time is in the ledger: the last move of each replica is behind it."""
    with rls.everyone(because="sweep: is the card time complete?"):
        behind = Q(accrued_until=None) | Q(accrued_until__lt=F("state_since"))
        return not endpoint.placements.filter(behind).exists()


def _settle_month(rows: list[Commitment], now: datetime) -> None:
    """All rows of an endpoint and month together: the oldest ones are used first."""
    organization, month = rows[0].organization, Month.parse(rows[0].month)
    with rls.tenant(organization.pk):
        left = used_micro(rows[0].endpoint, month)
        by = actors_module.system(organization, _("Budget check"))
        for row in rows:
            amount = left if row is rows[-1] else min(left, row.amount_micro)
            left -= amount
            budgets.lower(row, amount_micro=amount)
            fiscal.settle(row, amount_micro=amount, by=by, now=now)
        project = Project.objects.filter(public_id=rows[0].project).first()
        subjects = budgets.subjects_of(organization, project, month=month)
    for row in rows:
        budgets.tell(row, organization, subjects)


def used_micro(endpoint: str, month: Month) -> int:
    """What the card time of an endpoint in a month cost, in micro-won, rounded up."""
    times = CardTime.objects.filter(
        endpoint=endpoint, started_at__gte=month.period.start, started_at__lt=month.period.end
    )
    amounts = [
        card_amount(one.card_seconds, tariffs.unit_price(one.price_version, "card_seconds"))
        for one in times
    ]
    exact = sum(amounts, Fraction(0))
    return int(-(-exact * MICRO // 1))


def retell(*, now: datetime) -> None:
    """Tell Valkey this month's commitments again: a lost call is repaired here."""
    month = str(Month.of(now))
    with rls.everyone(because="sweep: repair Valkey's half of commitments"):
        rows = list(
            Commitment.objects.filter(month=month).select_related("organization").order_by("pk")
        )
        projects = {one.public_id: one for one in Project.objects.all()}
    _tell_all(rows, projects)


def retell_all(*, now: datetime, codes: Collection[str] | None = None) -> None:
    """This month's and those of the months before that count in a budget of a year or without an
    end; of all organizations, or of those with these codes."""
    with rls.everyone(because="sweep: repair Valkey's half of commitments"):
        found = Organization.objects.all()
        if codes is not None:
            found = found.filter(code__in=codes)
        since = booked.counted_since(list(found.values_list("pk", flat=True)))
        wanted = Q(month=str(Month.of(now)))
        for organization, month in since.items():
            wanted |= Q(organization=organization, month__gte=str(month))
        mine = Commitment.objects.filter(wanted, organization__in=found)
        rows = list(mine.select_related("organization").order_by("pk"))
        projects = {one.public_id: one for one in Project.objects.all()}
    _tell_all(rows, projects)


def _tell_all(rows: list[Commitment], projects: dict[str, Project]) -> None:
    """As ``budgets.tell`` and ``subjects_of`` do for one, with what all share read once: there are
    as many as endpoints, and after a loss everybody waits for them."""
    with rls.everyone(because="sweep: the budgets in which commitments count"):
        current = list(Budget.objects.current())
    months = {row.month: Month.parse(row.month) for row in rows}
    chains = {name: _chains(current, month) for name, month in months.items()}
    commands = [
        calls.commit(
            cell_of(row.organization.code),
            reference=row.reference,
            month=row.month,
            amount_micro=row.amount_micro,
            subjects=chains[row.month].known(
                row.organization, row.project if row.project in projects else ""
            ),
        )
        for row in rows
    ]
    try:
        budgets.admission().many(commands)
    except AdmissionUnavailable:
        return  # the next sweep tells them again


def _chains(current: list[Budget], month: Month) -> Chains:
    """For a share of a month: the budgets that had begun by then."""
    return Chains(current, now=min(datetime.now(UTC), month.period.end - timedelta(seconds=1)))


def release_lost(*, older_ms: int = LOST_AFTER_MS) -> None:
    """Holds of orders whose process died: the row, where there is one, says what they became."""
    for cell, reference, month in budgets.stale_orders(older_ms=older_ms):
        with rls.everyone(because="sweep: did this hold become an order?"):
            row = (
                Commitment.objects.filter(reference=reference, month=month)
                .select_related("organization")
                .first()
            )
            project = Project.objects.filter(public_id=row.project).first() if row else None
            subjects = _subjects(row, project) if row else []
        if row is None:
            log.warning("commitment.hold_lost", reference=reference, month=month)
            budgets.free(cell, reference=reference, month=month)
        else:
            budgets.tell(row, row.organization, subjects)


def _subjects(row: Commitment, project: Project | None) -> list[str]:
    return budgets.subjects_of(row.organization, project, month=Month.parse(row.month))


def repair(*, now: datetime) -> None:
    """All of it, in order; and replicas for endpoints whose hold is over."""
    renew(now=now)
    placements.revive(now=now)
    settle_ended(now=now)
    retell(now=now)
    release_lost()
