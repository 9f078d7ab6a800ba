"""Requests of jobs are told apart, because they have a discount."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0012_day_spend")]

    operations = [
        migrations.AddField(
            "ledgerentry",
            "batch",
            models.BooleanField(db_default=False, help_text="A request of a job."),
        ),
    ]
