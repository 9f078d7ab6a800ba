"""Becoming a customer."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.lib import ids
from portal.lib.wake import wake
from tenants import actors, audit, rls, terms
from tenants.actors import Actor
from tenants.founding import KINDS, Choice, Founding
from tenants.models import (
    Consent,
    DataClass,
    Membership,
    Organization,
    OrganizationKind,
    Project,
    Registration,
    RegistrationMove,
    Signup,
    Terms,
    User,
)
from tenants.models.registration_states import UNCONFIRMED
from tenants.roles import Role


class NumberTaken(Exception):
    """Another organization has signed up with this business number."""

    def __str__(self) -> str:
        return _(
            "This business number is signed up already. Ask its owner for an invitation, or "
            "write to us if it is not yours."
        )


class TooManyUnconfirmed(Exception):
    """The person has founded organizations that nobody has confirmed."""

    def __str__(self) -> str:
        return _(
            "Three of your organizations wait to be confirmed. Hand in their documents first, then "
            "set up another."
        )


MOST_UNCONFIRMED = 3  # of one owner: each may use the free models


def refuse_too_many(owner: User) -> None:
    """``TooManyUnconfirmed``. The owner's row is locked: of two tabs, one waits for the other."""
    User.objects.select_for_update().get(pk=owner.pk)
    with rls.everyone(because="how many organizations of one owner wait to be confirmed"):
        waiting = Membership.objects.filter(
            user=owner, role=Role.OWNER, organization__registration__in=UNCONFIRMED
        )
        if waiting.count() >= MOST_UNCONFIRMED:
            raise TooManyUnconfirmed


def refuse_taken(number: str) -> None:
    """``NumberTaken``. Two founders at once: the database lets in the first."""
    with rls.everyone(because="a business number may be signed up only once"):
        if Organization.objects.filter(business_number=number).exists():
            raise NumberTaken


@transaction.atomic
def create(*, owner: User, founding: Founding, now: datetime) -> tuple[Organization, Actor]:
    """An organization with its owner and a first project, waiting for the registry's word.

    What ``Founding.checked`` and ``terms.require_all`` refuse, ``NumberTaken``,
    ``TooManyUnconfirmed``.
    """
    wish = founding.checked()
    agreed = terms.require_all(wish.terms, now=now)
    refuse_too_many(owner)
    refuse_taken(wish.business_number)
    organization = Organization(
        name=wish.name,
        kind=KINDS[Choice(wish.kind)],
        business_number=wish.business_number,
        medical_number=wish.medical_number,
        corporate_number=wish.corporate_number,
        registration=Registration.PENDING,
        registration_since=now,
        registry_due_at=now,
    )
    with rls.everyone(because="an organization begins before anybody belongs to it"):
        actor = _begin(organization, owner=owner, data_class=wish.data_class, now=now)
        _keep_consents(organization, owner, agreed, wish, now)
        RegistrationMove.objects.create(
            organization=organization,
            to_state=Registration.PENDING,
            because=gettext_noop("Signed up."),
            at=now,
        )
        Signup.objects.filter(user=owner).delete()
    wake("tenants.tasks.ask_registry")
    return organization, actor


def keep(organization: Organization) -> None:
    """Save the row. ``NumberTaken`` where another one with its number was saved first."""
    try:
        with transaction.atomic():
            organization.save()
    except IntegrityError as error:
        if "business_number" in str(error):
            raise NumberTaken from error
        raise


def _keep_consents(
    organization: Organization, owner: User, agreed: list[Terms], wish: Founding, now: datetime
) -> None:
    Consent.objects.bulk_create(
        Consent(
            organization=organization,
            user=owner,
            terms=one,
            at=wish.agreed_at or now,
            language=wish.language[:8],
        )
        for one in agreed
    )


def _begin(organization: Organization, *, owner: User, data_class: str, now: datetime) -> Actor:
    """Keep the row, with its owner and first project."""
    organization.public_id = ids.mint("org")
    organization.code = ids.mint_org_code()
    organization.created_at = now
    keep(organization)
    membership = Membership.objects.create(
        organization=organization, user=owner, role=Role.OWNER, joined_at=now
    )
    actor = actors.of_membership(membership)
    Project.objects.create(
        public_id=ids.mint("prj"),
        organization=organization,
        name=_("First project"),
        data_class=data_class,
        created_at=now,
    )
    audit.record(
        "organization.create",
        by=actor,
        now=now,
        subject=organization.public_id,
        changes={
            "name": organization.name,
            "kind": organization.kind,
            "business_number": organization.business_number,
            "data_class": data_class,
        },
    )
    return actor


@transaction.atomic
def ensure_operator(*, owner: User, name: str, now: datetime) -> Organization:
    """The operator's own organization, made once by `manage.py bootstrap`. Nobody checks it."""
    with rls.everyone(because="there is one operator"):
        found = Organization.objects.filter(kind=OrganizationKind.OPERATOR).first()
        if found is not None:
            return found
        organization = Organization(name=name, kind=OrganizationKind.OPERATOR)
        _begin(organization, owner=owner, data_class=DataClass.OPEN, now=now)
    return organization


def locked(by: Actor) -> Organization:
    """The actor's organization as it is now, locked until the transaction ends."""
    return Organization.objects.select_for_update().get(pk=by.organization.pk)


@transaction.atomic
def prefer(*, region: str, by: Actor, now: datetime) -> Organization:
    """Where the organization is: of the sites that a request may go to, those there come first.
    Empty: no preference. The door knows the regions; an unknown one prefers nothing."""
    by.require("organization.change")
    organization = locked(by)
    before, organization.region = organization.region, region
    if before != region:
        organization.save(update_fields=["region"])
        changes = {"region": {"from": before, "to": region}}
        subject = organization.public_id
        audit.record("organization.change", by=by, now=now, subject=subject, changes=changes)
    return organization
