"""The members of an organization as they are now, for the question who may decide."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from billing.approvals.checking import Staff
from billing.approvals.seats import Person
from portal.lib.periods import seoul_date
from tenants.models import Deputyship, Membership, Organization
from tenants.roles import Role

VERB = "approvals.decide"


def signing_roles(organization: Organization) -> frozenset[str]:
    """Roles that may decide approvals here; none in an organization that is closed."""
    return frozenset(one.value for one in Role if VERB in organization.verbs_of(one))


@dataclass(frozen=True, slots=True)
class Colleague:
    """What of a member matters here. ``pk`` is that of the membership."""

    pk: int
    user: str
    member: str
    role: str
    all_projects: bool
    projects: Sequence[str]


Leaves = Sequence[tuple[int, int]]  # who is away, and their deputy: keys of memberships


def people_of(
    project: str, colleagues: Sequence[Colleague], leaves: Leaves, roles: Collection[str]
) -> list[Person]:
    """Those who see the project (empty: the organization, for whom sees all of it). A deputy
    stands in only where they see no more projects than who is away, as everywhere."""
    known = {one.pk: one for one in colleagues}
    lent: dict[int, list[str]] = {}
    for absent, deputy in leaves:
        both = absent in known and deputy in known
        if both and _within(known[deputy], known[absent]):
            lent.setdefault(deputy, []).append(known[absent].member)
    return [
        Person(
            user=one.user,
            member=one.member,
            role=one.role,
            signs=one.role in roles,
            for_members=tuple(lent.get(one.pk, ())),
        )
        for one in colleagues
        if one.all_projects or project in one.projects
    ]


def leaves_now(organization: Organization, *, now: datetime) -> QuerySet[Deputyship]:
    """Of this day in Korea."""
    day = seoul_date(now)
    return Deputyship.objects.filter(
        organization=organization, revoked_at=None, starts_date__lte=day, ends_date__gt=day
    )


class Members:
    """One look at members and deputies; asked again for each decision, never kept."""

    def __init__(self, organization: Organization, *, now: datetime) -> None:
        self.organization = organization
        leaves = leaves_now(organization, now=now).filter(deputy=OuterRef("pk"))
        active = Membership.objects.filter(organization=organization, user__is_active=True)
        rows = active.select_related("user").annotate(
            stands_in_for=ArraySubquery(leaves.order_by("pk").values("absent"))
        )
        self.rows: Sequence[Membership] = list(rows.order_by("pk"))
        self._by_user = {one.user.public_id: one for one in self.rows}
        self._leaves = [
            (absent, one.pk)
            for one in self.rows
            for absent in one.stands_in_for  # type: ignore[attr-defined]
        ]

    def people(self, project: str) -> list[Person]:
        """As ``people_of``."""
        found = [
            Colleague(
                one.pk, one.user.public_id, one.public_id, one.role, one.all_projects, one.projects
            )
            for one in self.rows
        ]
        return people_of(project, found, self._leaves, signing_roles(self.organization))

    def of_user(self, public_id: str) -> Membership | None:
        return self._by_user.get(public_id)

    def names(self) -> dict[str, str]:
        """Membership → how the member is called."""
        return {one.public_id: one.user.label for one in self.rows}

    def staff(self) -> Staff:
        """For the check of a matrix."""
        roles = signing_roles(self.organization)
        members = {one.public_id: one.role for one in self.rows if one.role in roles}
        return Staff(members=members, roles=roles)


def _within(deputy: Colleague, absent: Colleague) -> bool:
    if absent.all_projects:
        return True
    return not deputy.all_projects and set(deputy.projects) <= set(absent.projects)
