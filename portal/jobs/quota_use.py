"""How much of each quota an organization uses now. It stands here because it looks at everything
that has a quota."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, Sum

from portal.catalog.models import OwnModel
from portal.deployments.claims import most_at
from portal.deployments.models import Endpoint, Placement, ReservedCard
from portal.jobs.models import Job, JobFile
from portal.lib.periods import Period
from tenants import quotas
from tenants.models import ApiKey, Organization, Project

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Use:
    """``used`` is ``None`` where it is counted for each thing by itself."""

    row: quotas.Row
    used: int | None

    @property
    def percent(self) -> int:
        """Of what may be used; 100 at most."""
        return min(100, 100 * (self.used or 0) // max(1, self.row.most))


@dataclass(frozen=True, slots=True)
class Uses:
    """``rows``: every quota, in the order of the table. ``chips``: cards on which something of the
    organization runs or is to run, by kind of chip."""

    rows: list[Use]
    chips: list[tuple[str, int]]


def of(organization: Organization, *, now: datetime) -> Uses:
    chips = _by_chip(organization)
    used = _keys(organization, now) | _jobs(organization)
    own = Endpoint.objects.filter(organization=organization, stopped_at=None, paused_at=None)
    used["endpoints"] = own.count()
    used["cards"] = max((cards for _chip, cards in chips), default=0)
    used["projects"] = Project.objects.filter(organization=organization, archived_at=None).count()
    used["own_models"] = OwnModel.objects.filter(organization=organization).kept().count()
    used["reserved_cards"] = _reserved(organization, now)
    return Uses([Use(row, used.get(row.name)) for row in quotas.table(organization)], chips)


def _by_chip(organization: Organization) -> list[tuple[str, int]]:
    rows = Placement.objects.living().filter(organization=organization, wanted=True, cards__gt=0)
    sums = rows.order_by().values_list("offering__chip__code").annotate(cards=Sum("cards"))
    return sorted(sums)


def _keys(organization: Organization, now: datetime) -> dict[str, int]:
    live = ApiKey.objects.filter(organization=organization).exclude(
        Q(revoked_at__lte=now) | Q(expires_at__lte=now)
    )
    found = live.aggregate(
        test_keys=Count("pk", filter=Q(mode="test")), live_keys=Count("pk", filter=~Q(mode="test"))
    )
    return dict(found)


def _jobs(organization: Organization) -> dict[str, int]:
    kept = JobFile.objects.filter(organization=organization).there()
    size = kept.aggregate(all=Sum("bytes"))["all"] or 0
    return {
        "open_jobs": Job.objects.filter(organization=organization).open().count(),
        "job_megabytes": -(-size // MEGABYTE),
    }


def _reserved(organization: Organization, now: datetime) -> int:
    """The most that is reserved at one moment from now on."""
    rows = ReservedCard.objects.filter(organization=organization, ends_at__gt=now)
    slots = [one.slot for one in rows]
    last = max((one.period.end for one in slots), default=now)
    return most_at(slots, Period(now, last)) if slots else 0
