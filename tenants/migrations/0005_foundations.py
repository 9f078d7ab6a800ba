"""Public ids of people and memberships; files and notices behind the wall."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from tenants.migration_ops import TenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="public_id",
            field=models.CharField(
                db_default=django.db.models.functions.text.Concat(
                    models.Value("mem_"),
                    django.db.models.functions.text.Substr(
                        django.db.models.functions.text.Replace(
                            django.db.models.functions.comparison.Cast(
                                django.contrib.postgres.functions.RandomUUID(), models.CharField()
                            ),
                            models.Value("-"),
                            models.Value(""),
                        ),
                        1,
                        20,
                    ),
                ),
                max_length=24,
                unique=True,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="public_id",
            field=models.CharField(
                db_default=django.db.models.functions.text.Concat(
                    models.Value("usr_"),
                    django.db.models.functions.text.Substr(
                        django.db.models.functions.text.Replace(
                            django.db.models.functions.comparison.Cast(
                                django.contrib.postgres.functions.RandomUUID(), models.CharField()
                            ),
                            models.Value("-"),
                            models.Value(""),
                        ),
                        1,
                        20,
                    ),
                ),
                max_length=24,
                unique=True,
            ),
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=40)),
                (
                    "words",
                    models.JSONField(
                        default=dict, help_text="What the sentence of the kind names."
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        blank=True, help_text="Where it leads: a path.", max_length=200
                    ),
                ),
                ("at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
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
                        related_name="notices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["user", "-at"], name="notice_user_time")],
            },
        ),
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("media_type", models.CharField(max_length=60)),
                ("size", models.PositiveIntegerField(help_text="Bytes.")),
                ("sha256", models.CharField(max_length=64)),
                ("content", models.BinaryField()),
                ("created_by", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "id"), name="stored_file_org_id"
                    )
                ],
            },
        ),
        TenantTable("tenants_storedfile"),
        TenantTable(
            "tenants_notice",
            also_readable="user_id = NULLIF(current_setting('app.user', true), '')::bigint",
        ),
    ]
