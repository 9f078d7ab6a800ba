"""How much may be spent, who changed it, and what orders have set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models

from portal.lib.money import MAX_BUDGET_WON
from tenants.models import ApiKey, OfProject, TenantQuerySet

if TYPE_CHECKING:
    from tenants.actors import Actor


class BudgetScope(models.TextChoices):
    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"


class BudgetQuerySet(TenantQuerySet["Budget"]):
    def visible_to(self, actor: Actor) -> Self:
        """The organization's budgets; those of their projects and keys for limited members."""
        rows = super().visible_to(actor)
        if actor.projects is None:
            return rows
        keys = ApiKey.objects.visible_to(actor).values("public_id")
        return rows.filter(
            models.Q(scope=BudgetScope.PROJECT, subject__in=actor.projects)
            | models.Q(scope=BudgetScope.KEY, subject__in=keys)
        )


class Budget(models.Model):
    """How much may be spent in a month in Korea. Hard: requests stop there."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    scope = models.CharField(max_length=16)
    subject = models.CharField(max_length=24, help_text="Public id of what it is for.")
    limit_won = models.BigIntegerField()
    hard = models.BooleanField(default=True)
    number = models.PositiveBigIntegerField(default=1, help_text="Grows with each change.")
    created_at = models.DateTimeField()

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["scope", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="budget_org_id"),
            models.UniqueConstraint(fields=["subject"], name="budget_once_per_subject"),
            models.CheckConstraint(
                condition=models.Q(scope__in=BudgetScope.values), name="budget_scope"
            ),
            models.CheckConstraint(
                condition=models.Q(limit_won__gte=0, limit_won__lte=MAX_BUDGET_WON),
                name="budget_limit_fits",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class BudgetChange(models.Model):
    """Who changed a limit, when and why."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="changes")
    from_won = models.BigIntegerField()
    to_won = models.BigIntegerField()
    because = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=120)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.from_won} → {self.to_won}"


class BudgetAlert(models.Model):
    """That people were told how far a budget is used; the row that makes it once a month."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="alerts")
    month = models.CharField(max_length=7)
    percent = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "month", "percent"], name="budget_alert_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.percent}"


class Commitment(models.Model):
    """What an order has set aside in one month. Lowered to what was used once it has ended."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.CharField(max_length=24)
    reference = models.CharField(max_length=24, help_text="Public id of the order.")
    endpoint = models.CharField(max_length=24)
    month = models.CharField(max_length=7)
    amount_micro = models.BigIntegerField()
    final = models.BooleanField(default=False, help_text="Nothing more will be used.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfProject.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reference", "month"], name="commitment_once"),
            models.CheckConstraint(
                condition=models.Q(amount_micro__gte=0), name="commitment_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.month}"
