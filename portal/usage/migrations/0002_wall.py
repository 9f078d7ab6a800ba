"""The ledgers: seen by their own tenant only, and never changed."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, TenantTable


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial"), ("tenants", "0002_wall")]

    operations = [
        TenantTable("usage_ledgerentry"),
        TenantTable("usage_cardtime"),
        TenantTable("usage_orphanedevent"),
        AppendOnly("usage_ledgerentry"),
        AppendOnly("usage_cardtime"),
    ]
