"""What an owner chooses of scaling: bounds and waits, and a number by hand for some hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from portal.deployments import requoting
from portal.deployments.actions import changes, rolling
from portal.deployments.models import Endpoint, Revision, Scaling
from portal.lib.wake import wake
from tenants import audit
from tenants.actors import Actor

BECAUSE = "Its bounds of scaling were changed."
MOST_HOURS = 168  # of a number by hand
# seconds, from … to
UP, DOWN, IDLE = (2, 3600), (30, 86_400), (60, 604_800)
MOST_EACH = 1000  # requests in flight of one replica


class BadBounds(Exception):
    """``field`` of ``Wished``, or ``replicas`` and ``hours`` of a number by hand."""

    def __init__(self, field: str, least: int, most: int) -> None:
        super().__init__(field, least, most)
        self.field, self.least, self.most = field, least, most

    def __str__(self) -> str:
        return _("Choose a number from %(least)d to %(most)d.") % {
            "least": self.least,
            "most": self.most,
        }


@dataclass(frozen=True, slots=True)
class Wished:
    """``least`` 0: sleeps when nobody asks; as many as the form has: fixed. ``per_replica`` 0: by
    its offering."""

    least: int
    per_replica: int = 0
    up_seconds: int = 10
    down_seconds: int = 300
    idle_seconds: int = 900


@transaction.atomic
def set_bounds(*, endpoint: Endpoint, wished: Wished, by: Actor, now: datetime) -> Scaling:
    """How its number of replicas follows what is asked. The most is what was ordered, and changed
    by an order. ``BadBounds``, ``changes.NotNow``, ``quoting.NotForSale``."""
    locked, form = _lock(endpoint, by)
    _check("least", wished.least, 0, form.replicas)
    _check("per_replica", wished.per_replica, 0, MOST_EACH)
    _check("up_seconds", wished.up_seconds, *UP)
    _check("down_seconds", wished.down_seconds, *DOWN)
    _check("idle_seconds", wished.idle_seconds, *IDLE)
    _revise(locked, form, None if wished.least == form.replicas else wished.least, by, now)
    row, _made = Scaling.objects.update_or_create(
        endpoint=locked,
        defaults={
            "organization": locked.organization,
            "per_replica": wished.per_replica,
            "up_seconds": wished.up_seconds,
            "down_seconds": wished.down_seconds,
            "idle_seconds": wished.idle_seconds,
            "used_at": now,
            "below_since": None,
        },
    )
    changes_of = {"least": wished.least, "most": form.replicas}
    audit.record("endpoint.scale", by=by, now=now, subject=locked.public_id, changes=changes_of)
    wake("portal.routing.tasks.sweep_sizes")
    return row


@transaction.atomic
def fix(*, endpoint: Endpoint, replicas: int, hours: int, by: Actor, now: datetime) -> Scaling:
    """So many for some hours, whatever is asked. ``BadBounds``, ``changes.NotNow``."""
    locked, form = _lock(endpoint, by)
    _check("replicas", replicas, 1, form.replicas)
    _check("hours", hours, 1, MOST_HOURS)
    row, _made = Scaling.objects.get_or_create(
        endpoint=locked, defaults={"organization": locked.organization, "used_at": now}
    )
    row.fixed, row.fixed_until = replicas, now + timedelta(hours=hours)
    row.save(update_fields=["fixed", "fixed_until"])
    changes_of = {"replicas": replicas, "hours": hours}
    audit.record("endpoint.fix", by=by, now=now, subject=locked.public_id, changes=changes_of)
    wake("portal.routing.tasks.sweep_sizes")
    return row


@transaction.atomic
def release(*, endpoint: Endpoint, by: Actor, now: datetime) -> bool:
    """The number follows what is asked again. Whether one was fixed by hand."""
    by.require("endpoints.change")
    rows = Scaling.objects.filter(endpoint=endpoint, organization=by.organization)
    if not rows.filter(fixed_until__gt=now).update(fixed=None, fixed_until=None, used_at=now):
        return False
    audit.record("endpoint.release", by=by, now=now, subject=endpoint.public_id)
    wake("portal.routing.tasks.sweep_sizes")
    return True


def _lock(endpoint: Endpoint, by: Actor) -> tuple[Endpoint, Revision]:
    by.require("endpoints.change")
    rows = Endpoint.objects.select_related("organization", "project")
    locked = rows.select_for_update(of=["self"]).get(organization=by.organization, pk=endpoint.pk)
    if locked.stopped_at is not None:
        raise changes.Stopped
    if rolling.open_of(locked) is not None:
        raise changes.Rolls
    return locked, requoting.form_of(locked)


def _check(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadBounds(field, least, most)


def _revise(
    endpoint: Endpoint, form: Revision, least: int | None, by: Actor, now: datetime
) -> None:
    """Another least is another form; nothing is ever changed in a revision that is there."""
    if form.least == least:
        return
    Revision.objects.create(
        organization=endpoint.organization,
        endpoint=endpoint,
        number=form.number + 1,
        offering=form.offering,
        replicas=form.replicas,
        least=least,
        regions=form.regions,
        apart=form.apart,
        because=BECAUSE,
        created_at=now,
        created_by=by.label,
    )
    Endpoint.objects.filter(pk=endpoint.pk).update(generation=endpoint.generation + 1)
