"""A project has its own names for models."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Lower

from tenants.migration_ops import TenantForeignKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("tenants", "0019_key_tokens")]

    operations = [
        migrations.CreateModel(
            name="ModelAlias",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("name", models.CharField(max_length=64)),
                (
                    "target",
                    models.CharField(
                        help_text="A model of the catalogue, or the name of an endpoint.",
                        max_length=64,
                    ),
                ),
                ("created_at", models.DateTimeField()),
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
                        related_name="aliases",
                        to="tenants.project",
                    ),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.AddConstraint(
            "modelalias",
            models.UniqueConstraint(Lower("name"), models.F("project"), name="model_alias_once"),
        ),
        TenantTable("tenants_modelalias"),
        TenantForeignKey("tenants_modelalias", "project_id", "tenants_project"),
    ]
