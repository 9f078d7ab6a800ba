"""What the database itself counts: publications, and how many cards are promised at each site.

An order asks for the promised cards of all sites, and there are tens of thousands of replicas. The
sums are kept in the transaction that writes the placement: no writer can forget them.
"""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import run_as_system

PLACEMENTS, PROMISED = "deployments_placement", "deployments_promisedcards"

# A row of the sum that another transaction holds is left alone, and one more is begun: those who
# stop replicas of several sites, in any order, never wait for each other.
ADD = f"""
    CREATE FUNCTION {PROMISED}_add(site bigint, offering bigint, more integer) RETURNS void
    LANGUAGE plpgsql AS $fn$ BEGIN
      UPDATE {PROMISED} SET cards = cards + more WHERE id = (
        SELECT id FROM {PROMISED} WHERE site_id = site AND offering_id = offering
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
      );
      IF NOT FOUND THEN
        INSERT INTO {PROMISED} (site_id, offering_id, cards) VALUES (site, offering, more);
      END IF;
    END $fn$
"""  # noqa: S608 - our own names


def _held(row: str) -> str:
    """What a placement holds: as in ``PlacementQuerySet.living`` and ``wanted``."""
    return f"(CASE WHEN {row}.wanted AND {row}.state <> 'stopped' THEN {row}.cards ELSE 0 END)"


WRITTEN = f"""
    CREATE FUNCTION {PROMISED}_written() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $fn$ BEGIN
      IF TG_OP <> 'INSERT' AND {_held("OLD")} > 0 THEN
        PERFORM {PROMISED}_add(OLD.site_id, OLD.offering_id, -{_held("OLD")});
      END IF;
      IF TG_OP <> 'DELETE' AND {_held("NEW")} > 0 THEN
        PERFORM {PROMISED}_add(NEW.site_id, NEW.offering_id, {_held("NEW")});
      END IF;
      RETURN NULL;
    END $fn$
"""


def _after(deed: str, when: str) -> str:
    return (
        f"CREATE TRIGGER promised_{deed.lower()} AFTER {deed} ON {PLACEMENTS} FOR EACH ROW "
        f"WHEN ({when}) EXECUTE FUNCTION {PROMISED}_written()"
    )


KEPT = [
    ADD,
    WRITTEN,
    *run_as_system(f"{PROMISED}_written()"),
    _after("INSERT", f"{_held('NEW')} > 0"),
    _after(
        "UPDATE",
        f"(OLD.site_id, OLD.offering_id, {_held('OLD')}) IS DISTINCT FROM "
        f"(NEW.site_id, NEW.offering_id, {_held('NEW')})",
    ),
    _after("DELETE", f"{_held('OLD')} > 0"),
    f"REVOKE ALL ON {PROMISED} FROM dure_app",
]


class Migration(migrations.Migration):
    replaces = [("deployments", "0020_placement_changing")]

    dependencies = [("deployments", "0002_baseline_wall")]

    operations = [
        # The number that route tables and grants carry: it only grows, whoever publishes.
        RunSQL("CREATE SEQUENCE publication_number AS bigint", "DROP SEQUENCE publication_number"),
        RunSQL(KEPT),
    ]
