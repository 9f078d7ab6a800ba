"""One form of an endpoint takes the place of another, step by step."""

from django.db import migrations, models
from django.db.models.deletion import PROTECT

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

STATES = ["running", "back", "done", "rolled_back", "abandoned"]


def pk():
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def to(model, name="+"):
    return models.ForeignKey(on_delete=PROTECT, related_name=name, to=model)


class Migration(migrations.Migration):
    dependencies = [("deployments", "0010_changes")]

    operations = [
        migrations.AddConstraint(
            "revision",
            models.UniqueConstraint(fields=("organization", "id"), name="revision_org_id"),
        ),
        migrations.AddField(
            "placement",
            "revision",
            models.ForeignKey(
                null=True,
                on_delete=PROTECT,
                related_name="placements",
                to="deployments.revision",
            ),
        ),
        migrations.CreateModel(
            name="Rollout",
            fields=[
                ("id", pk()),
                ("public_id", models.CharField(max_length=24, unique=True)),
                ("state", models.CharField(default="running", max_length=16)),
                ("because", models.CharField(blank=True, max_length=200)),
                ("no_room_since", models.DateTimeField(null=True)),
                (
                    "seen",
                    models.JSONField(
                        default=dict, help_text="Answers of both forms, by the gateways."
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("started_by", models.CharField(max_length=120)),
                ("organization", to("tenants.organization")),
                ("endpoint", to("deployments.endpoint", "rollouts")),
                ("order", to("deployments.order", "rollouts")),
                ("from_revision", to("deployments.revision")),
                ("to_revision", to("deployments.revision")),
            ],
            options={
                "ordering": ["-started_at", "-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="rollout_org_id"),
                    models.UniqueConstraint(
                        fields=("endpoint",),
                        condition=models.Q(("state__in", ["running", "back"])),
                        name="rollout_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", STATES)), name="rollout_state"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RolloutStep",
            fields=[
                ("id", pk()),
                ("kind", models.CharField(max_length=16)),
                ("site", models.CharField(blank=True, help_text="Code.", max_length=24)),
                ("because", models.CharField(blank=True, max_length=200)),
                ("at", models.DateTimeField()),
                ("organization", to("tenants.organization")),
                ("rollout", to("deployments.rollout", "steps")),
            ],
            options={"ordering": ["at", "id"]},
        ),
        TenantTable("deployments_rollout"),
        TenantTable("deployments_rolloutstep"),
        TenantForeignKey("deployments_placement", "revision_id", "deployments_revision"),
        TenantForeignKey("deployments_rollout", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_rollout", "order_id", "deployments_order"),
        TenantForeignKey("deployments_rollout", "from_revision_id", "deployments_revision"),
        TenantForeignKey("deployments_rollout", "to_revision_id", "deployments_revision"),
        TenantForeignKey("deployments_rolloutstep", "rollout_id", "deployments_rollout"),
        AppendOnly("deployments_rolloutstep"),
    ]
