"""Requests of one key, and the few that did not go as planned, are found without reading all."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("usage", "0004_receipts")]

    operations = [
        AddIndexConcurrently(
            "ledgerentry",
            models.Index(fields=["organization", "key", "admitted_at"], name="ledger_key_time"),
        ),
        AddIndexConcurrently(
            "ledgerentry",
            models.Index(
                fields=["organization", "admitted_at"],
                condition=models.Q(late=True)
                | models.Q(written_off_micro__gt=0)
                | ~models.Q(outcome="answered"),
                name="ledger_unusual",
            ),
        ),
    ]
