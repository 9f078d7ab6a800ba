"""Rows of models that a customer brings: private to one organization, checked before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.actors import Actor


class OwnModelState(models.TextChoices):
    REGISTERED = "registered"  # waits for its check
    CHECKING = "checking"  # a worker has it, until its lease ends
    ADMITTED = "admitted"  # can be ordered
    REFUSED = "refused"  # ``code`` says why
    WITHDRAWN = "withdrawn"  # by who registered it; kept, because invoices may name it


# The database refuses every other move (the trigger ``moved``).
OWN_MODEL_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("registered", "checking"),
        ("checking", "registered"),  # its origin did not answer: tried again later
        ("checking", "admitted"),
        ("checking", "refused"),
        ("refused", "registered"),  # somebody asked for another check
        ("registered", "withdrawn"),
        ("refused", "withdrawn"),
        ("admitted", "withdrawn"),
    }
)


class OwnModelQuerySet(models.QuerySet["OwnModel"]):
    def visible_to(self, actor: Actor) -> OwnModelQuerySet:
        """Of the actor's organization: like names, they belong to all of its projects."""
        return self.filter(organization=actor.organization)

    def kept(self) -> OwnModelQuerySet:
        """Those that count: not withdrawn."""
        return self.exclude(state=OwnModelState.WITHDRAWN)

    def due(self, now: datetime) -> OwnModelQuerySet:
        """Those to be checked now, and those whose worker has gone."""
        waits = Q(state=OwnModelState.REGISTERED, check_at__lte=now)
        return self.filter(waits | Q(state=OwnModelState.CHECKING, lease_until__lt=now))


class OwnModel(models.Model):
    """Weights at a place that the operator allows, tuned from a version of the catalogue.

    What its manifest says (``catalog.manifest``) stands here once it was read; the database keeps
    location, digest and base as they were registered.
    """

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    name = models.CharField(max_length=60)
    base = models.ForeignKey("catalog.Version", models.PROTECT, related_name="+")
    location = models.CharField(max_length=300, help_text="Address of its manifest.")
    digest = models.CharField(max_length=71, help_text="Of the manifest: sha256: and 64 digits.")
    state = models.CharField(max_length=16, default=OwnModelState.REGISTERED)
    code = models.CharField(max_length=32, blank=True, help_text="Why it was refused.")
    details = models.JSONField(default=dict, help_text="What the sentence of the code names.")
    form = models.CharField(max_length=16, blank=True, help_text="Of its files.")
    weights = models.CharField(max_length=71, blank=True, help_text="Digest that sites compare.")
    artifact = models.CharField(max_length=300, blank=True, help_text="What is loaded: a path.")
    bytes = models.BigIntegerField(null=True)
    context_tokens = models.PositiveIntegerField(null=True)
    languages = models.JSONField(default=list)
    registered_at = models.DateTimeField()
    registered_by = models.CharField(max_length=120)
    check_at = models.DateTimeField(help_text="Not checked before.")
    checked_at = models.DateTimeField(null=True, help_text="When the last check ended.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Of the check that goes on.")
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    objects = OwnModelQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-registered_at", "-pk"]
        indexes: ClassVar = [
            models.Index(
                fields=["check_at"],
                condition=Q(state__in=["registered", "checking"]),
                name="own_model_due",
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="own_model_org_id"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=~Q(state="withdrawn"),
                name="own_model_name_once",
            ),
            models.UniqueConstraint(
                fields=["organization", "digest"],
                condition=~Q(state="withdrawn"),
                name="own_model_digest_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=OwnModelState.values), name="own_model_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="admitted") | (~Q(weights="") & ~Q(artifact="")),
                name="own_model_admitted_whole",
            ),
            models.CheckConstraint(
                condition=Q(state="refused") ^ Q(code=""), name="own_model_code_of_refused"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def title(self) -> str:
        """As choices and lists show it, beside the catalogue's."""
        return self.name


class OwnModelMove(models.Model):
    """Why an own model changed its state. ``because`` is a code of ``catalog.own_words``."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    own_model = models.ForeignKey(OwnModel, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


__all__ = [
    "OWN_MODEL_ARROWS",
    "OwnModel",
    "OwnModelMove",
    "OwnModelQuerySet",
    "OwnModelState",
]
