"""Platform work takes a role of its own: see ``tenants`` 0003."""

from django.db import migrations

from tenants.migration_ops import SystemRole


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_wall"), ("tenants", "0003_system_role")]

    operations = [
        SystemRole(
            "billing_budget",
            "billing_budgetchange",
            "billing_commitment",
            "billing_invoice",
            "billing_invoiceline",
            "billing_invoicedocument",
        )
    ]
