"""E-tax invoices (전자세금계산서): one row a document, and how it moved."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.models import TenantQuerySet


class EtaxState(models.TextChoices):
    BLOCKED = "blocked", pgettext_lazy("e-tax", "Needs a hand")
    PREPARED = "prepared", pgettext_lazy("e-tax", "Prepared")
    ISSUED = "issued", pgettext_lazy("e-tax", "Issued")
    SENT = "sent", pgettext_lazy("e-tax", "Sent to the tax service")
    ACCEPTED = "accepted", pgettext_lazy("e-tax", "Accepted by the tax service")
    REJECTED = "rejected", pgettext_lazy("e-tax", "Rejected by the tax service")
    AMENDED = "amended", pgettext_lazy("e-tax", "Amended")
    ELSEWHERE = "elsewhere", pgettext_lazy("e-tax", "Issued elsewhere")
    WAIVED = "waived", pgettext_lazy("e-tax", "Not due")


class EtaxProfile(models.Model):
    """What an organization's e-tax invoices say of it beyond its name and number."""

    organization = models.OneToOneField(
        "tenants.Organization", models.PROTECT, related_name="etax_profile"
    )
    representative = models.CharField(max_length=100, blank=True)
    trade = models.CharField(max_length=100, blank=True, help_text="업태.")
    item = models.CharField(max_length=100, blank=True, help_text="종목.")
    place = models.CharField(max_length=4, blank=True, help_text="종사업장번호.")
    contact = models.CharField(max_length=100, blank=True)
    email = models.CharField(max_length=100, blank=True, help_text="Gets the e-tax invoice.")
    tax = models.CharField(
        max_length=12, default="taxable", help_text="Set by the operator: how supplies are taxed."
    )
    changed_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(tax__in=["taxable", "zero_rated", "exempt"]),
                name="etax_profile_tax",
            )
        ]

    def __str__(self) -> str:
        return self.representative


class EtaxDocument(models.Model):
    """One e-tax invoice or amendment. ``key`` is our document number at the issuer, which takes it
    once; what a document says is frozen as soon as it may be out (the database refuses changes)."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    key = models.CharField(max_length=24, unique=True)
    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="etax")
    # What it is made of: the invoice's public id, or a correction's. A rejected one is made anew
    # under the next serial.
    source = models.CharField(max_length=24)
    sheet = models.CharField(max_length=12, default="invoice")
    serial = models.PositiveSmallIntegerField(default=1)
    original = models.ForeignKey("self", models.PROTECT, null=True, related_name="amendments")
    code = models.CharField(max_length=2, blank=True, help_text="Why it amends: 01 to 06.")
    tax = models.CharField(max_length=12)
    type_code = models.CharField(max_length=4)
    write_date = models.DateField(help_text="작성일자.")
    due_date = models.DateField(help_text="To be issued by this day.")
    supply_won = models.BigIntegerField()
    vat_won = models.BigIntegerField()
    total_won = models.BigIntegerField()
    body = models.JSONField(help_text="The whole document, in our own words.")
    faults = models.JSONField(default=list, help_text="Why it cannot be issued as it stands.")

    state = models.CharField(max_length=12)
    state_since = models.DateTimeField()
    approval = models.CharField(
        max_length=24, blank=True, default="", help_text="The tax service's number."
    )
    issued_at = models.DateTimeField(null=True)
    send_by = models.DateField(null=True)
    refusal_code = models.CharField(max_length=16, blank=True, default="")
    refusal = models.CharField(max_length=300, blank=True, default="")
    tries = models.PositiveIntegerField(default=0, help_text="Calls begun under this key.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="In a row.")
    next_at = models.DateTimeField(
        null=True, help_text="When to look again; a sweep that looks puts it off as its lease."
    )
    created_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="etax_org_id"),
            models.UniqueConstraint(
                fields=["source", "sheet", "serial"], name="etax_once_per_source"
            ),
            models.UniqueConstraint(
                fields=["source", "sheet"],
                condition=~models.Q(state="rejected"),
                name="etax_one_that_counts",
            ),
            models.UniqueConstraint(
                fields=["approval"], condition=~models.Q(approval=""), name="etax_approval_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=EtaxState.values), name="etax_state"
            ),
            models.CheckConstraint(
                condition=models.Q(total_won=models.F("supply_won") + models.F("vat_won")),
                name="etax_total",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_at"], condition=models.Q(next_at__isnull=False), name="etax_next"
            )
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def state_label(self) -> str:
        return str(EtaxState(self.state).label)


class EtaxMove(models.Model):
    """One change of a document's state, and why. Append-only."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    document = models.ForeignKey(EtaxDocument, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    because = models.CharField(max_length=300)
    by = models.CharField(max_length=60, help_text="usr_…, key_… or system:…")
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class EtaxAttempt(models.Model):
    """One call about a document and how it went. Append-only."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    document = models.ForeignKey(EtaxDocument, models.PROTECT, related_name="attempts")
    deed = models.CharField(max_length=12)  # issue, ask, send
    outcome = models.CharField(max_length=12)  # done, refused, duplicate, unknown
    code = models.CharField(max_length=16, blank=True)
    sentence = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.deed} {self.outcome}"


class EtaxTrouble(models.Model):
    """An invoice or a correction of which no document could be made, and when to try again, so
    that it stands before no other. It stays after it was done: a document says that."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    source = models.CharField(max_length=24, unique=True, help_text="inv_… or crn_….")
    error = models.CharField(max_length=300)
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["next_at", "id"]

    def __str__(self) -> str:
        return self.source


class EtaxCertificate(models.Model):
    """What the issuer said of the supplier's certificate. One row: there is one supplier."""

    number = models.CharField(max_length=10, primary_key=True)
    expires_at = models.DateTimeField(null=True)
    fault = models.CharField(max_length=300, blank=True, default="")
    seen_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return self.number

    @property
    def state_label(self) -> str:
        return str(_("Cannot sign") if self.fault else _("Can sign"))
