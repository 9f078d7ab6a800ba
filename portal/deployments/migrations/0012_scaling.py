"""Opening hours, and a number of replicas that follows what is asked."""

from django.db import migrations, models
from django.db.models.deletion import PROTECT

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable


def to(model, name="+"):
    return models.ForeignKey(on_delete=PROTECT, related_name=name, to=model)


def of_endpoint(name):
    return models.OneToOneField(
        on_delete=PROTECT,
        primary_key=True,
        related_name=name,
        serialize=False,
        to="deployments.endpoint",
    )


class Migration(migrations.Migration):
    dependencies = [("deployments", "0011_rollouts")]

    operations = [
        migrations.AddField(
            "endpoint",
            "asleep_since",
            models.DateTimeField(
                blank=True, help_text="No replica is wanted until somebody asks.", null=True
            ),
        ),
        migrations.AddField(
            "revision",
            "least",
            models.PositiveSmallIntegerField(
                help_text="Replicas follow what is asked, down to so many. Empty: they do not.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="Scaling",
            fields=[
                ("endpoint", of_endpoint("scaling")),
                (
                    "per_replica",
                    models.PositiveSmallIntegerField(default=0, help_text="0: by its offering."),
                ),
                ("up_seconds", models.PositiveIntegerField(default=10)),
                ("down_seconds", models.PositiveIntegerField(default=300)),
                ("idle_seconds", models.PositiveIntegerField(default=900)),
                (
                    "fixed",
                    models.PositiveSmallIntegerField(
                        help_text="By hand, until ``fixed_until``.", null=True
                    ),
                ),
                ("fixed_until", models.DateTimeField(null=True)),
                ("used_at", models.DateTimeField()),
                ("up_at", models.DateTimeField(null=True)),
                ("below_since", models.DateTimeField(null=True)),
                ("below_most", models.PositiveSmallIntegerField(default=0)),
                ("no_room_since", models.DateTimeField(null=True)),
                (
                    "ready_seconds",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="From asked for to ready, as measured last; 0: not yet.",
                    ),
                ),
                ("organization", to("tenants.organization")),
            ],
        ),
        migrations.CreateModel(
            name="ScaleStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("before", models.PositiveSmallIntegerField()),
                ("after", models.PositiveSmallIntegerField()),
                ("because", models.CharField(max_length=16)),
                (
                    "count",
                    models.PositiveIntegerField(default=0, help_text="Requests that go with it."),
                ),
                ("at", models.DateTimeField()),
                ("organization", to("tenants.organization")),
                ("endpoint", to("deployments.endpoint", "scale_steps")),
            ],
            options={"ordering": ["-at", "-id"]},
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                ("endpoint", of_endpoint("schedule")),
                ("hours", models.JSONField(help_text="As ``schedules.read`` takes it.")),
                ("state", models.CharField(max_length=8)),
                (
                    "changes_at",
                    models.DateTimeField(db_index=True, help_text="Empty: never.", null=True),
                ),
                (
                    "trouble",
                    models.CharField(blank=True, help_text="no_money or no_room.", max_length=16),
                ),
                ("organization", to("tenants.organization")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "closed"])),
                        name="schedule_state",
                    ),
                ],
            },
        ),
        TenantTable("deployments_scaling"),
        TenantTable("deployments_scalestep"),
        TenantTable("deployments_schedule"),
        TenantForeignKey("deployments_scaling", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_scalestep", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_schedule", "endpoint_id", "deployments_endpoint"),
        AppendOnly("deployments_scalestep"),
    ]
