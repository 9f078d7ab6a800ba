"""Endpoints and what belongs to them: the tenant's own, and for reading what is shared."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

OF_SHARED = (
    "EXISTS (SELECT 1 FROM deployments_endpoint e "
    "WHERE e.id = {table}.endpoint_id AND e.kind = 'shared')"
)


class Migration(migrations.Migration):
    dependencies = [("deployments", "0002_initial"), ("tenants", "0002_wall")]

    operations = [
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
        AppendOnly("deployments_revision"),
    ]
