"""The number that route tables and grants carry: it only grows, whoever publishes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("deployments", "0003_wall")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE publication_number AS bigint", "DROP SEQUENCE publication_number"
        )
    ]
