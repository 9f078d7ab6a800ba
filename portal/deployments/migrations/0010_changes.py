"""An endpoint may be resized, paused and resumed: an order says what kind of change it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deployments", "0009_leaving")]

    operations = [
        migrations.AddField("endpoint", "paused_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "endpoint",
            "overcommitted",
            models.BooleanField(
                default=False, help_text="Less runs now than money is set aside for."
            ),
        ),
        migrations.AddField("order", "kind", models.CharField(default="create", max_length=16)),
        migrations.AddField(
            "order",
            "won_per_hour_before",
            models.BigIntegerField(default=0, help_text="Of what ran until then."),
        ),
    ]
