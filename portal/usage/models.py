"""What was consumed: append-only ledgers. Names are kept as text: a row outlives its noun."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    DateTimeRangeField,
    RangeBoundary,
    RangeOperators,
)
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from portal.usage.unserved_models import GatewayRun, UnservedCount
from tenants.models import OfProject, TenantQuerySet

__all__ = ["GatewayRun", "UnservedCount"]


class TsTzRange(models.Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class LedgerQuerySet(OfProject["LedgerEntry"]):
    def admitted(self, start: datetime, end: datetime) -> LedgerQuerySet:
        """Admitted in [start, end), reading only the months that can have such entries.

        ``admit`` refuses request ids that are more than seconds off, so that the day of the id is
        the day of the admission or one beside it.
        """
        day = timedelta(days=1)
        return self.filter(
            admitted_at__gte=start,
            admitted_at__lt=end,
            day__gte=start.astimezone(UTC).date() - day,
            day__lte=end.astimezone(UTC).date() + day,
        )


class LedgerEntry(models.Model):
    """One answered request, for ever. The key is (day in UTC of the request id, request id).

    The table is partitioned by months of ``day`` (docs/intake.md).
    """

    pk = models.CompositePrimaryKey("day", "request_id")
    day = models.DateField()
    request_id = models.UUIDField()
    # Checked once a statement by a trigger of the table instead of once a row, and indexed by
    # the first column of the indexes below.
    organization = models.ForeignKey(
        "tenants.Organization",
        models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    project = models.CharField(max_length=24)
    key = models.CharField(max_length=24)
    endpoint = models.CharField(max_length=24)
    route = models.CharField(max_length=40)
    model = models.CharField(max_length=64)
    model_digest = models.CharField(max_length=71)
    site = models.CharField(max_length=32)
    chip = models.CharField(max_length=24)
    placement = models.CharField(max_length=24)
    tokens_in = models.BigIntegerField()
    tokens_cached = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    counted = models.CharField(max_length=10)
    outcome = models.CharField(max_length=16)
    admitted_at = models.DateTimeField()
    first_byte_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField()
    price_version = models.CharField(max_length=24)
    hold_micro = models.BigIntegerField()
    cost_micro = models.BigIntegerField()
    settled_micro = models.BigIntegerField()
    written_off_micro = models.BigIntegerField()
    late = models.BooleanField()
    stream = models.BooleanField()
    # Entries of before, and of gateways that did not tell, have an empty class and no values.
    data_class = models.CharField(max_length=16, blank=True, db_default="")
    simulated = models.BooleanField(null=True)
    waited_ms = models.PositiveIntegerField(null=True)
    replayable = models.BooleanField(null=True)
    batch = models.BooleanField(db_default=False, help_text="A request of a job.")
    recorded_at = models.DateTimeField(db_default=Now())

    objects = LedgerQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization", "admitted_at"], name="ledger_org_time"),
            models.Index(fields=["organization", "key", "admitted_at"], name="ledger_key_time"),
            models.Index(  # few rows, so that intake hardly feels it
                fields=["organization", "admitted_at"],
                condition=models.Q(late=True)
                | models.Q(written_off_micro__gt=0)
                | ~models.Q(outcome="answered"),
                name="ledger_unusual",
            ),
            # Rows lie in the order of recording: a few kilobytes say where the newest are.
            BrinIndex(
                fields=["recorded_at"],
                name="ledger_recorded",
                pages_per_range=32,
                autosummarize=True,
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(counted__in=["reported", "counted", "none"]),
                name="ledger_counted",
            ),
            models.CheckConstraint(
                condition=models.Q(tokens_in__gte=0, tokens_cached__gte=0, tokens_out__gte=0),
                name="ledger_tokens_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    cost_micro=models.F("settled_micro") + models.F("written_off_micro")
                ),
                name="ledger_cost_is_settled_or_written_off",
            ),
        ]

    def __str__(self) -> str:
        return str(self.request_id)

    @property
    def first_byte_ms(self) -> int | None:
        """From admission to the first byte of the answer."""
        return None if self.first_byte_at is None else _ms(self.admitted_at, self.first_byte_at)

    @property
    def duration_ms(self) -> int:
        """From admission to the end."""
        return _ms(self.admitted_at, self.ended_at)


class DaySpend(models.Model):
    """What one key was charged on a business day of admission in Korea, summed up.

    Kept by a trigger in the ledger's own transactions, so that it is the ledger's sum at every
    moment, late entries included: pages and counters need not read millions of entries.
    """

    organization = models.ForeignKey(
        "tenants.Organization", models.PROTECT, related_name="+", db_index=False
    )
    day = models.DateField(help_text="Business day in Korea of the admission.")
    project = models.CharField(max_length=24)
    key = models.CharField(max_length=24)
    requests = models.BigIntegerField()
    settled_micro = models.BigIntegerField()

    objects = OfProject["DaySpend"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "day", "project", "key"], name="day_spend_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.key}"


def _ms(start: datetime, end: datetime) -> int:
    """Milliseconds. Two machines' clocks tell them, so what lies below 0 is 0."""
    return max(0, (end - start) // timedelta(milliseconds=1))


class CardTime(models.Model):
    """Card-seconds of one placement, never across a full hour and never one second twice."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.CharField(max_length=24)
    endpoint = models.CharField(max_length=24)
    endpoint_name = models.CharField(max_length=64)
    placement = models.CharField(max_length=24)
    site = models.CharField(max_length=32)
    chip = models.CharField(max_length=24)
    cards = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    price_version = models.CharField(max_length=24)
    recorded_at = models.DateTimeField(db_default=Now())

    objects = OfProject.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization", "started_at"], name="card_time_org"),
            BrinIndex(
                fields=["recorded_at"],
                name="card_time_recorded",
                pages_per_range=32,
                autosummarize=True,
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ended_at__gt=models.F("started_at")),
                name="card_time_forward",
            ),
            ExclusionConstraint(
                name="card_time_no_second_twice",
                expressions=[
                    ("placement", RangeOperators.EQUAL),
                    (
                        TsTzRange("started_at", "ended_at", RangeBoundary()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.placement} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def card_seconds(self) -> int:
        """Whole seconds × cards."""
        return int((self.ended_at - self.started_at).total_seconds()) * self.cards


# The same of a row in the database.
CARD_SECONDS = models.Func(
    models.ExpressionWrapper(
        models.F("ended_at") - models.F("started_at"), output_field=models.DurationField()
    ),
    template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))",
    output_field=models.BigIntegerField(),
) * models.F("cards")


class StoredVolume(models.Model):
    """What something took for a part of one business day, and never one second of it twice.

    ``portal.usage.storage.record`` cuts at midnight in Korea and writes the rows.
    """

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.CharField(max_length=24)
    volume = models.CharField(max_length=24, help_text="Public id of what is stored.")
    storage = models.CharField(max_length=24, help_text="Kind of storage.")
    bytes = models.BigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    price_version = models.CharField(max_length=24)
    recorded_at = models.DateTimeField(db_default=Now())

    objects = OfProject.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization", "started_at"], name="stored_volume_org"),
            BrinIndex(fields=["recorded_at"], name="stored_volume_recorded"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ended_at__gt=models.F("started_at")),
                name="stored_volume_forward",
            ),
            models.CheckConstraint(
                condition=models.Q(bytes__gt=0), name="stored_volume_of_something"
            ),
            ExclusionConstraint(
                name="stored_volume_no_second_twice",
                expressions=[
                    ("volume", RangeOperators.EQUAL),
                    (
                        models.Func(
                            "started_at",
                            "ended_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.volume} {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def byte_seconds(self) -> int:
        """Bytes × whole seconds."""
        return self.bytes * int((self.ended_at - self.started_at).total_seconds())


class OrphanedEvent(models.Model):
    """A hold whose lease ran out: nothing charged. Kept apart from the ledger until resolved."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    request_id = models.UUIDField(unique=True)
    cell = models.PositiveSmallIntegerField()
    hold_micro = models.BigIntegerField()
    seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.request_id)


