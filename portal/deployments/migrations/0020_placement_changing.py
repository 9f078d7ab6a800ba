"""The sites where something starts or stops are asked before others: found without a scan."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("deployments", "0019_own_models")]

    operations = [
        AddIndexConcurrently(
            model_name="placement",
            index=models.Index(
                condition=models.Q(("state__in", ("wanted", "starting", "stopping"))),
                fields=["site"],
                name="placement_changing",
            ),
        ),
    ]
