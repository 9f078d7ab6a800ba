"""What runs may be a customer's own model."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import TenantForeignKey


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_own_models"),
        ("deployments", "0018_placement_held"),
        ("tenants", "0024_quota_raises"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="capacitywatch",
            name="capacity_watch_once",
        ),
        migrations.AddField(
            model_name="capacitywatch",
            name="own_model",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.ownmodel",
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="own_model",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.ownmodel",
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="own_model",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.ownmodel",
            ),
        ),
        migrations.AddConstraint(
            model_name="capacitywatch",
            constraint=models.UniqueConstraint(
                fields=("project", "model", "own_model", "region", "replicas", "chip", "apart"),
                name="capacity_watch_once",
                nulls_distinct=False,
            ),
        ),
        TenantForeignKey("deployments_endpoint", "own_model_id", "catalog_ownmodel"),
        TenantForeignKey("deployments_order", "own_model_id", "catalog_ownmodel"),
        TenantForeignKey("deployments_capacitywatch", "own_model_id", "catalog_ownmodel"),
    ]
