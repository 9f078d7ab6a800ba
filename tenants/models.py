"""Users stand outside the wall; everything else belongs to one organization."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from tenants.roles import Role

if TYPE_CHECKING:
    from tenants.actors import Actor


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user whose address is kept in lower case: one rule for ``A@x`` and ``a@x``."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """For Django's own admin site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in with an e-mail address; may belong to several organizations."""

    email = models.EmailField(_("E-mail address"), max_length=254, unique=True)
    name = models.CharField(_("Name"), max_length=60, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(db_default=Now())

    objects = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="user_email_any_case"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def label(self) -> str:
        """How the person is named to others."""
        return self.name or self.email


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

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=OrganizationKind.values), name="organization_kind"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind_label(self) -> str:
        return str(OrganizationKind(self.kind).label)

    @property
    def is_operator(self) -> bool:
        return self.kind == OrganizationKind.OPERATOR


class TenantQuerySet[M: models.Model](models.QuerySet[M]):
    def visible_to(self, actor: Actor) -> TenantQuerySet[M]:
        """Rows of the actor's organization. The database says the same by itself."""
        return self.filter(organization=actor.organization)


class Membership(models.Model):
    """A user in an organization, with one role."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=16)
    joined_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"

    @property
    def role_label(self) -> str:
        return str(Role(self.role).label)


class DataClass(models.TextChoices):
    OPEN = "open", _("Open")
    SENSITIVE = "sensitive", _("Sensitive")
    CONFIDENTIAL = "confidential", _("Confidential")
    MEDICAL = "medical", _("Medical")


class Project(models.Model):
    """Part of an organization with its own keys, endpoints, budget and data class."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="projects")
    name = models.CharField(max_length=60)
    cost_centre = models.CharField(max_length=40, blank=True)
    data_class = models.CharField(max_length=16, default=DataClass.OPEN)
    regions = ArrayField(
        models.CharField(max_length=24), default=list, help_text="Empty: any region."
    )
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="project_org_id"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(archived_at=None),
                name="project_name_once",
            ),
            models.CheckConstraint(
                condition=models.Q(data_class__in=DataClass.values), name="project_data_class"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def data_class_label(self) -> str:
        return str(DataClass(self.data_class).label)


class KeyMode(models.TextChoices):
    LIVE = "live", _("Live use")
    TEST = "test", _("Test")


class ApiKey(models.Model):
    """A secret that acts for one project. Only its SHA-256 is kept."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="keys")
    project = models.ForeignKey(Project, models.PROTECT, related_name="keys")
    name = models.CharField(max_length=60)
    mode = models.CharField(max_length=8, default=KeyMode.LIVE)
    public_part = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64, unique=True)
    # Names that higher apps know. Empty allows all; an unknown name allows nothing.
    allowed_models = ArrayField(models.CharField(max_length=64), default=list)
    allowed_sites = ArrayField(models.CharField(max_length=32), default=list)
    scopes = ArrayField(models.CharField(max_length=16), default=list)
    allowed_addresses = ArrayField(
        models.CharField(max_length=49), default=list, help_text="CIDR. Empty: from anywhere."
    )
    rpm_limit = models.PositiveIntegerField(default=60)
    concurrency_limit = models.PositiveIntegerField(default=16)
    created_by = models.CharField(max_length=120)
    made_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", help_text="Answers for the key."
    )
    replaces = models.CharField(max_length=24, blank=True, help_text="The key it was rotated from.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="api_key_org_id"),
            models.CheckConstraint(
                condition=models.Q(mode__in=KeyMode.values), name="api_key_mode"
            ),
        ]

    def __str__(self) -> str:
        return self.public_part

    @property
    def mode_label(self) -> str:
        return str(KeyMode(self.mode).label)

    def state_at(self, now: datetime) -> str:
        """``live``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "live"


class AuditEvent(models.Model):
    """Who did what to what, when and why. Append-only in the database itself."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=12)  # user, key, system
    actor_label = models.CharField(max_length=120)
    actor_ref = models.CharField(max_length=40, blank=True)
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    changes = models.JSONField(default=dict)
    because = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [models.Index(fields=["organization", "-at"], name="audit_org_time")]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"
