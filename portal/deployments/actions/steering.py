"""By hand, while one form takes the place of another: stay at this share, or go on now.

Taking everything back is ``rolling.roll_back``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext as _

from portal.deployments import progress, rollouts, sides
from portal.deployments.actions import rolling
from portal.deployments.models import Endpoint, Rollout, RolloutState
from portal.deployments.rollouts import Step
from portal.lib.wake import wake
from tenants import audit
from tenants.actors import Actor


class NothingToSteer(Exception):
    def __str__(self) -> str:
        return _("Nothing is being replaced in steps just now.")


class NotThereYet(NothingToSteer):
    def __str__(self) -> str:
        return _("The new replicas have no traffic yet: it goes on as soon as they are ready.")


@transaction.atomic
def hold(*, endpoint: Endpoint, by: Actor, now: datetime) -> None:
    """Stay at this stage until somebody goes on. What speaks against the new replicas still leads
    back, and so do two hours. Repeating it changes nothing. ``NothingToSteer``."""
    rollout = _steered(endpoint, by)
    if rollout.held:
        return
    Rollout.objects.filter(pk=rollout.pk).update(held=True, hurried=False)
    _record(rollout, "hold", by, now)


@transaction.atomic
def go_on(*, endpoint: Endpoint, by: Actor, now: datetime) -> None:
    """End this stage now, as soon as its replicas are ready. Repeating it changes nothing.
    ``NothingToSteer``, ``NotThereYet``."""
    rollout = _steered(endpoint, by)
    if rollout.hurried:
        return
    look = progress.look_of(rollout, endpoint.placements.living())
    if not rollouts.can_go_on(look):
        raise NotThereYet
    Rollout.objects.filter(pk=rollout.pk).update(held=False, hurried=rollout.stage > 0)
    _record(rollout, "go_on", by, now)


def _steered(endpoint: Endpoint, by: Actor) -> Rollout:
    """What runs in stages, with the endpoint locked."""
    by.require("endpoints.change")
    locked = Endpoint.objects.select_for_update(of=["self"]).get(
        organization=by.organization, pk=endpoint.pk
    )
    rollout = rolling.open_of(locked)
    if (
        rollout is None
        or rollout.state != RolloutState.RUNNING
        or rollout.strategy not in sides.SHARES
    ):
        raise NothingToSteer
    return rollout


def _record(rollout: Rollout, kind: Literal["hold", "go_on"], by: Actor, now: datetime) -> None:
    rolling.note(rollout, Step("keep"), now, kind=kind)
    verb = "endpoint.rollout_hold" if kind == "hold" else "endpoint.rollout_go_on"
    audit.record(verb, by=by, now=now, subject=rollout.endpoint.public_id)
    wake("portal.routing.tasks.sweep_rollouts")
