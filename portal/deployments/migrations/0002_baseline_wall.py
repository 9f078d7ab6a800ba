"""Endpoints and what belongs to them: the tenant's own, and for reading what is shared."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable, erased

OF_SHARED = (
    "EXISTS (SELECT 1 FROM deployments_endpoint e "
    "WHERE e.id = {table}.endpoint_id AND e.kind = 'shared')"
)


class Migration(migrations.Migration):
    replaces = [("deployments", "0019_own_models")]

    dependencies = [
        ("catalog", "0002_baseline_wall"),
        ("deployments", "0001_baseline"),
        ("tenants", "0002_baseline_wall"),
    ]

    operations = [
        # Endpoints and what belongs to them: the tenant's own, and for reading what is shared.
        TenantTable("deployments_endpoint", also_readable="kind = 'shared'"),
        TenantTable(
            "deployments_placement",
            also_readable=OF_SHARED.format(table="deployments_placement"),
        ),
        TenantTable("deployments_revision"),
        TenantTable("deployments_placementmove"),
        TenantTable("deployments_order"),
        TenantTable("deployments_ordermove"),
        TenantForeignKey("deployments_endpoint", "project_id", "tenants_project"),
        TenantForeignKey("deployments_placement", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_revision", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_placementmove", "placement_id", "deployments_placement"),
        TenantForeignKey("deployments_order", "project_id", "tenants_project"),
        TenantForeignKey("deployments_order", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_ordermove", "order_id", "deployments_order"),
        AppendOnly("deployments_placementmove"),
        AppendOnly("deployments_ordermove"),
        AppendOnly("deployments_revision", may=erased("created_by")),
        # Who finds no room may be told when there is some.
        TenantTable("deployments_capacitywatch"),
        TenantForeignKey("deployments_capacitywatch", "project_id", "tenants_project"),
        # One form of an endpoint takes the place of another, step by step.
        TenantTable("deployments_rollout"),
        TenantTable("deployments_rolloutstep"),
        TenantForeignKey("deployments_placement", "revision_id", "deployments_revision"),
        TenantForeignKey("deployments_rollout", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_rollout", "order_id", "deployments_order"),
        TenantForeignKey("deployments_rollout", "from_revision_id", "deployments_revision"),
        TenantForeignKey("deployments_rollout", "to_revision_id", "deployments_revision"),
        TenantForeignKey("deployments_rolloutstep", "rollout_id", "deployments_rollout"),
        AppendOnly("deployments_rolloutstep"),
        # Opening hours, and a number of replicas that follows what is asked.
        TenantTable("deployments_scaling"),
        TenantTable("deployments_scalestep"),
        TenantTable("deployments_schedule"),
        TenantForeignKey("deployments_scaling", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_scalestep", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_schedule", "endpoint_id", "deployments_endpoint"),
        AppendOnly("deployments_scalestep"),
        # How each replica's engine is started, and the last lines of those that failed or ended.
        TenantTable("deployments_keptlog"),
        TenantForeignKey("deployments_keptlog", "placement_id", "deployments_placement"),
        # Reserved capacity: cards of a site for whole hours, none twice, and what is offered of them.
        TenantTable("deployments_reservation"),
        TenantTable("deployments_reservationmove"),
        TenantTable("deployments_reservedcard"),
        TenantTable("deployments_reservationoffer", also_readable="state = 'open'"),
        TenantForeignKey("deployments_reservation", "project_id", "tenants_project"),
        TenantForeignKey(
            "deployments_reservationmove", "reservation_id", "deployments_reservation"
        ),
        TenantForeignKey("deployments_reservedcard", "reservation_id", "deployments_reservation"),
        TenantForeignKey(
            "deployments_reservationoffer", "reservation_id", "deployments_reservation"
        ),
        AppendOnly("deployments_reservationmove"),
        # Booked drills: one site is withdrawn from one endpoint for a window.
        TenantTable("deployments_drill"),
        TenantTable("deployments_drillmove"),
        TenantForeignKey("deployments_drill", "endpoint_id", "deployments_endpoint"),
        TenantForeignKey("deployments_drillmove", "drill_id", "deployments_drill"),
        AppendOnly("deployments_drillmove"),
        # What runs may be a customer's own model.
        TenantForeignKey("deployments_endpoint", "own_model_id", "catalog_ownmodel"),
        TenantForeignKey("deployments_order", "own_model_id", "catalog_ownmodel"),
        TenantForeignKey("deployments_capacitywatch", "own_model_id", "catalog_ownmodel"),
    ]
