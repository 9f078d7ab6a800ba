"""Evidence that never changes; models that customers bring: private, moved along arrows only."""

from django.db import migrations
from django.db.migrations import RunSQL

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

_TABLE = "catalog_ownmodel"
_ARROWS = (
    "('registered', 'checking'), ('checking', 'registered'), ('checking', 'admitted'), "
    "('checking', 'refused'), ('refused', 'registered'), ('registered', 'withdrawn'), "
    "('refused', 'withdrawn'), ('admitted', 'withdrawn')"
)
# What was registered never changes, and what was found of it not after it was admitted.
_FIXED = "organization_id, public_id, name, base_id, location, digest, registered_at"
_FOUND = "form, weights, artifact, bytes, context_tokens"


def _row(columns: str, of: str) -> str:
    return "(" + ", ".join(f"{of}.{one.strip()}" for one in columns.split(",")) + ")"


_GUARD = (
    f"CREATE FUNCTION {_TABLE}_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({_ARROWS}) THEN "
    f"RAISE EXCEPTION '{_TABLE}: % does not lead to %', OLD.state, NEW.state "
    "USING ERRCODE = 'check_violation'; END IF; "
    f"IF {_row(_FIXED, 'NEW')} IS DISTINCT FROM {_row(_FIXED, 'OLD')} "
    "OR (OLD.state IN ('admitted', 'withdrawn') "
    f"AND {_row(_FOUND, 'NEW')} IS DISTINCT FROM {_row(_FOUND, 'OLD')}) THEN "
    f"RAISE EXCEPTION '{_TABLE}: what was registered or admitted does not change' "
    "USING ERRCODE = 'restrict_violation'; END IF; "
    "RETURN NEW; END $$"
)


class Migration(migrations.Migration):
    replaces = [("catalog", "0005_own_models")]

    dependencies = [("catalog", "0001_baseline"), ("tenants", "0002_baseline_wall")]

    operations = [
        AppendOnly("catalog_offeringmove"),
        TenantTable("catalog_ownmodel"),
        TenantTable("catalog_ownmodelmove"),
        TenantForeignKey("catalog_ownmodelmove", "own_model_id", "catalog_ownmodel"),
        AppendOnly("catalog_ownmodelmove"),
        RunSQL(
            [
                _GUARD,
                f"CREATE TRIGGER moved BEFORE UPDATE ON {_TABLE} FOR EACH ROW "
                f"EXECUTE FUNCTION {_TABLE}_moved()",
            ]
        ),
    ]
