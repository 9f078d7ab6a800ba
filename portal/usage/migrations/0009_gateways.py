"""Gateways and rounds of the fence are remembered by PostgreSQL: a Valkey may forget them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_flow")]

    operations = [
        migrations.CreateModel(
            name="RegisteredGateway",
            fields=[
                ("name", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="FenceRound",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("closed_at", models.DateTimeField()),
                ("opened", models.BooleanField(default=False)),
                ("passed_ms", models.JSONField()),
            ],
        ),
    ]
