"""Reserved capacity: cards of a site for whole hours, none twice, and what is offered of them."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_evidence"),
        ("deployments", "0013_engines"),
        ("fleet", "0006_site_offerings"),
        ("tenants", "0023_payment_hold"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("idempotency_key", models.CharField(max_length=80)),
                ("request_digest", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=64)),
                (
                    "region",
                    models.CharField(blank=True, help_text="Wished; empty: any.", max_length=24),
                ),
                (
                    "wished_site",
                    models.CharField(blank=True, help_text="Empty: any.", max_length=32),
                ),
                ("cards", models.PositiveSmallIntegerField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("price_version", models.CharField(max_length=24)),
                ("won_per_card_hour", models.DecimalField(decimal_places=6, max_digits=18)),
                (
                    "won_in_all",
                    models.BigIntegerField(help_text="At the price of the order, without VAT."),
                ),
                ("state", models.CharField(max_length=16)),
                (
                    "taken_from",
                    models.CharField(
                        blank=True,
                        help_text="Public id of the offer that it was taken from.",
                        max_length=24,
                    ),
                ),
                (
                    "accrued_until",
                    models.DateTimeField(help_text="Its cost is known up to here.", null=True),
                ),
                ("placed_at", models.DateTimeField()),
                ("placed_by", models.CharField(max_length=120)),
                (
                    "chip",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.chip",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.project",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["-starts_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="ReservationMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("because", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "reservation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="deployments.reservation",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="ReservationOffer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("cards", models.PositiveSmallIntegerField(help_text="That nobody has taken yet.")),
                ("offered", models.PositiveSmallIntegerField(help_text="Cards at first.")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("state", models.CharField(default="open", max_length=16)),
                ("created_at", models.DateTimeField()),
                (
                    "chip",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.chip",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "reservation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="deployments.reservation",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["starts_at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="ReservedCard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "chip",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.chip",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "reservation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="held",
                        to="deployments.reservation",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="fleet.site",
                    ),
                ),
            ],
            options={
                "ordering": ["starts_at", "number"],
            },
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(
                condition=models.Q(("state", "booked")),
                fields=["organization", "site"],
                name="reservation_booked",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.UniqueConstraint(
                fields=("organization", "id"), name="reservation_org_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.UniqueConstraint(
                fields=("organization", "idempotency_key"), name="reservation_idempotency"
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["awaiting", "booked", "ended", "cancelled"])),
                name="reservation_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("cards__gte", 1), ("ends_at__gt", models.F("starts_at"))),
                name="reservation_forward",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservationoffer",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="offer_org_id"),
        ),
        migrations.AddConstraint(
            model_name="reservationoffer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("reservation",),
                name="offer_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservationoffer",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "taken", "withdrawn", "expired"])),
                name="offer_state",
            ),
        ),
        migrations.AddIndex(
            model_name="reservedcard",
            index=models.Index(fields=["ends_at"], name="reserved_card_end"),
        ),
        migrations.AddConstraint(
            model_name="reservedcard",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    ("site", "="),
                    ("chip", "="),
                    ("number", "="),
                    (
                        models.Func(
                            "starts_at",
                            "ends_at",
                            django.contrib.postgres.fields.ranges.RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="reserved_card_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservedcard",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                name="reserved_card_forward",
            ),
        ),
        TenantTable("deployments_reservation"),
        TenantTable("deployments_reservationmove"),
        TenantTable("deployments_reservedcard"),
        TenantTable("deployments_reservationoffer", also_readable="state = 'open'"),
        TenantForeignKey("deployments_reservation", "project_id", "tenants_project"),
        TenantForeignKey(
            "deployments_reservationmove", "reservation_id", "deployments_reservation"
        ),
        TenantForeignKey("deployments_reservedcard", "reservation_id", "deployments_reservation"),
        TenantForeignKey(
            "deployments_reservationoffer", "reservation_id", "deployments_reservation"
        ),
        AppendOnly("deployments_reservationmove"),
    ]
