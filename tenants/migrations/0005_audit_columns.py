"""Who did it, as it was kept before events named people by opaque ids: a name and an address.

Migrations before the baseline have taken what stood there over and left both empty. Nothing reads
or writes them, and no seal covers them (``tenants.chain.FIELDS``): what is sealed stays as it is.
"""

from django.db import migrations
from django.db.migrations import RunSQL


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_baseline_terms")]

    operations = [
        RunSQL(
            "ALTER TABLE tenants_auditevent DROP COLUMN actor_label, DROP COLUMN actor_ref",
            "ALTER TABLE tenants_auditevent ADD actor_label varchar(120) DEFAULT '' NOT NULL,"
            " ADD actor_ref varchar(40) DEFAULT '' NOT NULL",
        )
    ]
