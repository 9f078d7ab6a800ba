"""Telling people. One call from an action; who gets it by which way is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from portal.lib import ids
from tenants.models import Membership, Notice, Organization, User
from tenants.notice_kinds import KINDS
from tenants.roles import verbs_of


def holders(organization: Organization, verb: str) -> list[User]:
    """The members whose role has a verb: those whom something concerns."""
    return [
        one.user
        for one in Membership.objects.filter(organization=organization).select_related("user")
        if verb in verbs_of(one.role, operator=organization.is_operator)
    ]


def tell(
    kind: str,
    *,
    organization: Organization,
    to: Iterable[User],
    now: datetime,
    place: str = "",
    **words: str,
) -> None:
    """Tell each person once. ``place`` is the path of the page where they can act on it.

    Written in the transaction of the deed: what is rolled back was never told.
    """
    if kind not in KINDS:
        raise KeyError(kind)
    people = {person.pk: person for person in to}
    Notice.objects.bulk_create(
        Notice(
            public_id=ids.mint("ntc"),
            organization=organization,
            user=person,
            kind=kind,
            words=words,
            place=place,
            at=now,
        )
        for person in people.values()
    )
