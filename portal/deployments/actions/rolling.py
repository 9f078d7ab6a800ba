"""Carrying rollouts out: one step at a time, each in a transaction of its own.

The endpoint's row is the lease: who does not get it at once leaves it to whoever has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from portal.deployments import moving, progress, rollouts
from portal.deployments.actions import placements
from portal.deployments.models import (
    Endpoint,
    Order,
    OrderState,
    Placement,
    Revision,
    Rollout,
    RolloutState,
    RolloutStep,
    Strategy,
)
from portal.deployments.progress import OPEN
from portal.deployments.quoting import NoRoom, NotForSale
from portal.deployments.requoting import Change, Room
from portal.deployments.rollout_models import ROLLOUT_ARROWS
from portal.deployments.rollouts import Look, Sample, Step
from portal.deployments.states import NoSuchMove, move_order
from portal.fleet.models import Site
from portal.lib import ids
from portal.lib.wake import wake
from tenants import audit, rls
from tenants.actors import Actor

__all__ = ["OPEN", "abandon", "advance", "begin", "due", "note", "open_of", "roll_back"]

MOST_STEPS = 20  # of one rollout in one turn; the next turn goes on


def open_of(endpoint: Endpoint) -> Rollout | None:
    """The rollout that runs, if one does."""
    return endpoint.rollouts.filter(state__in=OPEN).first()


def begin(*, order: Order, old: Revision, new: Revision, now: datetime) -> Rollout:
    """Inside the transaction that placed the order."""
    rollout = Rollout.objects.create(
        public_id=ids.mint("rol"),
        organization=order.organization,
        endpoint=new.endpoint,
        order=order,
        from_revision=old,
        to_revision=new,
        strategy=order.strategy,
        started_at=now,
        started_by=order.placed_by,
    )
    note(rollout, Step("keep"), now, kind="begin")
    wake("portal.routing.tasks.sweep_rollouts")
    return rollout


@transaction.atomic
def roll_back(*, endpoint: Endpoint, by: Actor, now: datetime) -> bool:
    """By hand. Whether there was something to roll back; repeating it changes nothing."""
    by.require("endpoints.change")
    locked = Endpoint.objects.select_for_update(of=["self"]).get(
        organization=by.organization, pk=endpoint.pk
    )
    rollout = open_of(locked)
    if rollout is None or rollout.state != RolloutState.RUNNING:
        return False
    _do(rollout, Step("roll_back", because=rollouts.BY_HAND), now)
    audit.record("endpoint.roll_back", by=by, now=now, subject=endpoint.public_id)
    wake("portal.routing.tasks.sweep_rollouts")
    return True


def abandon(endpoint: Endpoint, now: datetime) -> None:
    """The endpoint, which the caller has locked, is paused or stopped: the old form is its form
    again, whatever has come of the new one."""
    rollout = open_of(endpoint)
    if rollout is None:
        return
    _move(rollout, RolloutState.ABANDONED, "The endpoint was paused or stopped.")
    note(rollout, Step("keep", because=rollout.because), now, kind="abandon")
    _old_form(rollout, now)


def due() -> list[tuple[int, int]]:
    """(rollout, organization) of all that run."""
    with rls.everyone(because="sweep: rollouts of all organizations"):
        rows = Rollout.objects.filter(state__in=OPEN, endpoint__operator_hold=False)
        rows = rows.filter(endpoint__funding_hold=False)
        return list(rows.order_by("pk").values_list("pk", "organization"))


def advance(
    pk: int,
    organization: int,
    samples: Mapping[str, Sample],
    *,
    marks: Mapping[str, int],
    now: datetime,
) -> int:
    """Up to ``MOST_STEPS`` steps; how many were done. ``samples``: by placement, what gateways saw
    in the second that ``marks`` (gateway → Unix ms) names: none counts twice."""
    with rls.tenant(organization), transaction.atomic():
        _see(pk, samples, marks)
    for count in range(MOST_STEPS):
        with rls.tenant(organization), transaction.atomic():
            if not _advance(pk, now):
                return count
    return MOST_STEPS


def _see(pk: int, samples: Mapping[str, Sample], marks: Mapping[str, int]) -> None:
    rollout = Rollout.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if rollout is None or all(
        rollout.seen.get("marks", {}).get(one) == marks[one] for one in marks
    ):
        return
    sides = {new: progress.sample_of(rollout, new=new) for new in (False, True)}
    rows = rollout.endpoint.placements.living().values_list("public_id", "revision")
    for placement, revision in rows:
        if one := samples.get(placement):
            side = sides[revision == rollout.to_revision_id]
            side.add(one.ended, one.failed, one.first_ms)
    seen = {"marks": dict(marks), "old": asdict(sides[False]), "new": asdict(sides[True])}
    Rollout.objects.filter(pk=pk).update(seen=seen)


def _advance(pk: int, now: datetime) -> bool:
    """One step, if one is due and nobody else is at it."""
    rollout = _rollouts().get(pk=pk)
    step = rollouts.next_step(_look(rollout), now)
    if step is None:
        return False
    sites = _lock_sites() if step.kind in {"add_new", "add_old"} else []
    locked = Endpoint.objects.select_for_update(of=["self"], skip_locked=True)
    endpoint = locked.select_related("model", "project__organization").filter(
        pk=rollout.endpoint_id
    )
    found = endpoint.first()
    fresh = _rollouts().select_related("order").get(pk=pk)
    if found is None or fresh.state not in OPEN or rollouts.next_step(_look(fresh), now) != step:
        return False
    if step.kind in {"add_new", "add_old"}:
        return _add(fresh, found, step, sites, now)
    return _do(fresh, step, now)


def _lock_sites() -> list[Site]:
    rows = Site.objects.active().select_for_update(of=["self"])
    return list(rows.select_related("region").order_by("pk"))


def _rollouts() -> QuerySet[Rollout]:
    forms = ("from_revision__offering", "to_revision__offering")
    return Rollout.objects.select_related("endpoint", *forms)


def _look(rollout: Rollout) -> Look:
    old, new = rollout.from_revision.offering, rollout.to_revision.offering
    assert old is not None and new is not None  # of an ordered endpoint
    swaps = (old.chip_id, old.cards) == (new.chip_id, new.cards)
    rows = rollout.endpoint.placements.seats().order_by("pk")
    return progress.look_of(rollout, rows, swaps=swaps)


def _add(
    rollout: Rollout, endpoint: Endpoint, step: Step, sites: list[Site], now: datetime
) -> bool:
    """One more replica of either form, at a site that has room now; else it is noted since when
    there was none."""
    new = step.kind == "add_new"
    form = rollout.to_revision if new else rollout.from_revision
    assert endpoint.project is not None and form.offering is not None  # of an ordered endpoint
    change = Change(
        "move",
        region=form.regions[0] if form.regions else "",
        chip=form.offering.chip.code,
        apart=form.apart,
    )
    mine = endpoint.placements.living().filter(wanted=True, revision=form)
    taken = frozenset(mine.values_list("site__code", flat=True))
    try:
        choice, offering = moving.one_more(
            Room(sites, endpoint.project, now), endpoint, change, taken
        )
    except (NoRoom, NotForSale):
        if rollout.no_room_since is None:
            Rollout.objects.filter(pk=rollout.pk).update(no_room_since=now)
            note(rollout, step, now, kind="no_room")
        return False
    site = next(one for one in sites if one.code == choice.sites[0])
    hidden = new and rollout.strategy != Strategy.ROLLING  # until it gets a share
    placements.want(
        endpoint=endpoint,
        site=site,
        offering=offering,
        now=now,
        revision=form,
        weight=0 if hidden else placements.WHOLE,
    )
    Rollout.objects.filter(pk=rollout.pk).update(no_room_since=None)
    note(rollout, step, now, site=site.code)
    return True


def _do(rollout: Rollout, step: Step, now: datetime) -> bool:
    site = ""
    if step.replica:
        row = Placement.objects.select_related("site").get(public_id=step.replica)
        site = row.site.code
        if step.kind == "remove":
            placements.unwant(endpoint=rollout.endpoint, only=[row])
        else:
            leaving = now if step.kind == "leave" else None
            Placement.objects.filter(pk=row.pk).update(leaving_at=leaving)
            Rollout.objects.filter(pk=rollout.pk).update(no_room_since=None)
    if step.kind == "weigh":
        _weigh(rollout)
        return True  # it follows from what is there: no step of its own
    if step.kind == "shift":
        _shift(rollout, now)
    if step.kind == "roll_back":
        _move(rollout, RolloutState.BACK, step.because)
        Rollout.objects.filter(pk=rollout.pk).update(no_room_since=None)
        _weigh(rollout)
    if step.kind == "rolled_back":
        _move(rollout, RolloutState.ROLLED_BACK, rollout.because)
        _old_form(rollout, now)
    if step.kind == "done":
        _move(rollout, RolloutState.DONE, "")
        move_order(rollout.order, OrderState.FULFILLED, because="All replicas are new.", now=now)
        _free(rollout)
    note(rollout, step, now, site=site)
    return True


def _shift(rollout: Rollout, now: datetime) -> None:
    """The next stage, with all its weights at once: one publication for the gateways."""
    rollout.stage, rollout.stage_since = rollout.stage + 1, now
    rollout.hurried = False
    rollout.seen = rollout.seen | {"new": {}}
    rollout.save(update_fields=["stage", "stage_since", "hurried", "seen"])
    _weigh(rollout)


def _weigh(rollout: Rollout) -> None:
    """Each replica its share of the requests, as it follows from the stage."""
    by_weight: dict[int, list[str]] = defaultdict(list)
    for name, weight in rollouts.weights(_look(rollout)).items():
        by_weight[weight].append(name)
    for weight, names in by_weight.items():
        Placement.objects.filter(public_id__in=names).update(weight=weight)


def _old_form(rollout: Rollout, now: datetime) -> None:
    """What was wished last is what was there before: as a revision, since none is ever changed."""
    old = rollout.from_revision
    last = rollout.endpoint.revisions.order_by("-number").values_list("number", flat=True)[0]
    again = Revision.objects.create(
        organization=rollout.organization,
        endpoint=rollout.endpoint,
        number=last + 1,
        offering=old.offering,
        replicas=old.replicas,
        least=old.least,
        regions=old.regions,
        apart=old.apart,
        because=rollout.because or rollouts.BY_HAND,
        created_at=now,
        created_by=rollout.started_by,
    )
    rollout.endpoint.placements.living().filter(wanted=True, revision=old).update(revision=again)
    move_order(rollout.order, OrderState.FAILED, because=rollout.because, now=now)
    _free(rollout)


def _free(rollout: Rollout) -> None:
    """What was set aside for two forms at once is freed once the last replica has stopped; who
    stays has as much weight as any other."""
    rollout.endpoint.placements.living().update(weight=placements.WHOLE)
    Endpoint.objects.filter(pk=rollout.endpoint_id).update(overcommitted=True)


def _move(rollout: Rollout, to_state: str, because: str) -> None:
    """``NoSuchMove`` without the arrow; the endpoint's lock keeps others away."""
    if (rollout.state, to_state) not in ROLLOUT_ARROWS:
        raise NoSuchMove(f"{rollout.public_id}: {rollout.state} → {to_state}")
    moved = Rollout.objects.filter(pk=rollout.pk, state=rollout.state).update(
        state=to_state, because=because
    )
    if not moved:
        raise NoSuchMove(f"{rollout.public_id}: somebody else has moved it")
    rollout.state, rollout.because = to_state, because


def note(rollout: Rollout, step: Step, now: datetime, *, kind: str = "", site: str = "") -> None:
    RolloutStep.objects.create(
        organization_id=rollout.organization_id,
        rollout=rollout,
        kind=kind or step.kind,
        site=site,
        because=step.because,
        at=now,
    )
