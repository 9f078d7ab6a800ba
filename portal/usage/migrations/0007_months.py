"""The ledger by months. What there is becomes the first partition as it stands: nothing is copied.

Attaching looks through the old table once, and nobody reads or writes the ledger meanwhile.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.special import RunSQL, SeparateDatabaseAndState

from tenants.migration_ops import AppendOnly, TenantTable

LEDGER, BEFORE, REST = "usage_ledgerentry", "usage_ledger_before", "usage_ledger_rest"

# The foreign key looked the organization up for every row and its index repeated the first column
# of others: together a quarter of what a row cost. The trigger below asks once a statement.
SET_ASIDE = [
    f"ALTER TABLE {LEDGER} NO FORCE ROW LEVEL SECURITY",  # until its last day was looked up
    f"ALTER TABLE {LEDGER} RENAME TO {BEFORE}",
    f"DROP TRIGGER append_only ON {BEFORE}",
    f"DROP TRIGGER append_only_truncate ON {BEFORE}",
    f"DROP FUNCTION {LEDGER}_append_only()",
    f"DROP POLICY tenant ON {BEFORE}",
    f"DROP POLICY system ON {BEFORE}",
    f"""
    DO $do$ DECLARE one record; BEGIN
      FOR one IN SELECT conname FROM pg_constraint
        WHERE conrelid = '{BEFORE}'::regclass AND contype = 'f'
      LOOP EXECUTE format('ALTER TABLE {BEFORE} DROP CONSTRAINT %I', one.conname); END LOOP;
      FOR one IN SELECT indexrelid::regclass AS name FROM pg_index
        WHERE indrelid = '{BEFORE}'::regclass AND indexrelid::regclass::text LIKE '%organization_id%'
      LOOP EXECUTE format('DROP INDEX %s', one.name); END LOOP;
    END $do$
    """,
    f"ALTER INDEX {LEDGER}_pkey RENAME TO {BEFORE}_pkey",
    "ALTER INDEX ledger_org_time RENAME TO before_ledger_org_time",
    "ALTER INDEX ledger_key_time RENAME TO before_ledger_key_time",
    "ALTER INDEX ledger_unusual RENAME TO before_ledger_unusual",
]

DIVIDED = [
    f"CREATE TABLE {LEDGER} (LIKE {BEFORE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
    "PARTITION BY RANGE (day)",
    f"ALTER TABLE {LEDGER} ADD CONSTRAINT {LEDGER}_pkey PRIMARY KEY (day, request_id)",
    f"CREATE INDEX ledger_org_time ON {LEDGER} (organization_id, admitted_at)",
    f"CREATE INDEX ledger_key_time ON {LEDGER} (organization_id, key, admitted_at)",
    f"CREATE INDEX ledger_unusual ON {LEDGER} (organization_id, admitted_at) "
    "WHERE late OR written_off_micro > 0 OR NOT outcome = 'answered'",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {LEDGER} TO dure_app, dure_system",
]

# Nobody reads or writes a month by its own name: only through the ledger, whose wall holds.
GUARDS = """
    EXECUTE format('REVOKE ALL ON %I FROM dure_app, dure_system', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I '
      'FOR EACH STATEMENT EXECUTE FUNCTION usage_ledgerentry_append_only()', name);
"""

MONTH = f"""
    CREATE FUNCTION usage_ledger_month(month date) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s' AS $fn$
    DECLARE
      name text := 'usage_ledger_' || to_char(month, 'YYYY_MM');
      next date := (month + interval '1 month')::date;
    BEGIN
      PERFORM pg_advisory_xact_lock(hashtext('usage_ledger_month'));
      IF month <> date_trunc('month', month)::date THEN
        RAISE EXCEPTION 'usage_ledger_month: % is not the first day of a month', month;
      END IF;
      IF to_regclass('public.' || name) IS NOT NULL OR next <= usage_ledger_months_begin() THEN
        RETURN false;
      END IF;
      EXECUTE format('CREATE TABLE public.%I (LIKE usage_ledgerentry INCLUDING DEFAULTS '
        'INCLUDING CONSTRAINTS)', name);
      {GUARDS}
      EXECUTE format('ALTER TABLE usage_ledgerentry ATTACH PARTITION %I '
        'FOR VALUES FROM (%L) TO (%L)', name, month, next);
      RETURN true;
    EXCEPTION WHEN check_violation THEN
      RETURN false;  -- some of its rows are in the rest already, and stay there
    END $fn$