class PoisonRecord(models.Model):
    """A record of a stream that could not be read, with its bytes. For the operator only."""

    cell = models.PositiveSmallIntegerField()
    stream_id = models.CharField(max_length=40)
    raw = models.BinaryField()
    reason = models.CharField(max_length=300)
    seen_at = models.DateTimeField()
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cell", "stream_id"], name="poison_once")
        ]

    def __str__(self) -> str:
        return f"c{self.cell} {self.stream_id}"


class Watermark(models.Model):
    """How far the intake has come in one cell, and who owns the cell."""

    cell = models.PositiveSmallIntegerField(primary_key=True)
    stream_id = models.CharField(max_length=40, default="0-0")
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    # Since the stream began, or since counting did: what went in equals what came out.
    appended_before = models.BigIntegerField(null=True)
    read = models.BigIntegerField(default=0)
    booked = models.BigIntegerField(default=0)
    put_aside = models.BigIntegerField(default=0)
    # As the owner last measured it.
    appended = models.BigIntegerField(default=0)
    waiting = models.BigIntegerField(default=0)
    waiting_ms = models.BigIntegerField(default=0)
    measured_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"c{self.cell} {self.stream_id}"


class RegisteredGateway(models.Model):
    """A gateway that has been heard: after a loss of Valkey, which of them to wait for."""

    name = models.CharField(max_length=128, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class FenceRound(models.Model):
    """A time when Valkey's counters were not trusted. What a gateway had acknowledged then and
    could not tell again, its journal tells later."""

    number = models.BigIntegerField(primary_key=True)
    closed_at = models.DateTimeField()
    opened = models.BooleanField(default=False)
    passed_ms = models.JSONField()  # of each cell: how far the ledger had come

    def __str__(self) -> str:
        return str(self.number)


class Receipt(models.Model):
    """What a ledger entry was, signed. Kept as it was signed first, for ever."""

    pk = models.CompositePrimaryKey("day", "request_id")
    day = models.DateField()
    request_id = models.UUIDField()
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.CharField(max_length=24)
    jws = models.TextField()
    issued_at = models.DateTimeField()

    objects = OfProject.as_manager()

    def __str__(self) -> str:
        return str(self.request_id)
