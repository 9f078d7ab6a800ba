"""Platform work takes a role of its own instead of a setting that any statement could make."""

from django.db import migrations

from tenants.migration_ops import SystemFunction, SystemRole

ORGANIZATION = "id = NULLIF(current_setting('app.org', true), '')::bigint"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_wall")]

    operations = [
        migrations.RunSQL(
            [
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
                " TO dure_system",
                "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO dure_system",
            ],
            migrations.RunSQL.noop,
        ),
        SystemRole("tenants_organization", mine=ORGANIZATION),
        SystemRole("tenants_membership", "tenants_project", "tenants_apikey", "tenants_auditevent"),
        SystemFunction(
            "tenants_organization_of_key",
            "key_sha256 text",
            "bigint",
            "SELECT organization_id FROM tenants_apikey WHERE sha256 = key_sha256",
        ),
    ]
