"""Replicas have a weight among their endpoint's, and rollouts a strategy with stages."""

from django.db import migrations, models

WEIGHT = "Of the requests, among its endpoint's replicas; 0: none."
STAGE = "How often traffic was shifted."
HELD = "It stays at this stage, by hand."
HURRIED = "This stage ends early, by hand."


def strategy():
    return models.CharField(default="rolling", max_length=16)


class Migration(migrations.Migration):
    dependencies = [("deployments", "0014_reservations")]

    operations = [
        migrations.AddField(
            "placement", "weight", models.PositiveSmallIntegerField(default=100, help_text=WEIGHT)
        ),
        migrations.AddConstraint(
            "placement",
            models.CheckConstraint(
                condition=models.Q(("weight__lte", 100)), name="placement_weight"
            ),
        ),
        migrations.AddField("order", "strategy", strategy()),
        migrations.AddField("rollout", "strategy", strategy()),
        migrations.AddField(
            "rollout", "stage", models.PositiveSmallIntegerField(default=0, help_text=STAGE)
        ),
        migrations.AddField(
            "rollout",
            "stage_since",
            models.DateTimeField(help_text="Null: since it started.", null=True),
        ),
        migrations.AddField("rollout", "held", models.BooleanField(default=False, help_text=HELD)),
        migrations.AddField(
            "rollout", "hurried", models.BooleanField(default=False, help_text=HURRIED)
        ),
        migrations.AddConstraint(
            "rollout",
            models.CheckConstraint(
                condition=models.Q(("strategy__in", ["rolling", "blue_green", "canary"])),
                name="rollout_strategy",
            ),
        ),
    ]
