"""The routes of all endpoints, remembered from look to look: only what changed is read again.

PostgreSQL tells of each row which transaction wrote it last; an endpoint's mark is made of that of
its own row, of its opening hours and of those of its replicas that may answer. Where the mark is
another, or something that all share has changed (the catalogue, a site's place), or a drill begins
or ends, the endpoint is read anew. Beside that a part of all endpoints is read anew at each look,
changed or not, so that within half a minute nothing depends on marks. What comes from elsewhere
each second (whether a site serves, whether a replica's requests fail) is put in at each look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
from django.db import connection

from portal.catalog import engines
from portal.catalog.models import CatalogModel, Offering
from portal.deployments.models import Endpoint, Placement, Scaling, Schedule
from portal.fleet.models import Site
from portal.routing import health, remembered
from portal.routing.demand import TargetDemand
from portal.routing.remembered import ALL_AT_ONCE, TURNS_FOR_ALL
from portal.routing.table import EndpointRoutes, Target, TargetState

_MARKS = """
    SELECT e.id, e.xmin::text::bigint, coalesce(p.mark, 0) # coalesce(s.xmin::text::bigint, 0)
    FROM deployments_endpoint e
    LEFT JOIN deployments_schedule s ON s.endpoint_id = e.id
    LEFT JOIN (
        SELECT endpoint_id, bit_xor(hashtextextended(xmin::text, id)) AS mark
        FROM deployments_placement
        WHERE wanted AND state = 'ready' AND leaving_at IS NULL AND url <> ''
        GROUP BY endpoint_id
    ) p ON p.endpoint_id = e.id
    WHERE e.stopped_at IS NULL AND NOT e.funding_hold AND NOT e.operator_hold
"""


Withdrawn = frozenset[tuple[int, int]]  # endpoint and site: it runs on there, without requests


class Named(NamedTuple):
    """An endpoint as grants speak of it."""

    pk: int
    public_id: str
    name: str
    kind: str
    project: int | None
    model: str  # slug
    model_kind: str


class Routes:
    """Of one publisher; empty at its start. ``look`` is called inside a transaction that sees all
    tenants' rows."""

    def __init__(self) -> None:
        self._marks: dict[int, tuple[int, int]] = {}
        self._parts: dict[int, EndpointRoutes] = {}
        self._named: dict[int, Named] = {}
        self._common: object = None
        self._states: object = None
        self._withdrawn: Withdrawn = frozenset()

    def look(
        self,
        *,
        number: int,
        sites: dict[str, TargetState],
        samples: dict[str, list[TargetDemand]],
        withdrawn: Withdrawn = frozenset(),
        turn: int | None = None,
    ) -> dict[str, EndpointRoutes]:
        """By endpoint. A part has the ``number`` of the look that found it changed. ``sites``: how
        each is now; ``samples``: what gateways saw of a placement; ``withdrawn``: by drills;
        ``turn``: whose endpoints are read anew (``remembered.Turns``)."""
        common, marks = _common(), _marks()
        known = self._marks if common == self._common else {}
        due = remembered.due(marks, known, turn)
        due |= {pk for pk, _site in withdrawn ^ self._withdrawn if pk in marks}
        fresh = _read(due, withdrawn)
        states = (sites, degraded(samples))
        parts = {}
        for pk in marks:
            if pk in due and pk not in fresh:
                continue  # it was stopped since its mark was read
            part = fresh[pk][1] if pk in due else self._parts[pk]
            if pk in due or states != self._states:
                part = _renumbered(_judged(part, *states), self._parts.get(pk), number)
            parts[pk] = part
        self._named |= {pk: named for pk, (named, _) in fresh.items()}
        self._marks = {pk: mark for pk, mark in marks.items() if pk in parts}
        if len(self._named) > 2 * len(parts) + TURNS_FOR_ALL:  # of those that are gone
            self._named = {pk: self._named[pk] for pk in parts}
        self._parts, self._common, self._states = parts, common, states
        self._withdrawn = withdrawn
        return {part.endpoint: part for part in parts.values()}

    def named(self) -> list[Named]:
        """The endpoints of the last look, in the order of their making."""
        return [self._named[pk] for pk in sorted(self._parts)]


def _marks() -> dict[int, tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_MARKS)
        return {pk: (own, replicas) for pk, own, replicas in cursor.fetchall()}


def _common() -> tuple[object, ...]:
    """What a part says of things that many share, as it is now."""
    return (
        list(CatalogModel.objects.order_by("pk").values_list(*_MODEL)),
        list(Offering.objects.order_by("pk").values_list(*_OFFERING)),
        list(Site.objects.order_by("pk").values_list(*_SITE)),
    )


_MODEL = ("pk", "slug", "kind", "context_tokens", "default_max_tokens", "template_tokens")
_OFFERING = ("pk", "chip__code", "version__model__slug", "version__model__kind", "sdk", "parallel")
_SITE = ("pk", "code", "region__code", "simulated")


