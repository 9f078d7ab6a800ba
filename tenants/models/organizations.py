"""The tenant, and the people in it with their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.defaults import random_id
from tenants.models.people import User
from tenants.models.registration_states import Registration
from tenants.roles import WHOLE, Role, verbs_of

if TYPE_CHECKING:
    from tenants.actors import Actor


class OrganizationKind(models.TextChoices):
    SME = "sme", _("Small or medium firm")
    HOSPITAL = "hospital", _("Hospital or clinic")
    PUBLIC = "public", _("Public institution")
    OPERATOR = "operator", _("Operator")


class Organization(models.Model):
    """The tenant."""

    public_id = models.CharField(max_length=24, unique=True)
    code = models.CharField(max_length=8, unique=True, help_text="Names it inside its API keys.")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16)
    # NULL, not "", for the operator: a unique column has room for one empty text only.
    business_number = models.CharField(max_length=10, null=True, unique=True)  # noqa: DJ001
    address = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    medical_number = models.CharField(
        max_length=8, blank=True, default="", help_text="요양기관기호."
    )
    corporate_number = models.CharField(
        max_length=13, blank=True, default="", help_text="법인등록번호."
    )
    # What the registry of businesses says. ``tenants.registrations`` moves it; nobody sets it.
    registration = models.CharField(max_length=20, default=Registration.ACTIVE)
    registration_since = models.DateTimeField(null=True)
    registry_seen_at = models.DateTimeField(null=True, help_text="When the registry last answered.")
    registry_tax_type = models.CharField(
        max_length=80, blank=True, default="", help_text="In the registry's own words."
    )
    registry_due_at = models.DateTimeField(
        null=True, help_text="When to ask again; a sweep that asks puts it off as its lease."
    )
    registry_failures = models.PositiveSmallIntegerField(default=0)
    vouched_at = models.DateTimeField(
        null=True, help_text="When the operator has read the evidence and believed it."
    )
    region = models.CharField(
        max_length=24, blank=True, default="", help_text="Where it is; sites there come first."
    )
    closes_at = models.DateTimeField(null=True, help_text="The owner wants it closed then.")
    closed_at = models.DateTimeField(null=True, help_text="Nothing runs any more; members read.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=OrganizationKind.values), name="organization_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(registration__in=Registration.values),
                name="organization_registration",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["registry_due_at"],
                condition=models.Q(registry_due_at__isnull=False),
                name="organization_registry_due",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind_label(self) -> str:
        return str(OrganizationKind(self.kind).label)

    @property
    def registration_label(self) -> str:
        return str(Registration(self.registration).label)

    @property
    def is_operator(self) -> bool:
        return self.kind == OrganizationKind.OPERATOR

    def verbs_of(self, role: str) -> frozenset[str]:
        """What a role may do here, as things stand."""
        return verbs_of(role, operator=self.is_operator, closed=self.closed_at is not None)


class TenantQuerySet[M: models.Model](models.QuerySet[M]):
    # The field that names a row's project by its public id, where rows have one.
    project_path: ClassVar[str] = ""

    def visible_to(self, actor: Actor) -> Self:
        """Rows of the actor's organization, and of the actor's projects where it is limited to
        some. The database says the former by itself."""
        rows = self.filter(organization=actor.organization)
        if actor.projects is not None and self.project_path:
            rows = rows.filter(**{f"{self.project_path}__in": actor.projects})
        return rows


class OfProject[M: models.Model](TenantQuerySet[M]):
    """Rows that keep their project's public id as text."""

    project_path = "project"


class Membership(models.Model):
    """A user in an organization, with one role, in all of its projects or in some."""

    public_id = models.CharField(max_length=24, unique=True, db_default=random_id("mem_"))
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=16)
    all_projects = models.BooleanField(default=True)
    projects = ArrayField(
        models.CharField(max_length=24),
        default=list,
        help_text="Public ids; an unknown one allows nothing. Empty with all_projects.",
    )
    joined_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
            models.UniqueConstraint(fields=["organization", "id"], name="membership_org_id"),
            models.CheckConstraint(
                condition=models.Q(all_projects=True) | ~models.Q(role__in=WHOLE),
                name="membership_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"

    @property
    def role_label(self) -> str:
        return str(Role(self.role).label)
