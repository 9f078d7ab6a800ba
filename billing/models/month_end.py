"""The end of a month: one run, a draft for each organization, and what was said about it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.invoices import Invoice
from tenants.models import TenantQuerySet
from tenants.models.defaults import random_id


class CloseState(models.TextChoices):
    RATING = "rating", _("Counting use")
    DRAFTING = "drafting", _("Drafting invoices")
    REVIEW = "review", _("Review by customers")
    FINALISING = "finalising", _("Issuing invoices")
    DONE = "done", _("Done")


class MonthClose(models.Model):
    """The run that closes one month for everybody. ``billing.closing.runs`` moves it."""

    public_id = models.CharField(max_length=24, unique=True)
    month = models.CharField(max_length=7, unique=True)
    state = models.CharField(max_length=12, default=CloseState.RATING)
    state_since = models.DateTimeField()
    opened_at = models.DateTimeField()
    review_until = models.DateTimeField(help_text="Customers look at their drafts until then.")

    class Meta:
        ordering: ClassVar = ["-month"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=CloseState.values), name="month_close_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.state}"

    @property
    def state_label(self) -> str:
        return str(CloseState(self.state).label)


class MonthCloseMove(models.Model):
    """From one state to the next, when, by whose id, and why."""

    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    because = models.CharField(max_length=300)
    actor = models.CharField(max_length=60, help_text="usr_…, or system:…")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"

    @property
    def to_label(self) -> str:
        return str(CloseState(self.to_state).label)


class DraftState(models.TextChoices):
    STALE = "stale", _("Waits to be drafted")
    DRAFTED = "drafted", _("Drafted")
    NOTHING = "nothing", _("Nothing to bill")
    FAILED = "failed", pgettext_lazy("month", "Set aside")
    ISSUED = "issued", _("Issued")


class InvoiceDraft(models.Model):
    """What an organization's invoice of a month would be. It changes until it is issued."""

    public_id = models.CharField(max_length=24, unique=True, db_default=random_id("drf_"))
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    close = models.ForeignKey(MonthClose, models.PROTECT, related_name="drafts")
    state = models.CharField(max_length=8, db_default=DraftState.STALE)
    held = models.BooleanField(db_default=False, help_text="An objection waits for an answer.")
    error = models.CharField(max_length=300, blank=True, db_default="")
    period_start = models.DateTimeField(null=True)
    supply_won = models.BigIntegerField(db_default=0)
    vat_won = models.BigIntegerField(db_default=0)
    untaxed_won = models.BigIntegerField(db_default=0)
    total_won = models.BigIntegerField(db_default=0)
    vat_rule = models.CharField(max_length=24, blank=True, db_default="")
    billed_upto = models.BigIntegerField(
        db_default=0, help_text="The newest invoice that it has taken into account; 0: none."
    )
    drafted_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True, help_text="That there is a draft to look at.")
    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="draft", null=True)
    issue_told_at = models.DateTimeField(null=True, help_text="That the invoice is issued.")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-close__month", "organization"]
        indexes: ClassVar = [
            models.Index(fields=["close", "state", "organization"], name="draft_close_state"),
            models.Index(
                fields=["organization"],
                condition=models.Q(state="issued", issue_told_at=None),
                name="draft_untold",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="draft_org_id"),
            models.UniqueConstraint(fields=["organization", "close"], name="draft_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=DraftState.values), name="draft_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state="issued", invoice__isnull=False)
                | (~models.Q(state="issued") & models.Q(invoice__isnull=True)),
                name="draft_issued_has_invoice",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    total_won=models.F("supply_won") + models.F("vat_won") + models.F("untaxed_won")
                ),
                name="draft_total",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def month(self) -> str:
        return self.close.month

    @property
    def state_label(self) -> str:
        return str(DraftState(self.state).label)


class InvoiceDraftLine(models.Model):
    """A line as the invoice will have it."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    draft = models.ForeignKey(InvoiceDraft, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    item = models.CharField(max_length=200)
    usage_month = models.CharField(max_length=7)
    text_ko = models.CharField(max_length=200)
    text_en = models.CharField(max_length=200)
    unit = models.CharField(max_length=16)
    quantity = models.BigIntegerField()
    unit_price = models.DecimalField(max_digits=18, decimal_places=6)
    price_version = models.CharField(max_length=24)
    exact_micro = models.DecimalField(max_digits=30, decimal_places=6)
    amount_won = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["draft", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["draft", "position"], name="draft_line_once"),
        ]

    def __str__(self) -> str:
        return self.item


class CommentKind(models.TextChoices):
    COMMENT = "comment", _("Comment")
    OBJECTION = "objection", _("Objection")
    ANSWER = "answer", _("Answer of the operator")


class DraftComment(models.Model):
    """What the customer says about a draft, and the operator's answer. Append-only.

    An objection without an answer holds the draft: it is not issued.
    """

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    draft = models.ForeignKey(InvoiceDraft, models.PROTECT, related_name="comments")
    kind = models.CharField(max_length=12)
    answers = models.OneToOneField("self", models.PROTECT, related_name="answer", null=True)
    text = models.CharField(max_length=2000)
    by = models.CharField(max_length=120)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="draft_comment_org_id"),
            models.CheckConstraint(
                condition=models.Q(kind__in=CommentKind.values), name="draft_comment_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def kind_label(self) -> str:
        return str(CommentKind(self.kind).label)
