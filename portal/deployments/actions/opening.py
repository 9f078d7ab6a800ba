"""Opening hours, carried out: endpoints are paused and resumed by them, with money or not at all.

A pause or resume by hand stays until the next change of the hours. What the hours still open this
month is set aside, whatever runs now; an opening without money or room does not happen, whoever may
order is told, and it is tried again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import budgets
from billing.fiscal.refusals import Refusal
from portal.deployments import queries, requoting, schedules
from portal.deployments.actions import (
    changes,
    endpoints,
    freeing,
    freeing_orders,
    orders,
    setting_aside,
    sizing,
)
from portal.deployments.actions.setting_aside import Need
from portal.deployments.models import Endpoint, Scaling, Schedule
from portal.deployments.schedules import Hours
from portal.lib.periods import Month
from portal.lib.wake import wake
from tenants import actors, audit, notices, rls, standing
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()
NO_MONEY = (budgets.BudgetExceeded, budgets.CountersUnavailable, Refusal)
NOTICES = {"no_money": "endpoint.no_money", "no_room": "endpoint.no_room"}


class NoRoom(Exception):
    """No site has room for what opens."""


def set_hours(*, endpoint: Endpoint, hours: Hours | None, by: Actor, now: datetime) -> None:
    """New opening hours, or none any more. Opens its own transactions. ``changes.Stopped``,
    ``budgets.BudgetExceeded`` where more is to run than is set aside, ``quoting.NotForSale``."""
    by.require("endpoints.change")
    with actors.scope_for(by):
        found = _load(endpoint.pk, by.organization)
        runs = found.paused_at is None if hours is None else schedules.is_open(hours, now)
        missing = missing_micro(found, hours, runs=runs, now=now)
    if missing > 0:
        by.require("orders.create")
    need = Need(found, missing, lambda: actors.scope_for(by), by, now)
    setting_aside.hold_and_write(need, lambda: _write(found, hours, by, now))


def missing_micro(endpoint: Endpoint, hours: Hours | None, *, runs: bool, now: datetime) -> int:
    """What this month needs besides what is set aside, if it runs so; negative: less."""
    month = Month.of(now)
    if hours is None and not runs:
        requoting.form_of(endpoint)  # of one that was never ordered nothing is known
        return 0
    needed = freeing.planned_micro(endpoint, month, now, hours=hours, runs=runs)
    return needed - queries.set_aside_micro(endpoint, month)


def _load(pk: int, organization: Organization) -> Endpoint:
    rows = Endpoint.objects.select_related("project", "organization", "model")
    found: Endpoint = rows.get(pk=pk, organization=organization)
    if found.stopped_at is not None:
        raise changes.Stopped
    return found


def _write(endpoint: Endpoint, hours: Hours | None, by: Actor, now: datetime) -> None:
    with transaction.atomic():
        locked = Endpoint.objects.select_for_update(of=["self"]).get(pk=endpoint.pk)
        if locked.generation != endpoint.generation:
            raise changes.ChangedMeanwhile
        if hours is None:
            Schedule.objects.filter(endpoint=locked).delete()
        else:
            Schedule.objects.update_or_create(
                endpoint=locked, defaults=_row(locked, hours, by.organization, now)
            )
        Endpoint.objects.filter(pk=locked.pk).update(
            overcommitted=True, generation=locked.generation + 1
        )
        audit.record("endpoint.hours", by=by, now=now, subject=locked.public_id)
        wake("portal.deployments.tasks.follow_opening_hours")


def _row(
    endpoint: Endpoint, hours: Hours, organization: Organization, now: datetime
) -> dict[str, Any]:
    """Where it is not as they say the next turn makes it so."""
    runs = endpoint.paused_at is None
    at_once = runs != schedules.is_open(hours, now)
    return {
        "organization": organization,
        "hours": hours.written(),
        "state": "open" if runs else "closed",
        "changes_at": now if at_once else schedules.next_change(hours, now),
        "trouble": "",
    }


def follow_now(*, endpoint: Endpoint, by: Actor, now: datetime) -> bool:
    """End what was paused or resumed by hand. Whether there are opening hours to follow."""
    by.require("endpoints.change")
    rows = Schedule.objects.filter(endpoint=endpoint, organization=by.organization)
    found = rows.update(changes_at=now)
    wake("portal.deployments.tasks.follow_opening_hours")
    return bool(found)


def sweep(*, now: datetime) -> int:
    """Carry out what is due; how many were looked at. One organization's trouble is its own."""
    with rls.everyone(because="sweep: opening hours of all organizations"):
        rows = Schedule.objects.filter(Q(changes_at__lte=now) | ~Q(trouble=""))
        rows = rows.filter(endpoint__stopped_at=None, endpoint__operator_hold=False)
        due = list(rows.select_related("organization").order_by("changes_at", "pk"))
    for row in due:
        try:
            _follow(row, now)
        except Exception:
            log.exception("opening_hours.failed", endpoint=row.pk)
    return len(due)


