"""Platform work takes a role of its own: see ``tenants`` 0003."""

from django.db import migrations

from tenants.migration_ops import SystemRole


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_wall"), ("tenants", "0003_system_role")]

    operations = [
        SystemRole(
            "usage_ledgerentry",
            "usage_cardtime",
            "usage_orphanedevent",
        )
    ]
