"""Tables of what was consumed: the ledger, card time, storage, receipts, intake."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary
from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations, models
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

import portal.usage.models
from tenants.migration_ops import Tables


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _to(model: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=models.PROTECT, related_name="+", to=model, **options)


class Migration(migrations.Migration):
    initial = True

    # A database of before: see docs/adr/0018.
    replaces = [
        ("usage", name)
        for name in (
            "0001_initial",
            "0002_wall",
            "0003_system_role",
            "0004_receipts",
            "0005_requests",
            "0006_facts",
            "0007_months",
            "0008_flow",
            "0009_gateways",
            "0010_recorded",
            "0011_storage",
        )
    ]

    dependencies = [("tenants", "0001_baseline")]

    operations = [
        Tables(
            migrations.CreateModel(
                name="LedgerEntry",
                fields=[
                    (
                        "pk",
                        models.CompositePrimaryKey(
                            "day",
                            "request_id",
                            blank=True,
                            editable=False,
                            primary_key=True,
                            serialize=False,
                        ),
                    ),
                    ("day", models.DateField()),
                    ("request_id", models.UUIDField()),
                    (
                        "organization",
                        _to("tenants.organization", db_constraint=False, db_index=False),
                    ),
                    ("project", models.CharField(max_length=24)),
                    ("key", models.CharField(max_length=24)),
                    ("endpoint", models.CharField(max_length=24)),
                    ("route", models.CharField(max_length=40)),
                    ("model", models.CharField(max_length=64)),
                    ("model_digest", models.CharField(max_length=71)),
                    ("site", models.CharField(max_length=32)),
                    ("chip", models.CharField(max_length=24)),
                    ("placement", models.CharField(max_length=24)),
                    ("tokens_in", models.BigIntegerField()),
                    ("tokens_cached", models.BigIntegerField()),
                    ("tokens_out", models.BigIntegerField()),
                    ("counted", models.CharField(max_length=10)),
                    ("outcome", models.CharField(max_length=16)),
                    ("admitted_at", models.DateTimeField()),
                    ("first_byte_at", models.DateTimeField(null=True)),
                    ("ended_at", models.DateTimeField()),
                    ("attempts", models.PositiveSmallIntegerField()),
                    ("price_version", models.CharField(max_length=24)),
                    ("hold_micro", models.BigIntegerField()),
                    ("cost_micro", models.BigIntegerField()),
                    ("settled_micro", models.BigIntegerField()),
                    ("written_off_micro", models.BigIntegerField()),
                    ("late", models.BooleanField()),
                    ("stream", models.BooleanField()),
                    ("data_class", models.CharField(blank=True, db_default="", max_length=16)),
                    ("simulated", models.BooleanField(null=True)),
                    ("waited_ms", models.PositiveIntegerField(null=True)),
                    ("replayable", models.BooleanField(null=True)),
                    (
                        "batch",
                        models.BooleanField(db_default=False, help_text="A request of a job."),
                    ),
                    ("recorded_at", models.DateTimeField(db_default=Now())),
                ],
                options={
                    "indexes": [
                        models.Index(
                            fields=["organization", "admitted_at"], name="ledger_org_time"
                        ),
                        models.Index(
                            fields=["organization", "key", "admitted_at"], name="ledger_key_time"
                        ),
                        models.Index(
                            condition=models.Q(
                                ("late", True),
                                ("written_off_micro__gt", 0),
                                models.Q(outcome="answered", _negated=True),
                                _connector="OR",
                            ),
                            fields=["organization", "admitted_at"],
                            name="ledger_unusual",
                        ),
                        BrinIndex(
                            autosummarize=True,
                            fields=["recorded_at"],
                            name="ledger_recorded",
                            pages_per_range=32,
                        ),
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(counted__in=["reported", "counted", "none"]),
                            name="ledger_counted",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                tokens_cached__gte=0, tokens_in__gte=0, tokens_out__gte=0
                            ),
                            name="ledger_tokens_positive",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                cost_micro=CombinedExpression(
                                    models.F("settled_micro"), "+", models.F("written_off_micro")
                                )
                            ),
                            name="ledger_cost_is_settled_or_written_off",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="DaySpend",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization", db_index=False)),
                    ("day", models.DateField(help_text="Business day in Korea of the admission.")),
                    ("project", models.CharField(max_length=24)),
                    ("key", models.CharField(max_length=24)),
                    ("requests", models.BigIntegerField()),
                    ("settled_micro", models.BigIntegerField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "day", "project", "key"), name="day_spend_once"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="CardTime",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("project", models.CharField(max_length=24)),
                    ("endpoint", models.CharField(max_length=24)),
                    ("endpoint_name", models.CharField(max_length=64)),
                    ("placement", models.CharField(max_length=24)),
                    ("site", models.CharField(max_length=32)),
                    ("chip", models.CharField(max_length=24)),
                    ("cards", models.PositiveSmallIntegerField()),
                    ("started_at", models.DateTimeField()),
                    ("ended_at", models.DateTimeField()),
                    ("price_version", models.CharField(max_length=24)),
                    ("recorded_at", models.DateTimeField(db_default=Now())),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["organization", "started_at"], name="card_time_org"),
                        BrinIndex(
                            autosummarize=True,
                            fields=["recorded_at"],
                            name="card_time_recorded",
                            pages_per_range=32,
                        ),
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(ended_at__gt=models.F("started_at")),
                            name="card_time_forward",
                        ),
                        ExclusionConstraint(
                            expressions=[
                                ("placement", "="),
                                (
                                    portal.usage.models.TsTzRange(
                                        "started_at", "ended_at", RangeBoundary()
                                    ),
                                    "&&",
                                ),
                            ],
                            name="card_time_no_second_twice",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="StoredVolume",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("project", models.CharField(max_length=24)),
                    (
                        "volume",
                        models.CharField(help_text="Public id of what is stored.", max_length=24),
                    ),
                    ("storage", models.CharField(help_text="Kind of storage.", max_length=24)),
                    ("bytes", models.BigIntegerField()),
                    ("started_at", models.DateTimeField()),
                    ("ended_at", models.DateTimeField()),
                    ("price_version", models.CharField(max_length=24)),
                    ("recorded_at", models.DateTimeField(db_default=Now())),
                ],
                options={
                    "indexes": [
                        models.Index(
                            fields=["organization", "started_at"], name="stored_volume_org"
                        ),
                        BrinIndex(fields=["recorded_at"], name="stored_volume_recorded"),
                    ],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(ended_at__gt=models.F("started_at")),
                            name="stored_volume_forward",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(bytes__gt=0), name="stored_volume_of_something"
                        ),
                        ExclusionConstraint(
                            expressions=[
                                ("volume", "="),
                                (
                                    models.Func(
                                        "started_at",
                                        "ended_at",
                                        RangeBoundary(),
                                        function="TSTZRANGE",
                                        output_field=DateTimeRangeField(),
                                    ),
                                    "&&",
                                ),
                            ],
                            name="stored_volume_no_second_twice",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="OrphanedEvent",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    ("request_id", models.UUIDField(unique=True)),
                    ("cell", models.PositiveSmallIntegerField()),
                    ("hold_micro", models.BigIntegerField()),
                    ("seen_at", models.DateTimeField()),
                    ("resolved_at", models.DateTimeField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name="PoisonRecord",
                fields=[
                    ("id", _id()),
                    ("cell", models.PositiveSmallIntegerField()),
                    ("stream_id", models.CharField(max_length=40)),
                    ("raw", models.BinaryField()),
                    ("reason", models.CharField(max_length=300)),
                    ("seen_at", models.DateTimeField()),
                    ("replayed_at", models.DateTimeField(null=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(fields=("cell", "stream_id"), name="poison_once")
                    ]
                },
            ),
            migrations.CreateModel(
                name="Watermark",
                fields=[
                    ("cell", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                    ("stream_id", models.CharField(default="0-0", max_length=40)),
                    ("lease_owner", models.CharField(blank=True, max_length=80)),
                    ("lease_token", models.UUIDField(null=True)),
                    ("lease_until", models.DateTimeField(null=True)),
                    ("appended_before", models.BigIntegerField(null=True)),
                    ("read", models.BigIntegerField(default=0)),
                    ("booked", models.BigIntegerField(default=0)),
                    ("put_aside", models.BigIntegerField(default=0)),
                    ("appended", models.BigIntegerField(default=0)),
                    ("waiting", models.BigIntegerField(default=0)),
                    ("waiting_ms", models.BigIntegerField(default=0)),
                    ("measured_at", models.DateTimeField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name="RegisteredGateway",
                fields=[
                    ("name", models.CharField(max_length=128, primary_key=True, serialize=False)),
                    ("seen_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="FenceRound",
                fields=[
                    ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                    ("closed_at", models.DateTimeField()),
                    ("opened", models.BooleanField(default=False)),
                    ("passed_ms", models.JSONField()),
                ],
            ),
            migrations.CreateModel(
                name="Receipt",
                fields=[
                    (
                        "pk",
                        models.CompositePrimaryKey(
                            "day",
                            "request_id",
                            blank=True,
                            editable=False,
                            primary_key=True,
                            serialize=False,
                        ),
                    ),
                    ("day", models.DateField()),
                    ("request_id", models.UUIDField()),
                    ("organization", _to("tenants.organization")),
                    ("project", models.CharField(max_length=24)),
                    ("jws", models.TextField()),
                    ("issued_at", models.DateTimeField()),
                ],
            ),
        )
    ]
