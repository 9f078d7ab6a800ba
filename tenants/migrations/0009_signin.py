"""Rules of sign-in, an organization's own sign-in and mail domains; a person's own history."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import SystemFunction, TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0008_audit_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="Policy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mfa_required", models.BooleanField(default=False)),
                ("sso_only", models.BooleanField(default=False)),
                (
                    "allowed_addresses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=49),
                        default=list,
                        help_text="CIDR. Empty: from anywhere.",
                    ),
                ),
                ("idle_minutes", models.PositiveIntegerField(null=True)),
                ("session_hours", models.PositiveIntegerField(null=True)),
                ("changed_at", models.DateTimeField()),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="policy",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SingleSignOn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("issuer", models.URLField()),
                ("client_id", models.CharField(max_length=200)),
                ("sealed_secret", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("tested_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="single_sign_on",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DomainClaim",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("domain", models.CharField(max_length=253)),
                ("token", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("proven_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="domains",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["domain"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "domain"), name="domain_claim_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("proven_at__isnull", False)),
                        fields=("domain",),
                        name="domain_proven_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SignIn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("address", models.CharField(blank=True, max_length=45)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("methods", models.CharField(blank=True, max_length=80)),
                ("device", models.CharField(max_length=64)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_ins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["user", "-at"], name="sign_in_user_time")],
            },
        ),
        migrations.CreateModel(
            name="SingleSignOnIdentity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("issuer", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=255)),
                ("bound_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "issuer", "subject"), name="sso_subject_once"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "issuer", "user"), name="sso_user_once"
                    ),
                ],
            },
        ),
        TenantTable(
            "tenants_policy",
            also_readable=(
                "EXISTS (SELECT 1 FROM tenants_membership m "
                "WHERE m.organization_id = tenants_policy.organization_id "
                "AND m.user_id = NULLIF(current_setting('app.user', true), '')::bigint)"
            ),
        ),
        TenantTable("tenants_singlesignon"),
        TenantTable("tenants_singlesignonidentity"),
        TenantTable("tenants_domainclaim"),
        SystemFunction(
            "tenants_organization_of_domain",
            "mail_domain text",
            "bigint",
            "SELECT s.organization_id FROM tenants_domainclaim d JOIN tenants_singlesignon s"
            " USING (organization_id) WHERE d.domain = mail_domain AND d.proven_at IS NOT NULL",
        ),
    ]
