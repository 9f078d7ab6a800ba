"""How an organization becomes a customer: its registration, evidence, terms and consent."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

ME = "user_id = NULLIF(current_setting('app.user', true), '')::bigint"


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0013_personal"),
    ]

    operations = [
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("language", models.CharField(max_length=8)),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Evidence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=12)),
                ("state", models.CharField(default="waiting", max_length=12)),
                ("handed_in_at", models.DateTimeField()),
                ("handed_in_by", models.CharField(max_length=120)),
                ("decided_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-handed_in_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="EvidenceRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("message", models.CharField(max_length=1000)),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="RegistrationMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=20)),
                ("to_state", models.CharField(max_length=20)),
                ("because", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Signup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("choice", models.CharField(blank=True, max_length=16)),
                ("name", models.CharField(blank=True, max_length=80)),
                ("business_number", models.CharField(blank=True, max_length=10)),
                ("medical_number", models.CharField(blank=True, max_length=8)),
                ("corporate_number", models.CharField(blank=True, max_length=13)),
                (
                    "terms",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), default=list
                    ),
                ),
                ("terms_at", models.DateTimeField(null=True)),
                ("terms_language", models.CharField(blank=True, max_length=8)),
                ("saved_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Terms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=40, unique=True)),
                ("document", models.CharField(help_text="service, privacy", max_length=20)),
                ("version", models.CharField(max_length=20)),
                ("effective_at", models.DateTimeField()),
                ("title_ko", models.CharField(max_length=80)),
                ("title_en", models.CharField(max_length=80)),
                ("text_ko", models.TextField()),
                ("text_en", models.TextField()),
            ],
            options={
                "ordering": ["-document", "-effective_at"],
            },
        ),
        migrations.AddField(
            model_name="organization",
            name="corporate_number",
            field=models.CharField(
                blank=True, default="", help_text="법인등록번호.", max_length=13
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="medical_number",
            field=models.CharField(blank=True, default="", help_text="요양기관기호.", max_length=8),
        ),
        migrations.AddField(
            model_name="organization",
            name="registration",
            field=models.CharField(default="active", max_length=20),
        ),
        migrations.AddField(
            model_name="organization",
            name="registration_since",
            field=models.DateTimeField(null=True),
        ),
        # Customers of before are asked about in the next sweep.
        migrations.AddField(
            model_name="organization",
            name="registry_due_at",
            field=models.DateTimeField(
                help_text="When to ask again; a sweep that asks puts it off as its lease.",
                default=timezone.now,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="organization",
            name="registry_due_at",
            field=models.DateTimeField(
                help_text="When to ask again; a sweep that asks puts it off as its lease.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="registry_failures",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="organization",
            name="registry_seen_at",
            field=models.DateTimeField(help_text="When the registry last answered.", null=True),
        ),
        migrations.AddField(
            model_name="organization",
            name="registry_tax_type",
            field=models.CharField(
                blank=True, default="", help_text="In the registry's own words.", max_length=80
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="vouched_at",
            field=models.DateTimeField(
                help_text="When the operator has read the evidence and believed it.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="organization",
            index=models.Index(
                condition=models.Q(("registry_due_at__isnull", False)),
                fields=["registry_due_at"],
                name="organization_registry_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "registration__in",
                        ["pending_registry", "active", "suspended", "closed", "unverifiable"],
                    )
                ),
                name="organization_registration",
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="consents",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="evidence",
            name="file",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.storedfile",
            ),
        ),
        migrations.AddField(
            model_name="evidence",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="evidence",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="evidencerequest",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="evidence_requests",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="registrationmove",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="registration_moves",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="signup",
            name="user",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="signup",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="terms",
            constraint=models.UniqueConstraint(
                fields=("document", "version"), name="terms_version_once"
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="terms",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.terms"
            ),
        ),
        migrations.AddConstraint(
            model_name="evidence",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "accepted", "returned"])),
                name="evidence_state",
            ),
        ),
        TenantTable("tenants_registrationmove"),
        TenantTable("tenants_evidence"),
        TenantTable("tenants_evidencerequest"),
        TenantTable("tenants_consent"),
        TenantTable("tenants_signup", mine=ME),
        TenantForeignKey("tenants_evidence", "file_id", "tenants_storedfile"),
        AppendOnly("tenants_registrationmove"),
        AppendOnly("tenants_consent"),
        AppendOnly("tenants_terms"),
    ]
