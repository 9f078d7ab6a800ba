"""Pauses and ends that are under way are found without reading all orders that ever were."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # orders go on while it is built

    dependencies = [("deployments", "0005_uncharged_time")]

    operations = [
        AddIndexConcurrently(
            "order",
            models.Index(
                fields=["id"],
                condition=Q(kind__in=("pause", "delete"), state="placed"),
                name="order_freeing",
            ),
        ),
    ]
