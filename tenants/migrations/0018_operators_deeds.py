"""What the operator did to one customer is found without reading the customer's whole log."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tenants", "0017_settings_once")]

    operations = [
        AddIndexConcurrently(
            "auditevent",
            models.Index(
                fields=["organization", "-at", "-id"],
                condition=models.Q(verb__startswith="operator."),
                name="audit_operators_deeds",
            ),
        ),
    ]
