"""What one organization holds at each site is added up in an index, without reading the rows."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("deployments", "0017_promised_cards")]

    operations = [
        AddIndexConcurrently(
            model_name="placement",
            index=models.Index(
                condition=models.Q(("wanted", True), models.Q(("state", "stopped"), _negated=True)),
                fields=["organization", "site", "offering"],
                include=["cards"],
                name="placement_held",
            ),
        ),
    ]
