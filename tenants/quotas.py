"""How many of each thing one organization may have: one table with defaults.

The operator changes them for one organization (``tenants.actions.quotas``); the actions that make
the things ask ``most`` each time, so that a changed quota holds from the next request on.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.models import Organization, Quota


@dataclass(frozen=True, slots=True)
class Limit:
    """``usual`` where nothing else is set; the operator may set up to ``highest``."""

    label: Promise | str
    usual: int
    highest: int


QUOTAS: dict[str, Limit] = {
    "live_keys": Limit(_("Live API keys"), 200, 10_000),
    "test_keys": Limit(_("Live test keys"), 5, 100),  # free, so what they use is bounded here
    "projects": Limit(_("Projects in use"), 100, 10_000),
    "aliases": Limit(_("A project's own names for models"), 50, 500),
    "endpoints": Limit(_("Endpoints of its own that run"), 50, 1_000),
    "replicas": Limit(_("Replicas of one endpoint"), 8, 64),
    "cards": Limit(_("Cards of one kind that run"), 64, 4_096),
    "reserved_cards": Limit(_("Cards reserved at one time"), 16, 4_096),
    "own_models": Limit(_("Own models"), 20, 1_000),
    "open_jobs": Limit(_("Jobs that have not ended"), 20, 1_000),
    "job_megabytes": Limit(_("Megabytes of files of jobs"), 5_000, 1_000_000),
    "open_invitations": Limit(_("Open invitations"), 50, 10_000),
    "open_requests": Limit(_("Open support requests"), 100, 10_000),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an organization's table. ``own`` is set where it differs from the usual."""

    name: str
    label: str
    most: int
    usual: int
    highest: int
    own: Quota | None


def most(organization: Organization, name: str) -> int:
    """How many ``organization`` may have now. ``KeyError`` for a name that is not in the table."""
    usual = QUOTAS[name].usual
    own = Quota.objects.filter(organization=organization, name=name).first()
    return usual if own is None else own.most


def several(organization: Organization, *names: str) -> dict[str, int]:
    """``most`` of several, in one question."""
    own = Quota.objects.filter(organization=organization, name__in=names)
    return {name: QUOTAS[name].usual for name in names} | dict(own.values_list("name", "most"))


def table(organization: Organization) -> list[Row]:
    """All quotas of an organization, in the order of the table."""
    own = {one.name: one for one in Quota.objects.filter(organization=organization)}
    return [
        Row(
            name=name,
            label=str(limit.label),
            most=own[name].most if name in own else limit.usual,
            usual=limit.usual,
            highest=limit.highest,
            own=own.get(name),
        )
        for name, limit in QUOTAS.items()
    ]
