"""What usage events say besides: data class, what was pretended, waiting, whether it is kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_requests")]

    operations = [
        migrations.AddField(
            "ledgerentry",
            "data_class",
            models.CharField(blank=True, db_default="", max_length=16),
        ),
        migrations.AddField("ledgerentry", "simulated", models.BooleanField(null=True)),
        migrations.AddField("ledgerentry", "waited_ms", models.PositiveIntegerField(null=True)),
        migrations.AddField("ledgerentry", "replayable", models.BooleanField(null=True)),
    ]
