"""The number of an endpoint's replicas follows what is asked: ``deployments.scaling``, carried out.

No step is an order: the most is priced, set aside and signed already. Each is a transaction of its
own under the endpoint's lock, and looks at everything again there, so that losing or repeating it
does no harm. It rests while replicas are being replaced, paused or held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from portal.deployments import queries, requoting, scaling
from portal.deployments.actions import placements, rolling
from portal.deployments.models import (
    Endpoint,
    Placement,
    PlacementState,
    Revision,
    ScaleStep,
    Scaling,
)
from portal.deployments.quoting import NoRoom, NotForSale
from portal.deployments.scaling import Bounds, Decision, Look
from portal.fleet.models import Site
from tenants import quotas, rls
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Seen:
    """What all gateways told of one moment. ``used``: placements that had a request lately."""

    in_flight: Mapping[str, int] = field(default_factory=dict)  # by placement
    used: frozenset[str] = frozenset()
    waiting: Mapping[str, int] = field(default_factory=dict)  # by endpoint
    sleepers: Mapping[str, int] = field(default_factory=dict)  # by endpoint


def sweep(seen: Seen, *, now: datetime) -> int:
    """Looks at all endpoints that scale; how many were changed. Call it only with what gateways
    said: where nobody said anything, nothing is known to be idle."""
    with rls.everyone(because="sweep: scaling of all organizations; only counts are read"):
        rows = list(_due().select_related("endpoint", "organization"))
        forms = _forms([one.pk for one in rows])
        replicas = _replicas([one.pk for one in rows])
    due = []
    for row in rows:
        form = forms.get(row.pk)
        if form is None:
            continue
        here = replicas[row.pk]
        found = _decide(row, form, here, seen, now)
        awake = row.endpoint.asleep_since and any(one.state == "ready" for one in here)
        if found.because != "same" or found.memory != row.memory or awake:
            grows = found.replicas > len(queries.counted(here))
            due.append((row.pk, row.organization_id, grows))
    return sum(_step(pk, organization, seen, now, grows=grows) for pk, organization, grows in due)


def _due() -> QuerySet[Scaling]:
    rows = Scaling.objects.filter(
        endpoint__stopped_at=None,
        endpoint__paused_at=None,
        endpoint__funding_hold=False,
        endpoint__operator_hold=False,
    )
    return rows.exclude(endpoint__rollouts__state__in=rolling.OPEN).order_by("pk")


def _forms(endpoints: list[int]) -> dict[int, Revision]:
    rows = Revision.objects.filter(endpoint__in=endpoints, offering__isnull=False)
    rows = rows.order_by("endpoint_id", "-number").distinct("endpoint_id")
    return {one.endpoint_id: one for one in rows.select_related("offering")}


def _replicas(endpoints: list[int]) -> dict[int, list[Placement]]:
    found: dict[int, list[Placement]] = defaultdict(list)
    rows = Placement.objects.seats().filter(endpoint__in=endpoints)
    for one in rows.select_related("site").order_by("pk"):
        found[one.endpoint_id].append(one)
    return found


def _decide(
    row: Scaling, form: Revision, here: list[Placement], seen: Seen, now: datetime
) -> Decision:
    return scaling.decide(
        bounds_of(row, form, row.organization, now),
        _look(row.endpoint, here, seen),
        row.memory,
        now,
    )


def bounds_of(row: Scaling, form: Revision, organization: Organization, now: datetime) -> Bounds:
    """A form without a least is fixed: as many as it says."""
    assert form.offering is not None  # of an ordered endpoint
    most = min(form.replicas, quotas.most(organization, "replicas"))
    fixed = row.fixed if row.fixed_until is not None and row.fixed_until > now else None
    return Bounds(
        least=most if form.least is None else min(form.least, most),
        most=most,
        per_replica=row.per(form.offering.parallel),
        up=timedelta(seconds=row.up_seconds),
        down=timedelta(seconds=row.down_seconds),
        idle=timedelta(seconds=row.idle_seconds),
        fixed=fixed,
    )


def _look(endpoint: Endpoint, here: Iterable[Placement], seen: Seen) -> Look:
    """Requests that found no replica are those that wait, or are in flight once one answers."""
    ids = {one.public_id for one in here}
    in_flight = sum(seen.in_flight.get(one, 0) for one in ids)
    answers = any(one.state == "ready" for one in here)
    return Look(
        running=len(queries.counted(list(here))),
        in_flight=in_flight or int(bool(ids & seen.used)),
        waiting=seen.waiting.get(endpoint.public_id, 0),
        sleepers=0 if answers else seen.sleepers.get(endpoint.public_id, 0),
    )


def _step(pk: int, organization: int, seen: Seen, now: datetime, *, grows: bool) -> bool:
    """One endpoint, under its lock. ``grows``: sites have to be locked, and are so first."""
    with rls.tenant(organization), transaction.atomic():
        sites = lock_sites() if grows else []
        locked = Endpoint.objects.select_for_update(of=["self"], skip_locked=True)
        rows = locked.select_related("model", "project__organization").filter(pk=pk)
        endpoint = rows.filter(funding_hold=False, operator_hold=False).first()
        if endpoint is None or not endpoint.may_run or rolling.open_of(endpoint) is not None:
            return False
        row = Scaling.objects.select_related("endpoint", "organization").get(pk=pk)
        form = requoting.form_of(endpoint)
        here = _replicas([pk])[pk]
        found = _decide(row, form, here, seen, now)
        running = len(queries.counted(here))
        if found.replicas > running and not sites:
            return False  # somebody was quicker; the next look locks them
        _awake(row, endpoint, here)
        _remember(row, found)
        if found.replicas > running:
            return _more(row, endpoint, form, here, found, sites, now)
        if found.replicas < running:
            _fewer(endpoint, here, running - found.replicas, now)
            note(endpoint, running, found.replicas, found.because, now, count=found.count)
        return found.replicas != running


def lock_sites() -> list[Site]:
    """Before an endpoint, as an order locks them."""
    rows = Site.objects.active().select_for_update(of=["self"])
    return list(rows.select_related("region").order_by("pk"))


def _remember(row: Scaling, found: Decision) -> None:
    memory = found.memory
    Scaling.objects.filter(pk=row.pk).update(
        used_at=memory.used_at,
        up_at=memory.up_at,
        below_since=memory.below_since,
        below_most=memory.below_most,
    )


def _awake(row: Scaling, endpoint: Endpoint, here: list[Placement]) -> None:
    """Its first replica answers: how long that took is what the next one who wakes it is told."""
    ready = [one.state_since for one in here if one.state == PlacementState.READY]
    if endpoint.asleep_since is None or not ready:
        return
    Endpoint.objects.filter(pk=endpoint.pk).update(asleep_since=None)
    asked = min(one.created_at for one in here)
    seconds = max(1, round((min(ready) - asked).total_seconds()))
    Scaling.objects.filter(pk=row.pk).update(ready_seconds=seconds)


def _more(
    row: Scaling,
    endpoint: Endpoint,
    form: Revision,
    here: list[Placement],
    found: Decision,
    sites: list[Site],
    now: datetime,
) -> bool:
    running = len(queries.counted(here))
    got = grow(endpoint, form, here, found.replicas - running, sites, now)
    if got:
        note(endpoint, running, running + got, found.because, now, count=found.count)
    short = running + got < found.replicas
    if short and row.no_room_since is None:
        note(endpoint, running + got, running + got, "no_room", now, count=found.count)
    since = (row.no_room_since or now) if short else None
    Scaling.objects.filter(pk=row.pk).update(no_room_since=since)
    return bool(got)


def grow(
    endpoint: Endpoint,
    form: Revision,
    here: list[Placement],
    count: int,
    sites: list[Site],
    now: datetime,
) -> int:
    """Ask for so many more, or for as many as find room; how many. Sites are locked."""
    assert endpoint.project is not None and form.offering is not None  # of an ordered endpoint
    room = requoting.Room(sites, endpoint.project, now)
    try:
        codes = room.more(form, endpoint, here, count).sites
    except NoRoom as error:
        most = [int(fix.value) - len(here) for fix in error.fixes if fix.kind == "replicas"]
        codes = room.more(form, endpoint, here, most[0]).sites if most else ()
    except NotForSale:
        return 0
    by_code = {site.code: site for site in sites}
    for code in codes:
        placements.want(
            endpoint=endpoint, site=by_code[code], offering=form.offering, now=now, revision=form
        )
    return len(codes)


def _fewer(endpoint: Endpoint, here: list[Placement], count: int, now: datetime) -> None:
    """What answers takes no new requests and is stopped once those it has have had their time
    (``actions.leaving``); to nothing it goes only where nobody asks."""
    counted = queries.counted(here)
    going = requoting.surplus(counted, count)
    row = Endpoint.objects.filter(pk=endpoint.pk)
    row.update(overcommitted=True)  # what it could have used until now is free again
    if count == len(counted):
        placements.unwant(endpoint=endpoint)
        row.update(asleep_since=now)
        return
    busy = [one for one in going if one.state == PlacementState.READY]
    placements.unwant(endpoint=endpoint, only=[one for one in going if one not in busy])
    Placement.objects.filter(pk__in=[one.pk for one in busy]).update(leaving_at=now)


def note(
    endpoint: Endpoint, before: int, after: int, because: str, now: datetime, *, count: int = 0
) -> None:
    """A line on the endpoint's page."""
    ScaleStep.objects.create(
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        before=before,
        after=after,
        because=because,
        count=count,
        at=now,
    )
