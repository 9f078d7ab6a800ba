"""Who made a revision: a name that can be taken out when the person's account ends."""

from django.db import migrations

from tenants.migration_ops import ErasableName


class Migration(migrations.Migration):
    dependencies = [("deployments", "0005_system_role")]

    operations = [ErasableName("deployments_revision", "created_by")]