def degraded(samples: dict[str, list[TargetDemand]]) -> frozenset[str]:
    """Placements of whose requests too many fail."""
    return frozenset(
        name
        for name, told in samples.items()
        if health.state_of(site_state="healthy", replica_state="ready", sample=health.seen(told))
        != "healthy"
    )


def _judged(
    part: EndpointRoutes, sites: dict[str, TargetState], failing: frozenset[str]
) -> EndpointRoutes:
    """With the states of now; the same object if they are what they were."""
    targets = tuple(_stated(one, sites, failing) for one in part.targets)
    if all(new is old for new, old in zip(targets, part.targets, strict=True)):
        return part
    return msgspec.structs.replace(part, targets=targets)


def _stated(target: Target, sites: dict[str, TargetState], failing: frozenset[str]) -> Target:
    state: TargetState = "degraded" if target.id in failing else "healthy"
    if sites.get(target.site) != "healthy":
        state = "out"
    return target if state == target.state else msgspec.structs.replace(target, state=state)


def _renumbered(part: EndpointRoutes, before: EndpointRoutes | None, number: int) -> EndpointRoutes:
    """What was there before if nothing differs, else a part of this look."""
    if before is not None:
        part = msgspec.structs.replace(part, number=before.number)
        if part == before:
            return before
    return msgspec.structs.replace(part, number=number)


def _read(due: Collection[int], withdrawn: Withdrawn) -> dict[int, tuple[Named, EndpointRoutes]]:
    """Of these endpoints, those that are routed, with the targets that may answer; all healthy."""
    if not due:
        return {}
    placements = Placement.objects.filter(wanted=True, state="ready", leaving_at=None)
    endpoints = Endpoint.objects.routed()
    if len(due) < ALL_AT_ONCE:
        placements = placements.filter(endpoint__in=due)
        endpoints = endpoints.filter(pk__in=due)
    # Thousands of rows share a few sites and offerings: each of those is read once.
    rows = placements.exclude(url="").prefetch_related(
        "site__region", "offering__chip", "offering__version__model"
    )
    targets = _targets(rows.order_by("pk"), withdrawn)
    opens, wakes = _openings(), _wakings()
    return {
        endpoint.pk: (
            _named(endpoint),
            msgspec.structs.replace(
                _part(endpoint, tuple(targets[endpoint.pk])),
                opens_at_ms=opens.get(endpoint.pk, 0),
                asleep=endpoint.pk in wakes,
                wakes_in_seconds=wakes.get(endpoint.pk, 0),
            ),
        )
        for endpoint in endpoints.prefetch_related("model").order_by("pk")
    }


def _targets(rows: Iterable[Placement], withdrawn: Withdrawn) -> dict[int, list[Target]]:
    found: dict[int, list[Target]] = defaultdict(list)
    for placement in rows:
        if (placement.endpoint_id, placement.site_id) not in withdrawn:
            found[placement.endpoint_id].append(_target(placement))
    return found


def _openings() -> dict[int, int]:
    """When those that their opening hours have closed open again, in Unix milliseconds."""
    rows = Schedule.objects.filter(state="closed", endpoint__paused_at__isnull=False)
    found = rows.exclude(changes_at=None).values_list("endpoint", "changes_at")
    return {endpoint: int(at.timestamp() * 1000) for endpoint, at in found if at is not None}


def _wakings() -> dict[int, int]:
    """Those that sleep, with the seconds that waking took the last time."""
    rows = Scaling.objects.filter(endpoint__asleep_since__isnull=False, endpoint__paused_at=None)
    return dict(rows.values_list("endpoint", "ready_seconds"))


def _named(endpoint: Endpoint) -> Named:
    return Named(
        endpoint.pk,
        endpoint.public_id,
        endpoint.name,
        endpoint.kind,
        endpoint.project_id,
        endpoint.model.slug,
        endpoint.model.kind,
    )


def _part(endpoint: Endpoint, targets: tuple[Target, ...]) -> EndpointRoutes:
    return EndpointRoutes(
        endpoint=endpoint.public_id,
        number=0,
        model=endpoint.model.slug,
        kind="embedding" if endpoint.model.kind == "embedding" else "chat",
        context_tokens=endpoint.model.context_tokens,
        default_max_tokens=endpoint.model.default_max_tokens,
        template_tokens=endpoint.model.template_tokens,
        targets=() if endpoint.paused_at else targets,
        paused=endpoint.paused_at is not None,
    )


def _target(placement: Placement) -> Target:
    site, offering = placement.site, placement.offering
    return Target(
        id=placement.public_id,
        site=site.code,
        region=site.region.code,
        chip=offering.chip.code,
        model_digest=placement.model_digest,
        url=placement.url,
        credential=placement.sealed_credential,
        engine_model=offering.version.model.slug,
        weight=placement.weight,
        engine=engines.serving(offering.sdk, offering.version.model.kind),
        simulated=site.simulated,
        slots=offering.parallel,
    )
