"""What was recorded since: rating looks at nothing else. Rows lie in the order of recording, so
that a few kilobytes find them and intake hardly feels it."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_gateways")]

    operations = [
        migrations.AddIndex(
            model_name="ledgerentry",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["recorded_at"],
                name="ledger_recorded",
                pages_per_range=32,
                autosummarize=True,
            ),
        ),
        migrations.AddIndex(
            model_name="cardtime",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["recorded_at"],
                name="card_time_recorded",
                pages_per_range=32,
                autosummarize=True,
            ),
        ),
    ]