def _follow(row: Schedule, now: datetime) -> None:
    hours = schedules.read(row.hours)
    by = actors.system(row.organization, _("Opening hours"))
    if not schedules.is_open(hours, now):
        with _scope(by), transaction.atomic():
            _close(row, hours, by, now)
        return
    with _scope(by):
        endpoint = _load(row.pk, row.organization)
        missing = missing_micro(endpoint, hours, runs=True, now=now)
    if endpoint.paused_at is None:
        missing = 0  # resumed by hand: that has set its own money aside
    need = Need(endpoint, missing, lambda: _scope(by), by, now)
    try:
        setting_aside.hold_and_write(need, lambda: _open(row, hours, by, now))
    except NO_MONEY:
        _trouble(row, "no_money", now)
    except (NoRoom, orders.TooManyEndpoints):
        _trouble(row, "no_room", now)
    except standing.OrderingClosed:
        _trouble(row, "no_money", now)


def _scope(by: Actor) -> AbstractContextManager[None]:
    return rls.tenant(by.organization.pk)


def _close(row: Schedule, hours: Hours, by: Actor, now: datetime) -> None:
    """Paid is what ran until the hours' own end, however late this is done."""
    endpoint = endpoints.locked(row.pk)
    if endpoint.may_run:
        running = endpoint.placements.living().filter(wanted=True, leaving_at=None)
        count = len(running)
        running.update(leaving_at=min(now, row.changes_at or now))
        endpoints.rest(endpoint, now)
        sizing.note(endpoint, count, 0, "closed", now)
        audit.record("endpoint.pause", by=by, now=now, subject=endpoint.public_id)
    _followed(row, "closed", hours, now)


def _open(row: Schedule, hours: Hours, by: Actor, now: datetime) -> None:
    """With sites and endpoint locked, as an order does it; the money is held."""
    with transaction.atomic():
        sites = sizing.lock_sites()
        rows = Endpoint.objects.select_for_update(of=["self"])
        endpoint = rows.select_related("model", "project__organization").get(pk=row.pk)
        if endpoint.paused_at is not None:
            standing.require_ordering(by.organization)
            orders.refuse_too_many(by)
            form = requoting.form_of(endpoint)
            count = form.replicas if form.least is None else max(form.least, 1)
            here = list(endpoint.placements.living().filter(wanted=True))
            if sizing.grow(endpoint, form, here, count, sites, now) < count:
                raise NoRoom
            _resume(endpoint, count, by, now)
        _followed(row, "open", hours, now)


def _resume(endpoint: Endpoint, count: int, by: Actor, now: datetime) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(
        paused_at=None,
        asleep_since=None,
        funding_hold=False,
        generation=endpoint.generation + 1,
    )
    freeing_orders.overtaken(endpoint, now)
    Scaling.objects.filter(endpoint=endpoint).update(used_at=now)
    sizing.note(endpoint, 0, count, "opened", now)
    audit.record("endpoint.resume", by=by, now=now, subject=endpoint.public_id)


def _followed(row: Schedule, state: str, hours: Hours, now: datetime) -> None:
    """Only if the hours are still those that were looked at."""
    Schedule.objects.filter(pk=row.pk, hours=row.hours).update(
        state=state, changes_at=schedules.next_change(hours, now), trouble=""
    )


def _trouble(row: Schedule, what: str, now: datetime) -> None:
    """Said once for each opening that does not happen; it is tried again by the next turn."""
    with rls.tenant(row.organization_id), transaction.atomic():
        if not Schedule.objects.filter(pk=row.pk).exclude(trouble=what).update(trouble=what):
            return
        endpoint = Endpoint.objects.select_related("project").get(pk=row.pk)
        project = endpoint.project.public_id if endpoint.project else ""
        sizing.note(endpoint, 0, 0, what, now)
        notices.tell(
            NOTICES[what],
            organization=row.organization,
            to=notices.holders(row.organization, "orders.create", project=project),
            now=now,
            place=reverse("endpoint", args=[endpoint.public_id]),
            project=project,
            name=endpoint.name,
        )
