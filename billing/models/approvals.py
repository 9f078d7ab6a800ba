"""Approvals: who signs what, what was asked on which terms, and who signed it for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.models import TenantQuerySet, User

if TYPE_CHECKING:
    from tenants.actors import Actor


class ApprovalMatrix(models.Model):
    """One version of an organization's rules. The newest holds; none is ever edited."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    version = models.PositiveIntegerField()
    rules = models.JSONField(help_text="As billing.approvals.matrix.to_json writes them.")
    because = models.CharField(max_length=300)
    by = models.CharField(max_length=120)
    by_ref = models.CharField(max_length=24, blank=True, help_text="usr_… of who wrote it.")
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "version"], name="approval_matrix_version"
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.version}"


class ApprovalState(models.TextChoices):
    WAITING = "waiting", pgettext_lazy("approval", "Waiting for approval")
    APPROVED = "approved", pgettext_lazy("approval", "Approved, being carried out")
    DONE = "done", pgettext_lazy("approval", "Approved and carried out")
    FAILED = "failed", pgettext_lazy("approval", "Approved, but not carried out")
    CHANGED = "changed", _("Price or terms have changed")
    REFUSED = "refused", pgettext_lazy("approval", "Refused")
    WITHDRAWN = "withdrawn", pgettext_lazy("approval", "Withdrawn")
    EXPIRED = "expired", pgettext_lazy("approval", "Expired")


# The arrows of a request. What is not here cannot happen.
APPROVAL_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("waiting", "approved"),
        ("waiting", "changed"),
        ("waiting", "refused"),
        ("waiting", "withdrawn"),
        ("waiting", "expired"),
        ("approved", "done"),
        ("approved", "failed"),
        ("approved", "changed"),
        ("failed", "done"),
        ("failed", "failed"),
        ("failed", "changed"),
        ("failed", "withdrawn"),
        ("failed", "expired"),
        ("changed", "waiting"),
        ("changed", "withdrawn"),
        ("changed", "expired"),
    }
)
OPEN_STATES = ("waiting", "approved", "failed", "changed")


class ApprovalQuerySet(TenantQuerySet["ApprovalRequest"]):
    def visible_to(self, actor: Actor) -> Self:
        """The organization's requests; for members who see some projects those of these, and
        their own."""
        rows = self.filter(organization=actor.organization)
        if actor.projects is None:
            return rows
        return rows.filter(Q(project__in=actor.projects) | Q(requested_by=actor.user))


class ApprovalRequest(models.Model):
    """Something that waits for signatures. Its terms and steps stand in the rows of its round."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=24)
    subject = models.CharField(max_length=64, help_text="Public id of what it is about.")
    title = models.CharField(max_length=120)
    project = models.CharField(max_length=24, blank=True, help_text="Empty: the organization.")
    data_class = models.CharField(max_length=16)
    amount_won = models.BigIntegerField(help_text="Of the running round.")
    because = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    requested_label = models.CharField(max_length=120)
    requested_at = models.DateTimeField()
    round = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=12, default=ApprovalState.WAITING)
    state_since = models.DateTimeField()
    expires_at = models.DateTimeField()
    reminders = models.PositiveSmallIntegerField(default=0, help_text="Sent in this round.")
    result = models.CharField(max_length=64, blank=True, help_text="Public id of what came of it.")
    fault = models.CharField(max_length=300, blank=True, help_text="Why it was not carried out.")

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-requested_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="approval_org_id"),
            models.UniqueConstraint(
                fields=["organization", "kind", "subject"],
                condition=Q(state__in=OPEN_STATES),
                name="approval_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ApprovalState.values), name="approval_state"
            ),
            models.CheckConstraint(
                condition=Q(amount_won__gte=0, amount_won__lte=10**15), name="approval_amount"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["organization", "expires_at"],
                condition=Q(state__in=OPEN_STATES),
                name="approval_open",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def state_label(self) -> str:
        return str(ApprovalState(self.state).label)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class ApprovalTerms(models.Model):
    """What one round asks for, as it was when it was asked; it never changes."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="terms")
    round = models.PositiveSmallIntegerField()
    terms = models.JSONField()
    amount_won = models.BigIntegerField()
    matrix_version = models.PositiveIntegerField(help_text="0: the one to begin with.")
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["round"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "round"], name="approval_terms_once"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} round {self.round}"


class ApprovalStep(models.Model):
    """One step of a round: who may sign it, and how many have to."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="steps")
    round = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField(help_text="From 1.")
    roles = ArrayField(models.CharField(max_length=16), default=list)
    members = ArrayField(models.CharField(max_length=24), default=list)
    needed = models.PositiveSmallIntegerField(default=1)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["round", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="approval_step_org_id"),
            models.UniqueConstraint(
                fields=["request", "round", "position"], name="approval_step_once"
            ),
            models.CheckConstraint(condition=Q(needed__gte=1), name="approval_step_needed"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.round}.{self.position}"


class ApprovalDecision(models.Model):
    """One person's word on one step. ``for_user`` is who they stood in for, if anybody."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="decisions")
    step = models.ForeignKey(ApprovalStep, models.PROTECT, related_name="decisions")
    agrees = models.BooleanField()
    decided_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    decided_label = models.CharField(max_length=120)
    for_user = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    for_label = models.CharField(max_length=120, blank=True)
    rung = models.CharField(max_length=12, help_text="Why it was theirs to decide.")
    because = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["step", "decided_by"], name="approval_decided_once"),
            models.UniqueConstraint(
                fields=["step", "for_user"],
                condition=Q(for_user__isnull=False),
                name="approval_lent_once",
            ),
            models.CheckConstraint(
                condition=Q(agrees=True) | ~Q(because=""), name="approval_refusal_says_why"
            ),
            models.CheckConstraint(
                condition=Q(for_user=None) | ~Q(for_user=models.F("decided_by")),
                name="approval_for_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step_id} {self.agrees}"


class ApprovalMove(models.Model):
    """Why a request changed its state."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=12)
    to_state = models.CharField(max_length=12)
    because = models.CharField(max_length=300)
    by = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"
