"""Moves that never change; what an order asks of a site, kept beside it: how many cards work, and
the watts it draws.

Both are kept by the database itself, in the transaction that writes what they are made of: whoever
writes a card or a report cannot forget them.
"""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import AppendOnly, run_as_system

CARDS, USABLE = "fleet_card", "fleet_usablecards"

# The row is locked before anything is counted: of two who write cards at one site, the second
# counts what the first has written.
COUNT = f"""
    CREATE FUNCTION {USABLE}_count(site bigint, chip bigint) RETURNS void LANGUAGE plpgsql AS $fn$
    BEGIN
      PERFORM 1 FROM {USABLE} WHERE site_id = site AND chip_id = chip FOR UPDATE;
      UPDATE {USABLE} AS known SET cards = counted.cards, free_by_node = counted.free
      FROM (
        SELECT coalesce(sum(machine.cards), 0)::int AS cards,
          CASE WHEN bool_and(node <> '') THEN
            coalesce(array_agg(free ORDER BY node) FILTER (WHERE free > 0), ARRAY[0])
            ELSE ARRAY[]::integer[] END AS free
        FROM (
          SELECT node, count(*) AS cards, (count(*) FILTER (WHERE state = 'free'))::int AS free
          FROM {CARDS}
          WHERE site_id = site AND chip_id = chip AND state NOT IN ('failed', 'gone')
          GROUP BY node
        ) AS machine
      ) AS counted
      WHERE site_id = site AND chip_id = chip
        AND (known.cards, known.free_by_node) IS DISTINCT FROM (counted.cards, counted.free);
    END $fn$
"""  # noqa: S608 - our own names

# In an order of their own, so that two who meet wait for each other and never crosswise. Where
# cards are removed, their site may be on its way out too: no row is made for it.
WRITTEN = f"""
    CREATE FUNCTION {USABLE}_written() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $fn$
    DECLARE kind record;
    BEGIN
      IF TG_OP <> 'DELETE' THEN
        INSERT INTO {USABLE} (site_id, chip_id, cards, free_by_node)
        SELECT DISTINCT site_id, chip_id, 0, ARRAY[]::integer[] FROM written ORDER BY 1, 2
        ON CONFLICT (site_id, chip_id) DO NOTHING;
      END IF;
      IF TG_OP = 'UPDATE' THEN
        FOR kind IN
          SELECT site_id, chip_id FROM written UNION SELECT site_id, chip_id FROM before
          ORDER BY 1, 2
        LOOP PERFORM {USABLE}_count(kind.site_id, kind.chip_id); END LOOP;
      ELSE
        FOR kind IN SELECT DISTINCT site_id, chip_id FROM written ORDER BY 1, 2
        LOOP PERFORM {USABLE}_count(kind.site_id, kind.chip_id); END LOOP;
      END IF;
      RETURN NULL;
    END $fn$
"""  # noqa: S608 - our own names


def _after(deed: str, rows: str) -> str:
    return (
        f"CREATE TRIGGER counted_{deed.lower()} AFTER {deed} ON {CARDS} REFERENCING {rows} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {USABLE}_written()"
    )


# Not a generated column: Django's checks would ask the server for its version.
WATTS = [
    """
    CREATE FUNCTION fleet_site_watts() RETURNS trigger LANGUAGE plpgsql AS $fn$ BEGIN
      NEW.watts_drawn := (NEW.report #>> '{power,facility_watts}')::double precision;
      RETURN NEW;
    END $fn$
    """,
    "CREATE TRIGGER watts BEFORE INSERT OR UPDATE OF report ON fleet_site "
    "FOR EACH ROW EXECUTE FUNCTION fleet_site_watts()",
]

KEPT = [
    COUNT,
    WRITTEN,
    *run_as_system(f"{USABLE}_written()"),
    _after("INSERT", "NEW TABLE AS written"),
    _after("UPDATE", "OLD TABLE AS before NEW TABLE AS written"),
    _after("DELETE", "OLD TABLE AS written"),
    f"REVOKE INSERT, UPDATE ON {USABLE} FROM dure_app",
]


class Migration(migrations.Migration):
    replaces = [("fleet", "0009_usable_cards")]

    dependencies = [("fleet", "0001_baseline"), ("tenants", "0002_baseline_wall")]

    operations = [
        AppendOnly("fleet_sitemove"),
        AppendOnly("fleet_siteofferingmove"),
        RunSQL(WATTS),
        RunSQL(KEPT),
    ]