"""

FIRST_MONTHS = f"""
    DO $do$ DECLARE begins date; name text; BEGIN
      SELECT (date_trunc('month', greatest(max(day), (now() AT TIME ZONE 'UTC')::date))
        + interval '1 month')::date INTO begins FROM {BEFORE};
      EXECUTE format('CREATE FUNCTION usage_ledger_months_begin() RETURNS date LANGUAGE sql '
        'IMMUTABLE AS $b$ SELECT %L::date $b$', begins);
      FOREACH name IN ARRAY ARRAY['{BEFORE}'] LOOP {GUARDS} END LOOP;
      EXECUTE format('ALTER TABLE {LEDGER} ATTACH PARTITION {BEFORE} '
        'FOR VALUES FROM (MINVALUE) TO (%L)', begins);
      CREATE TABLE {REST} (LIKE {LEDGER} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
      FOREACH name IN ARRAY ARRAY['{REST}'] LOOP {GUARDS} END LOOP;
      ALTER TABLE {LEDGER} ATTACH PARTITION {REST} DEFAULT;
      FOR ahead IN 0..3 LOOP
        PERFORM usage_ledger_month((begins + ahead * interval '1 month')::date);
      END LOOP;
    END $do$
"""


def as_system(name):
    """Let a trigger's function look past the wall, whoever changes the row."""
    return [
        "GRANT CREATE ON SCHEMA public TO dure_system",  # a function's owner needs it
        f"ALTER FUNCTION {name}() OWNER TO dure_system",
        "REVOKE CREATE ON SCHEMA public FROM dure_system",
    ]


DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"
KNOWN_ORGANIZATION = [
    f"""
    CREATE FUNCTION {LEDGER}_known() RETURNS trigger {DEFINER} AS $fn$
    DECLARE one bigint; BEGIN
      FOR one IN SELECT DISTINCT organization_id FROM fresh LOOP
        PERFORM 1 FROM tenants_organization WHERE id = one FOR KEY SHARE;
        IF NOT FOUND THEN
          RAISE EXCEPTION '{LEDGER}: there is no organization %', one
            USING ERRCODE = 'foreign_key_violation';
        END IF;
      END LOOP;
      RETURN NULL;
    END $fn$
    """,
    *as_system(f"{LEDGER}_known"),
    f"CREATE TRIGGER of_an_organization AFTER INSERT ON {LEDGER} REFERENCING NEW TABLE AS fresh "
    f"FOR EACH STATEMENT EXECUTE FUNCTION {LEDGER}_known()",
    f"""
    CREATE FUNCTION {LEDGER}_kept() RETURNS trigger {DEFINER} AS $fn$ BEGIN
      IF EXISTS (SELECT 1 FROM {LEDGER} WHERE organization_id = OLD.id) THEN
        RAISE EXCEPTION '{LEDGER}: entries name organization %', OLD.id
          USING ERRCODE = 'foreign_key_violation';
      END IF;
      RETURN OLD;
    END $fn$
    """,
    *as_system(f"{LEDGER}_kept"),
    "CREATE TRIGGER of_the_ledger BEFORE DELETE ON tenants_organization "
    f"FOR EACH ROW EXECUTE FUNCTION {LEDGER}_kept()",
]


class Migration(migrations.Migration):
    dependencies = [("usage", "0006_facts"), ("tenants", "0003_system_role")]

    operations = [
        SeparateDatabaseAndState(
            database_operations=[
                RunSQL(SET_ASIDE),
                RunSQL(DIVIDED),
                TenantTable(LEDGER),
                AppendOnly(LEDGER),
                RunSQL([MONTH, FIRST_MONTHS]),
                RunSQL(
                    [
                        "REVOKE ALL ON FUNCTION usage_ledger_month(date) FROM PUBLIC",
                        "GRANT EXECUTE ON FUNCTION usage_ledger_month(date) "
                        "TO dure_app, dure_system",
                    ]
                ),
                RunSQL(KNOWN_ORGANIZATION),
            ],
            state_operations=[
                migrations.AlterField(
                    "ledgerentry",
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
        ),
    ]
