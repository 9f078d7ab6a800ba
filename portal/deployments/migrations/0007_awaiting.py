"""Orders may wait for approval."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0001_initial"),
        ("deployments", "0006_erasable_names"),
        ("tenants", "0022_organization_region"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="order",
            name="order_state",
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["awaiting", "placed", "fulfilled", "failed", "cancelled"])
                ),
                name="order_state",
            ),
        ),
    ]
