"""How much may be spent, who changed it, and what orders have set aside."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.admission import chain
from portal.lib.money import MAX_BUDGET_WON
from portal.lib.periods import Month, Period, Year, day_period
from tenants.models import ApiKey, OfProject, TenantQuerySet, User

if TYPE_CHECKING:
    from tenants.actors import Actor


class BudgetScope(models.TextChoices):
    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"
    LINE = "line"  # of a fiscal budget: counts the projects that it covers


class BudgetPeriod(models.TextChoices):
    """How a budget counts. Years are fiscal years: the calendar year in Korea."""

    MONTH = "month", _("monthly")
    YEAR = "year", _("fiscal year")
    RUNNING = "running", _("running, without a new beginning")


USUAL_THRESHOLDS = (80, 100)


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

    def current(self) -> Self:
        """Those that count, or will: not the ended ones."""
        return self.filter(closed_at=None)


class Budget(models.Model):
    """How much may be spent in a period in Korea. Hard: requests stop there.

    A subject has at most one of each kind of period at a time. ``year``: of this fiscal year only;
    without it a yearly budget holds for every year that has none of its own. A running budget
    begins and ends on days (``ends_on`` is the first day without it, or empty): after its end
    nothing may be spent by it until it is ended for good or prolonged.
    """

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    scope = models.CharField(max_length=16)
    subject = models.CharField(max_length=24, help_text="Public id of what it is for.")
    period = models.CharField(max_length=8, default=BudgetPeriod.MONTH, db_default="month")
    year = models.PositiveSmallIntegerField(null=True)
    starts_on = models.DateField(null=True)
    ends_on = models.DateField(null=True)
    covers = ArrayField(
        models.CharField(max_length=24),
        default=list,
        db_default=[],
        help_text="Of a line: public ids of its projects; empty: the whole organization.",
    )
    limit_won = models.BigIntegerField()
    hard = models.BooleanField(default=True)
    thresholds = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        db_default=[],
        help_text="Percent of the limit at which people are told; empty: the usual ones.",
    )
    number = models.PositiveBigIntegerField(default=1, help_text="Grows with each change.")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["scope", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="budget_org_id"),
            models.UniqueConstraint(
                fields=["subject", "period", "year"],
                condition=models.Q(closed_at=None) & ~models.Q(period="running"),
                nulls_distinct=False,
                name="budget_once_per_period",
            ),
            ExclusionConstraint(
                name="budget_running_once_a_day",
                expressions=[
                    ("subject", RangeOperators.EQUAL),
                    (
                        models.Func(
                            "starts_on",
                            "ends_on",
                            function="DATERANGE",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=models.Q(closed_at=None, period="running"),
            ),
            models.CheckConstraint(
                condition=models.Q(scope__in=["organization", "project", "key", "line"]),
                name="budget_scope_known",
            ),
            models.CheckConstraint(
                condition=models.Q(limit_won__gte=0, limit_won__lte=MAX_BUDGET_WON),
                name="budget_limit_fits",
            ),
            models.CheckConstraint(
                condition=models.Q(period="month", year=None, starts_on=None, ends_on=None)
                | models.Q(period="year", starts_on=None, ends_on=None)
                | models.Q(period="running", year=None, starts_on__isnull=False),
                name="budget_period_fits",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_on=None) | models.Q(ends_on__gt=models.F("starts_on")),
                name="budget_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def steps(self) -> tuple[int, ...]:
        """Percent of the limit at which people are told, in order."""
        return tuple(sorted(self.thresholds)) or USUAL_THRESHOLDS

    @property
    def kind(self) -> chain.Kind:
        """Its period, in the words of admission."""
        if self.period == BudgetPeriod.RUNNING:
            return "running"
        return "year" if self.period == BudgetPeriod.YEAR else "month"

    @property
    def name(self) -> str:
        """As chains and counters of admission name it."""
        return chain.name_of(self.kind, self.subject, self.public_id)

    def period_at(self, moment: datetime) -> Period:
        """The period that counts at a moment; of a budget for one year, that year. A running one
        without an end ends with the moment's year, so that something can be drawn."""
        if self.starts_on is not None:
            start = day_period(self.starts_on).start
            end = day_period(self.ends_on).start if self.ends_on else Year.of(moment).period.end
            return Period(start, max(start, end))
        if self.period == BudgetPeriod.YEAR:
            return (Year(self.year) if self.year else Year.of(moment)).period
        return Month.of(moment).period

    def is_over(self, moment: datetime) -> bool:
        """Whether its only period lies behind, so that nothing can be spent by it any more."""
        return self.period_at(moment).end <= moment

    def period_name(self, moment: datetime) -> str:
        """``2026-11``, ``2026`` or ``running``: as its counters are kept."""
        if self.period == BudgetPeriod.YEAR and self.year:
            return str(Year(self.year))
        return chain.period_in(self.kind, str(Month.of(moment)))


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
    """That people were told how far a budget is used; the row that makes it once a period and
    threshold, and once more after each change of the limit that left it below the threshold."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="alerts")
    month = models.CharField(max_length=7, help_text="Its period: 2026-11, 2026 or running.")
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


class RaiseDecision(models.TextChoices):
    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class BudgetRaise(models.Model):
    """A member asks for a higher limit; who signs it stands in its approval. Approved until a
    moment, it is ``extra_won`` on top of the limit and ends by itself; approved without one, it
    becomes the limit."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="raises")
    from_won = models.BigIntegerField(help_text="The limit before, as it was asked or approved.")
    to_won = models.BigIntegerField()
    until_at = models.DateTimeField(null=True)
    because = models.CharField(max_length=300)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decision = models.CharField(max_length=12, default=RaiseDecision.OPEN)
    decided_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "asked_by"],
                condition=models.Q(decision="open"),
                name="budget_raise_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(decision__in=RaiseDecision.values),
                name="budget_raise_decision",
            ),
            models.CheckConstraint(
                condition=models.Q(decision="open", decided_at=None)
                | (~models.Q(decision="open") & models.Q(decided_at__isnull=False)),
                name="budget_raise_decided_at",
            ),
            models.CheckConstraint(
                condition=models.Q(to_won__gt=models.F("from_won"), to_won__lte=MAX_BUDGET_WON),
                name="budget_raise_is_more",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def extra_won(self) -> int:
        return self.to_won - self.from_won


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
