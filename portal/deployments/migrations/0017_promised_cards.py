"""How many cards are promised at each site: added up where a placement is written.

An order asks it of all sites, and there are tens of thousands of replicas. The database itself
keeps the sums, in the transaction that writes the placement: no writer can forget them.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.special import RunSQL

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
    "GRANT CREATE ON SCHEMA public TO dure_system",  # a function's owner needs it
    f"ALTER FUNCTION {PROMISED}_written() OWNER TO dure_system",
    "REVOKE CREATE ON SCHEMA public FROM dure_system",
    _after("INSERT", f"{_held('NEW')} > 0"),
    _after(
        "UPDATE",
        f"(OLD.site_id, OLD.offering_id, {_held('OLD')}) IS DISTINCT FROM "
        f"(NEW.site_id, NEW.offering_id, {_held('NEW')})",
    ),
    _after("DELETE", f"{_held('OLD')} > 0"),
    f"REVOKE ALL ON {PROMISED} FROM dure_app",
]
# The placements that there are. Whoever migrates sees all: the wall is put up again after it.
BEFORE = [
    f"ALTER TABLE {PLACEMENTS} NO FORCE ROW LEVEL SECURITY",
    f"INSERT INTO {PROMISED} (site_id, offering_id, cards) "  # noqa: S608 - our own names
    f"SELECT site_id, offering_id, sum(cards) FROM {PLACEMENTS} "
    "WHERE wanted AND state <> 'stopped' AND cards > 0 GROUP BY site_id, offering_id",
    f"ALTER TABLE {PLACEMENTS} FORCE ROW LEVEL SECURITY",
]
GONE = [
    *(f"DROP TRIGGER promised_{deed} ON {PLACEMENTS}" for deed in ("insert", "update", "delete")),
    f"DROP FUNCTION {PROMISED}_written()",
    f"DROP FUNCTION {PROMISED}_add(bigint, bigint, integer)",
]


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_evidence"),
        ("deployments", "0016_drills"),
        ("fleet", "0009_usable_cards"),
    ]

    operations = [
        migrations.CreateModel(
            name="PromisedCards",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cards", models.IntegerField()),
                (
                    "offering",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="catalog.offering",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="fleet.site",
                    ),
                ),
            ],
            options={"ordering": ["site", "offering", "pk"]},
        ),
        RunSQL(KEPT, GONE),
        RunSQL(BEFORE, RunSQL.noop),
    ]
