"""The ledger by months: seen by its own tenant only, never changed; what it adds up to each day."""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import AppendOnly, TenantTable, run_as_system

LEDGER, DAYS = "usage_ledgerentry", "usage_dayspend"
BEFORE, REST = "usage_ledger_before", "usage_ledger_rest"

# Django makes a plain table: it becomes the partition of all days before the first whole month.
DIVIDED = [
    f"ALTER TABLE {LEDGER} RENAME TO {BEFORE}",
    f"ALTER INDEX {LEDGER}_pkey RENAME TO {BEFORE}_pkey",
    *(
        f"ALTER INDEX {name} RENAME TO before_{name}"
        for name in ("ledger_org_time", "ledger_key_time", "ledger_unusual")
    ),
    f"CREATE TABLE {LEDGER} (LIKE {BEFORE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
    "PARTITION BY RANGE (day)",
    f"ALTER TABLE {LEDGER} ADD CONSTRAINT {LEDGER}_pkey PRIMARY KEY (day, request_id)",
    f"CREATE INDEX ledger_org_time ON {LEDGER} (organization_id, admitted_at)",
    f"CREATE INDEX ledger_key_time ON {LEDGER} (organization_id, key, admitted_at)",
    f"CREATE INDEX ledger_unusual ON {LEDGER} (organization_id, admitted_at) "
    "WHERE late OR written_off_micro > 0 OR NOT outcome = 'answered'",
    "DROP INDEX ledger_recorded",
    f"CREATE INDEX ledger_recorded ON {LEDGER} USING brin (recorded_at) "
    "WITH (autosummarize = on, pages_per_range = 32)",
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
      begins := (date_trunc('month', (now() AT TIME ZONE 'UTC')::date) + interval '1 month')::date;
      EXECUTE format('CREATE FUNCTION usage_ledger_months_begin() RETURNS date LANGUAGE sql '
        'IMMUTABLE AS $b$ SELECT %L::date $b$', begins);
      CREATE TABLE {REST} (LIKE {LEDGER} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
      FOREACH name IN ARRAY ARRAY['{BEFORE}', '{REST}'] LOOP {GUARDS} END LOOP;
      EXECUTE format('ALTER TABLE {LEDGER} ATTACH PARTITION {BEFORE} '
        'FOR VALUES FROM (MINVALUE) TO (%L)', begins);
      ALTER TABLE {LEDGER} ATTACH PARTITION {REST} DEFAULT;
      FOR ahead IN 0..3 LOOP
        PERFORM usage_ledger_month((begins + ahead * interval '1 month')::date);
      END LOOP;
    END $do$
"""

# A foreign key looked the organization up for every row, and its index repeated the first column
# of others: together a quarter of what a row cost. The trigger below asks once a statement.
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
    *run_as_system(f"{LEDGER}_known()"),
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
    *run_as_system(f"{LEDGER}_kept()"),
    "CREATE TRIGGER of_the_ledger BEFORE DELETE ON tenants_organization "
    f"FOR EACH ROW EXECUTE FUNCTION {LEDGER}_kept()",
]

# What each key was charged a day: kept by the database itself, in the ledger's transactions.
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
    *run_as_system(f"{DAYS}_add()"),
    f"CREATE TRIGGER by_day AFTER INSERT ON {LEDGER} REFERENCING NEW TABLE AS fresh "
    f"FOR EACH STATEMENT EXECUTE FUNCTION {DAYS}_add()",
    f"REVOKE INSERT, UPDATE, DELETE ON {DAYS} FROM dure_app",
]


class Migration(migrations.Migration):
    replaces = [("usage", "0013_batch")]

    dependencies = [("usage", "0002_baseline_wall")]

    operations = [
        RunSQL(DIVIDED),
        TenantTable(LEDGER),
        AppendOnly(LEDGER),
        RunSQL(
            [
                MONTH,
                FIRST_MONTHS,
                "REVOKE ALL ON FUNCTION usage_ledger_month(date) FROM PUBLIC",
                "GRANT EXECUTE ON FUNCTION usage_ledger_month(date) TO dure_app, dure_system",
            ]
        ),
        RunSQL(KNOWN_ORGANIZATION),
        TenantTable(DAYS),
        RunSQL(KEPT),
    ]
