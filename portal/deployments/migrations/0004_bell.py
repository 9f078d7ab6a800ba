"""A bell for who publishes what gateways know: rung at the commit that changes a route or a key.

It only makes the publisher look at once, instead of at its next look. What rings no bell is found
as well.
"""

from django.db import migrations
from django.db.migrations import RunSQL

# table → deeds. Of a placement and a site not each report: only what a route is made of.
RINGS = {
    "deployments_endpoint": "INSERT OR DELETE OR UPDATE",
    "deployments_placement": (
        "INSERT OR DELETE OR UPDATE OF state, wanted, url, weight, leaving_at, epoch"
    ),
    "deployments_drill": "UPDATE OF state, withdrawn_at, returned_at",
    "fleet_site": "INSERT OR UPDATE OF health, condition",
    "tenants_apikey": "INSERT OR DELETE OR UPDATE OF revoked_at, expires_at",
}


class Migration(migrations.Migration):
    dependencies = [
        ("deployments", "0003_baseline_counts"),
        ("fleet", "0002_baseline_counts"),
        ("tenants", "0004_baseline_terms"),
    ]

    operations = [
        RunSQL(
            "CREATE FUNCTION deployments_ring() RETURNS trigger LANGUAGE plpgsql AS "
            "$fn$ BEGIN PERFORM pg_notify('dure_routes', ''); RETURN NULL; END $fn$",
            "DROP FUNCTION deployments_ring()",
        ),
        *(
            RunSQL(
                f"CREATE TRIGGER ring AFTER {deeds} ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION deployments_ring()",
                f"DROP TRIGGER ring ON {table}",
            )
            for table, deeds in RINGS.items()
        ),
    ]
