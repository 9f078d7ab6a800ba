"""Who changed a limit: a name that can be taken out when the person's account ends."""

from django.db import migrations

from tenants.migration_ops import ErasableName


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_system_role")]

    operations = [ErasableName("billing_budgetchange", "by")]
