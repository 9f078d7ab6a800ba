"""What was consumed: seen by its own tenant only, and never changed."""

from django.db import migrations
from django.db.migrations import RunSQL

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
    replaces = [("usage", "0012_day_spend")]

    dependencies = [("usage", "0001_baseline"), ("tenants", "0002_baseline_wall")]

    operations = [
        TenantTable("usage_cardtime"),
        TenantTable("usage_orphanedevent"),
        AppendOnly("usage_cardtime"),
        # Receipts: the tenant's own, kept as they were signed, each of an entry that there is.
        TenantTable("usage_receipt"),
        AppendOnly("usage_receipt"),
        RunSQL(OF_AN_ENTRY),
        # What was stored, day by day: no second twice.
        TenantTable("usage_storedvolume"),
        AppendOnly("usage_storedvolume"),
    ]
