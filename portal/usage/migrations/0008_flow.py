"""Events in, entries out: counted beside each cell's watermark; what was replayed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0007_months")]

    operations = [
        migrations.AddField("poisonrecord", "replayed_at", models.DateTimeField(null=True)),
        migrations.AddField("watermark", "appended_before", models.BigIntegerField(null=True)),
        *(
            migrations.AddField("watermark", name, models.BigIntegerField(default=0))
            for name in ("read", "booked", "put_aside", "appended", "waiting", "waiting_ms")
        ),
        migrations.AddField("watermark", "measured_at", models.DateTimeField(null=True)),
    ]
