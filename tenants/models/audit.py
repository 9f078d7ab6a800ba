"""Who did what; the seals over it; the names of those who did."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.audit_words import words_of
from tenants.models.defaults import random_id
from tenants.models.organizations import Organization, TenantQuerySet


class EventGroup(models.TextChoices):
    """What the law keeps for how long. ``tenants.audit_groups`` says which verb belongs where."""

    ACCESS = "access", _("Access")
    RIGHTS = "rights", _("Rights")
    OTHER = "other", _("Other deeds")


class AuditEvent(models.Model):
    """Who did what to what, when and why. Append-only in the database itself.

    ``transaction`` is PostgreSQL's number of the transaction that wrote the row; a trigger sets it.
    Names stand in ``AuditPerson`` only.
    """

    public_id = models.CharField(max_length=24, unique=True, db_default=random_id("aud_"))
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    transaction = models.BigIntegerField(db_default=0)
    actor_kind = models.CharField(max_length=12)  # user, key, system
    actor = models.CharField(max_length=60, db_default="", help_text="usr_…, key_…, system:…")
    on_behalf = models.CharField(
        max_length=24, db_default="", blank=True, help_text="usr_… of a key's maker, or org_…"
    )
    verb = models.CharField(max_length=60)
    group = models.CharField(max_length=8, db_default=EventGroup.OTHER)
    subject = models.CharField(max_length=120)
    changes = models.JSONField(default=dict)
    because = models.CharField(max_length=300, blank=True)
    address = models.CharField(max_length=45, db_default="", blank=True)
    request_id = models.CharField(max_length=40, db_default="", blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-at"], name="audit_org_time"),
            models.Index(fields=["organization", "transaction", "id"], name="audit_org_sealing"),
            models.Index(fields=["organization", "actor", "-at", "-id"], name="audit_org_actor"),
            models.Index(
                fields=["organization", "subject", "-at", "-id"], name="audit_org_subject"
            ),
            models.Index(fields=["organization", "group", "-at", "-id"], name="audit_org_group"),
            models.Index(
                fields=["on_behalf", "-at", "-id"],
                condition=models.Q(on_behalf__startswith="org_"),
                name="audit_by_operator",
            ),
            models.Index(
                fields=["organization", "-at", "-id"],
                condition=models.Q(verb__startswith="operator."),
                name="audit_operators_deeds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"

    @property
    def verb_label(self) -> str:
        return words_of(self.verb)

    @property
    def group_label(self) -> str:
        return str(EventGroup(self.group).label)


class AuditPerson(models.Model):
    """The name behind an opaque id, as one organization knew it. The log is whole without it."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    ref = models.CharField(max_length=24)
    label = models.CharField(max_length=120, blank=True)
    email = models.CharField(max_length=254, blank=True)
    formerly = ArrayField(
        models.CharField(max_length=254),
        default=list,
        help_text="Earlier names and addresses: what was copied beside things bears them.",
    )
    erased_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "ref"], name="audit_person_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["ref"], name="audit_person_ref")]

    def __str__(self) -> str:
        return self.ref


class AuditSeal(models.Model):
    """A link of an organization's chain: up to 1,000 events, the hash of all before, a signature.

    ``leaves`` has 49 bytes for each event, in order (``tenants.chain``). Append-only.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    number = models.BigIntegerField(help_text="1, 2, 3 … without a gap.")
    first = models.BigIntegerField(help_text="Place of the first event: 1, 2, 3 … without a gap.")
    count = models.IntegerField()
    last_transaction = models.BigIntegerField()
    last_event = models.BigIntegerField()
    at = models.DateTimeField()
    leaves = models.BinaryField()
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    signed_by = models.CharField(max_length=16)
    signature = models.CharField(max_length=128)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "number"], name="audit_seal_number"),
        ]

    def __str__(self) -> str:
        return str(self.number)


class AuditPruning(models.Model):
    """A signed record of what was removed because its time was over. Append-only.

    All events of ``group`` from before ``before``, in seals up to ``through``.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    number = models.BigIntegerField(help_text="1, 2, 3 … without a gap.")
    group = models.CharField(max_length=8)
    before = models.DateTimeField()
    through = models.BigIntegerField(help_text="Number of the last seal that it reached into.")
    through_hash = models.CharField(max_length=64)
    count = models.BigIntegerField()
    at = models.DateTimeField()
    signed_by = models.CharField(max_length=16)
    signature = models.CharField(max_length=128)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "number"], name="audit_pruning_number"),
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.number}"


class AuditChain(models.Model):
    """Where an organization's chain ends, and when it was last found whole. Not itself proof."""

    organization = models.OneToOneField(Organization, models.PROTECT, related_name="+")
    number = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0, help_text="Events sealed so far.")
    last_transaction = models.BigIntegerField(default=0)
    last_event = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)
    sealed_at = models.DateTimeField(null=True)
    prunings = models.BigIntegerField(default=0)
    seals_outside = models.BigIntegerField(default=0)
    prunings_outside = models.BigIntegerField(default=0)
    verified_at = models.DateTimeField(null=True)
    verified_number = models.BigIntegerField(default=0)
    faults = models.IntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.number)


class AuditRetention(models.Model):
    """For how many months an organization keeps events; never below the law's minimum."""

    organization = models.OneToOneField(Organization, models.PROTECT, related_name="+")
    access_months = models.PositiveSmallIntegerField(default=24)
    rights_months = models.PositiveSmallIntegerField(default=36)
    other_months = models.PositiveSmallIntegerField(default=36)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(
                    access_months__range=(24, 120),
                    rights_months__range=(36, 120),
                    other_months__range=(12, 120),
                ),
                name="audit_retention_lawful",
            )
        ]

    def __str__(self) -> str:
        return f"{self.access_months}/{self.rights_months}/{self.other_months}"
