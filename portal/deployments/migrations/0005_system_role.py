"""Platform work takes a role of its own: see ``tenants`` 0003."""

from django.db import migrations

from tenants.migration_ops import SystemRole


class Migration(migrations.Migration):
    dependencies = [("deployments", "0004_publication_number"), ("tenants", "0003_system_role")]

    operations = [
        SystemRole(
            "deployments_endpoint",
            "deployments_placement",
            "deployments_revision",
            "deployments_placementmove",
            "deployments_order",
            "deployments_ordermove",
        )
    ]
