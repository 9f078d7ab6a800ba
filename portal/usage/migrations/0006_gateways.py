"""Gateways are remembered by PostgreSQL: a Valkey that lost all has forgotten them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_requests")]

    operations = [
        migrations.CreateModel(
            name="RegisteredGateway",
            fields=[
                ("name", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
    ]
