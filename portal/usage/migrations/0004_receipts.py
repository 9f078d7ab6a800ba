"""Receipts: the tenant's own, kept as they were signed, each of an entry that there is."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.migration_ops import AppendOnly, TenantTable

# A foreign key with the organization in it would need one more unique index on the ledger, which
# every event of the intake would pay for. Entries are never changed or removed, so looking once,
# when the receipt is written, says the same.
OF_AN_ENTRY = [
    """
    CREATE FUNCTION usage_receipt_of_an_entry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NOT EXISTS (
        SELECT 1 FROM usage_ledgerentry e
        WHERE e.day = NEW.day AND e.request_id = NEW.request_id
          AND e.organization_id = NEW.organization_id AND e.project = NEW.project
      ) THEN
        RAISE EXCEPTION 'usage_receipt: no such entry of this organization and project'
          USING ERRCODE = 'foreign_key_violation';
      END IF;
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER of_an_entry BEFORE INSERT ON usage_receipt "
    "FOR EACH ROW EXECUTE FUNCTION usage_receipt_of_an_entry()",
]


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_system_role"), ("tenants", "0003_system_role")]

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "request_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("request_id", models.UUIDField()),
                ("project", models.CharField(max_length=24)),
                ("jws", models.TextField()),
                ("issued_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
        TenantTable("usage_receipt"),
        AppendOnly("usage_receipt"),
        migrations.RunSQL(
            OF_AN_ENTRY,
            [
                "DROP TRIGGER of_an_entry ON usage_receipt",
                "DROP FUNCTION usage_receipt_of_an_entry()",
            ],
        ),
    ]
