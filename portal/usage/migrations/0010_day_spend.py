"""What each key was charged a day: kept by the database itself, in the ledger's transactions."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.special import RunSQL

from tenants.migration_ops import TenantTable

LEDGER, DAYS = "usage_ledgerentry", "usage_dayspend"
_SUMS = """
    SELECT organization_id, (admitted_at AT TIME ZONE 'Asia/Seoul')::date AS day, project, key,
      count(*) AS requests, sum(settled_micro) AS settled_micro
    FROM {source} GROUP BY 1, 2, 3, 4
"""
_COLUMNS = "organization_id, day, project, key, requests, settled_micro"

# In an order of their own, so that two batches that meet wait for each other and never crosswise.
_ADD = f"""
    INSERT INTO {DAYS} AS known ({_COLUMNS})
    SELECT {_COLUMNS} FROM ({_SUMS.format(source="fresh")}) AS summed ORDER BY 1, 2, 3, 4
    ON CONFLICT (organization_id, day, project, key) DO UPDATE SET
      requests = known.requests + excluded.requests,
      settled_micro = known.settled_micro + excluded.settled_micro
"""

KEPT = [
    f"""
    CREATE FUNCTION {DAYS}_add() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $fn$ BEGIN {_ADD}; RETURN NULL; END $fn$
    """,
    "GRANT CREATE ON SCHEMA public TO dure_system",  # a function's owner needs it
    f"ALTER FUNCTION {DAYS}_add() OWNER TO dure_system",
    "REVOKE CREATE ON SCHEMA public FROM dure_system",
    f"CREATE TRIGGER by_day AFTER INSERT ON {LEDGER} REFERENCING NEW TABLE AS fresh "
    f"FOR EACH STATEMENT EXECUTE FUNCTION {DAYS}_add()",
    f"REVOKE INSERT, UPDATE, DELETE ON {DAYS} FROM dure_app",
]

# The entries that there are. Whoever migrates sees all of them: the wall is put up again after it.
BEFORE = [
    f"ALTER TABLE {LEDGER} NO FORCE ROW LEVEL SECURITY",
    f"ALTER TABLE {DAYS} NO FORCE ROW LEVEL SECURITY",
    f"INSERT INTO {DAYS} ({_COLUMNS}) {_SUMS.format(source=LEDGER)}",  # noqa: S608 - our own names
    f"ALTER TABLE {DAYS} FORCE ROW LEVEL SECURITY",
    f"ALTER TABLE {LEDGER} FORCE ROW LEVEL SECURITY",
]


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_gateways"), ("tenants", "0003_system_role")]

    operations = [
        migrations.CreateModel(
            name="DaySpend",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(help_text="Business day in Korea of the admission.")),
                ("project", models.CharField(max_length=24)),
                ("key", models.CharField(max_length=24)),
                ("requests", models.BigIntegerField()),
                ("settled_micro", models.BigIntegerField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "day", "project", "key"), name="day_spend_once"
                    )
                ]
            },
        ),
        TenantTable(DAYS),
        RunSQL(KEPT, RunSQL.noop),
        RunSQL(BEFORE, RunSQL.noop),
    ]
