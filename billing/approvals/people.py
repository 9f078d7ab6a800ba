"""The members of an organization as they are now, for the question who may decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.approvals.checking import Staff
from billing.approvals.seats import Person
from portal.lib.periods import seoul_date
from tenants.models import Deputyship, Membership, Organization
from tenants.roles import Role

VERB = "approvals.decide"


def signing_roles(organization: Organization) -> frozenset[str]:
    """Roles that may decide approvals here; none in an organization that is closed."""
    return frozenset(one.value for one in Role if VERB in organization.verbs_of(one))


class Members:
    """One look at members and deputies; asked again for each decision, never kept."""

    def __init__(self, organization: Organization, *, now: datetime) -> None:
        self.organization = organization
        rows = Membership.objects.filter(organization=organization, user__is_active=True)
        self.rows: Sequence[Membership] = list(rows.select_related("user").order_by("pk"))
        self._by_key = {one.pk: one for one in self.rows}
        self._by_user = {one.user.public_id: one for one in self.rows}
        day = seoul_date(now)
        leaves = Deputyship.objects.filter(
            organization=organization,
            revoked_at=None,
            starts_date__lte=day,
            ends_date__gt=day,
        )
        self._leaves = [
            (one.absent_id, one.deputy_id)
            for one in leaves
            if one.absent_id in self._by_key and one.deputy_id in self._by_key
        ]

    def people(self, project: str) -> list[Person]:
        """Those who see the project (empty: the organization, for whom sees all of it). A deputy
        stands in only where they see no more projects than who is away, as everywhere."""
        roles = signing_roles(self.organization)
        lent: dict[int, list[str]] = {}
        for absent, deputy in self._leaves:
            if _within(self._by_key[deputy], self._by_key[absent]):
                lent.setdefault(deputy, []).append(self._by_key[absent].public_id)
        return [
            Person(
                user=one.user.public_id,
                member=one.public_id,
                role=one.role,
                signs=one.role in roles,
                for_members=tuple(lent.get(one.pk, ())),
            )
            for one in self.rows
            if one.all_projects or project in one.projects
        ]

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


def _within(deputy: Membership, absent: Membership) -> bool:
    if absent.all_projects:
        return True
    return not deputy.all_projects and set(deputy.projects) <= set(absent.projects)
