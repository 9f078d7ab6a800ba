"""Which machine a card sits in, and how much power a site may draw."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fleet", "0003_outages")]

    operations = [
        migrations.AddField(
            "card",
            "node",
            models.CharField(blank=True, help_text="Machine; empty: not told.", max_length=64),
        ),
        migrations.AddField(
            "site",
            "power_budget_watts",
            models.PositiveIntegerField(
                help_text="What the whole site may draw; empty: no bound.", null=True
            ),
        ),
    ]
