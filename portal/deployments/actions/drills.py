"""Booking a drill: for a window, one site takes no requests of one endpoint.

The replicas there run on, so that they answer again the moment it ends; only the route table is
without them. Whether a drill runs follows from its row and the time (``Drill`` running and its
window not over), so that its end comes also when nobody is there to end it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.deployments import drilling
from portal.deployments.actions import rolling
from portal.deployments.drill_models import DRILL_ARROWS
from portal.deployments.drilling import Answer
from portal.deployments.models import (
    Drill,
    DrillMove,
    DrillState,
    Endpoint,
    EndpointKind,
    Placement,
    PlacementQuerySet,
)
from portal.deployments.states import NoSuchMove
from portal.fleet.models import Condition, Site
from portal.lib import ids
from portal.usage import receipts, unserved_intake
from portal.usage.models import LedgerEntry
from tenants import audit, rls
from tenants.actors import Actor

log = structlog.get_logger()

KIND = "dure-drill+jwt"
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(hours=4)
AHEAD = timedelta(days=30)
# By then most answers that began in the window have ended, and who waited in vain was told so.
REPORT_AFTER = timedelta(seconds=60)
MOST_OPEN = 10  # of one organization

BOOKED = gettext_noop("Booked.")
BEGUN = gettext_noop("The site is withdrawn from this endpoint.")
OVER = gettext_noop("The window is over; the site answers again.")
BY_HAND = gettext_noop("Ended by hand; the site answers again.")
CANCELLED = gettext_noop("Cancelled before it began.")
NOTHING_LEFT = gettext_noop("No other site answered any more; the site answers again.")
PASSED = gettext_noop("Its window passed before it could begin.")
NOT_RUNNING = gettext_noop("The endpoint does not run.")
NOT_THERE = gettext_noop("No replica of it is ready at the site.")
ALONE = gettext_noop("No replica of it is ready at another site.")
ROLLS = gettext_noop("Its replicas are being replaced.")
NOT_OPEN = gettext_noop("The operator has work at one of its sites.")


class BadWindow(Exception):
    def __str__(self) -> str:
        return _("A drill begins within the next 30 days and lasts 5 minutes to 4 hours.")


class NoSecondSite(Exception):
    def __str__(self) -> str:
        return _(
            "A drill needs an endpoint of your own with replicas at this site and at another one."
        )


class DrillThen(Exception):
    def __str__(self) -> str:
        return _("Another drill of this endpoint is booked for that time.")


class TooManyDrills(Exception):
    def __str__(self) -> str:
        return _("%(most)d drills are booked already. Cancel one first.") % {"most": MOST_OPEN}


@dataclass(frozen=True, slots=True)
class Window:
    """When the site is withdrawn; half-open."""

    start: datetime
    end: datetime


def book(*, endpoint: Endpoint, site: Site, window: Window, by: Actor, now: datetime) -> Drill:
    """Book it. ``BadWindow``, ``NoSecondSite``, ``DrillThen``, ``TooManyDrills``."""
    by.require("endpoints.change")
    length = window.end - window.start
    if not now <= window.start <= now + AHEAD or not SHORTEST <= length <= LONGEST:
        raise BadWindow
    try:
        with transaction.atomic():
            return _write(endpoint, site, window, by, now)
    except IntegrityError as error:
        raise DrillThen from error


def _write(endpoint: Endpoint, site: Site, window: Window, by: Actor, now: datetime) -> Drill:
    Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    places = set(_replicas(endpoint).values_list("site", flat=True))
    if endpoint.kind != EndpointKind.DEDICATED or site.pk not in places or len(places) < 2:
        raise NoSecondSite
    mine = Drill.objects.filter(organization=by.organization, state__in=["booked", "running"])
    if mine.count() >= MOST_OPEN:
        raise TooManyDrills
    drill = Drill.objects.create(
        public_id=ids.mint("drl"),
        organization=by.organization,
        endpoint=endpoint,
        site=site,
        starts_at=window.start,
        ends_at=window.end,
        booked_at=now,
        booked_by=by.label,
    )
    _note(drill, "", DrillState.BOOKED, BOOKED, now)
    changes = {"drill": drill.public_id, "site": site.code, "from": window.start.isoformat()}
    audit.record("drill.book", by=by, now=now, subject=endpoint.public_id, changes=changes)
    return drill


@transaction.atomic
def end(*, drill: Drill, by: Actor, now: datetime) -> Drill:
    """Cancel it, or end it at once if it runs. Repeating it changes nothing."""
    by.require("endpoints.change")
    drill = Drill.objects.visible_to(by).select_for_update(of=["self"]).get(pk=drill.pk)
    if drill.state == DrillState.BOOKED:
        _move(drill, DrillState.CANCELLED, CANCELLED, now)
    elif drill.state == DrillState.RUNNING:
        _move(drill, DrillState.ENDED, BY_HAND, now, returned_at=min(now, drill.ends_at))
    else:
        return drill
    changes = {"drill": drill.public_id}
    audit.record("drill.end", by=by, now=now, subject=drill.endpoint.public_id, changes=changes)
    return drill


def sweep(*, now: datetime) -> int:
    """Each two seconds: begin, end and report what is due; how many were moved. One that fails
    does not stop the others."""
    with rls.everyone(because="sweep: drills of all organizations"):
        due = Drill.objects.filter(state="booked", starts_at__lte=now)
        due = due | Drill.objects.filter(state="running")
        due = due | Drill.objects.filter(state="ended", jws="", returned_at__lte=now - REPORT_AFTER)
        rows = list(due.order_by("pk").values_list("pk", "organization"))
    moved = 0
    for pk, organization in rows:
        try:
            with rls.tenant(organization), transaction.atomic():
                moved += _step(pk, now)
        except DatabaseError:
            log.exception("drill.step_failed", drill=pk)
    return moved


def _step(pk: int, now: datetime) -> bool:
    rows = Drill.objects.select_for_update(of=["self"], skip_locked=True)
    drill = rows.select_related("endpoint", "site", "organization").filter(pk=pk).first()
    if drill is None:
        return False
    if drill.state == DrillState.BOOKED:
        return _begin(drill, now)
    if drill.state == DrillState.RUNNING:
        return _watch(drill, now)
    if drill.state == DrillState.ENDED and not drill.jws:
        drill.jws = receipts.issuer().sign(claims_of(drill, now), kind=KIND)
        drill.save(update_fields=["jws"])
        return True
    return False


def _begin(drill: Drill, now: datetime) -> bool:
    because = PASSED if now >= drill.ends_at else trouble(drill.endpoint, drill.site, now)
    if because:
        return _move(drill, DrillState.CALLED_OFF, because, now)
    return _move(drill, DrillState.RUNNING, BEGUN, now, withdrawn_at=now)


def _watch(drill: Drill, now: datetime) -> bool:
    if now >= drill.ends_at:
        return _move(drill, DrillState.ENDED, OVER, now, returned_at=drill.ends_at)
    if not _elsewhere(drill.endpoint, drill.site, now):
        return _move(drill, DrillState.ENDED, NOTHING_LEFT, now, returned_at=now)
    return False


def trouble(endpoint: Endpoint, site: Site, now: datetime) -> str:
    """What speaks against withdrawing the site now; empty if nothing does."""
    if not endpoint.may_run or endpoint.funding_hold or endpoint.operator_hold:
        return NOT_RUNNING
    if rolling.open_of(endpoint) is not None:
        return ROLLS
    here = _replicas(endpoint).filter(site=site, state="ready", leaving_at=None)
    if not here.exists():
        return NOT_THERE
    others = _elsewhere(endpoint, site, now)
    if not others:
        return ALONE
    if any(one.condition != Condition.OPEN for one in (site, *others)):
        return NOT_OPEN
    return ""


def _replicas(endpoint: Endpoint) -> PlacementQuerySet:
    return Placement.objects.filter(endpoint=endpoint, wanted=True).living()


def _elsewhere(endpoint: Endpoint, site: Site, now: datetime) -> list[Site]:
    """Other sites at which it answers now."""
    rows = _replicas(endpoint).filter(state="ready", leaving_at=None).exclude(site=site)
    return [one.site for one in rows.select_related("site") if one.site.serves_at(now)]


def _move(drill: Drill, to_state: str, because: str, now: datetime, **seen: datetime) -> bool:
    """``NoSuchMove`` if the arrow does not exist; false if somebody else was first."""
    before = drill.state
    if (before, to_state) not in DRILL_ARROWS:
        raise NoSuchMove(f"{drill.public_id}: {before} → {to_state}")
    rows = Drill.objects.filter(pk=drill.pk, state=before)
    if not rows.update(state=to_state, because=because, **seen):
        return False
    _note(drill, before, to_state, because, now)
    drill.state, drill.because = to_state, because
    for name, value in seen.items():
        setattr(drill, name, value)
    return True


def _note(drill: Drill, before: str, to_state: str, because: str, now: datetime) -> None:
    DrillMove.objects.create(
        organization_id=drill.organization_id,
        drill=drill,
        from_state=before,
        to_state=to_state,
        because=because,
        at=now,
    )


def claims_of(drill: Drill, now: datetime) -> dict[str, object]:
    """What is signed. Moments are UTC to the millisecond, amounts whole won as text."""
    assert drill.withdrawn_at is not None and drill.returned_at is not None  # it has ended
    length = drill.returned_at - drill.withdrawn_at
    before = _answers(drill, drill.withdrawn_at - length, drill.withdrawn_at)
    during = _answers(drill, drill.withdrawn_at, drill.returned_at)
    return {
        "version": 1,
        "iss": settings.DURE_WEB_ORIGIN,
        "iat": int(now.timestamp()),
        "drill": drill.public_id,
        "organization": drill.organization.public_id,
        "endpoint": drill.endpoint.public_id,
        "site": drill.site.code,
        "simulated": drill.site.simulated,
        "booked": {"from": _moment(drill.starts_at), "until": _moment(drill.ends_at)},
        "withdrawn": {"from": _moment(drill.withdrawn_at), "until": _moment(drill.returned_at)},
        "because": drill.because,
        **drilling.figures(before, list(during), drill.site.code, drill.withdrawn_at),
        **_unserved(drill, drill.withdrawn_at, drill.returned_at),
        "cost_krw": "0",  # the replicas there ran on and are paid as ever; no other was started
    }


def _unserved(drill: Drill, start: datetime, until: datetime) -> dict[str, object]:
    """What is in no ledger, because no site took it. ``None``: no gateway told anything."""
    endpoint = drill.endpoint.public_id
    found = unserved_intake.within(drill.organization_id, endpoint, start, until)
    if found is None:
        return {"unserved": None, "unserved_within": None, "unserved_incomplete": None}
    return {
        "unserved": found.by_code,
        "unserved_within": {"from": _moment(found.start), "until": _moment(found.until)},
        "unserved_incomplete": found.incomplete,
    }


def _answers(drill: Drill, start: datetime, until: datetime) -> Iterable[Answer]:
    rows = LedgerEntry.objects.filter(
        organization=drill.organization_id,
        endpoint=drill.endpoint.public_id,
        admitted_at__gte=start,
        admitted_at__lt=until,
    ).order_by("admitted_at")
    columns = ("site", "outcome", "admitted_at", "first_byte_at", "attempts")
    for row in rows.values_list(*columns).iterator():
        yield Answer(*row)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
