"""Where regions are, so that it can be told how far another one is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.AddField("region", "latitude", models.FloatField(null=True)),
        migrations.AddField("region", "longitude", models.FloatField(null=True)),
    ]
