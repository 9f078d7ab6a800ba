"""A project may have answers kept for repetitions; never one whose data nobody may keep."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0020_model_aliases")]

    operations = [
        migrations.AddField(
            "project",
            "replay",
            models.BooleanField(
                default=False,
                help_text="Answers to requests with an Idempotency-Key are kept, sealed.",
            ),
        ),
        migrations.AddConstraint(
            "project",
            models.CheckConstraint(
                condition=models.Q(replay=False)
                | ~models.Q(data_class__in=("confidential", "medical")),
                name="project_replay",
            ),
        ),
    ]
