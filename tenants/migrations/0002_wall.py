"""The wall between tenants: row-level security, keys that include the organization, append-only."""

from django.db import migrations

from tenants.migration_ops import AppendOnly, TenantForeignKey, TenantTable

ORGANIZATION = "id = NULLIF(current_setting('app.org', true), '')::bigint"
MY_MEMBERSHIPS = "user_id = NULLIF(current_setting('app.user', true), '')::bigint"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        TenantTable(
            "tenants_organization",
            mine=ORGANIZATION,
            also_readable=(
                "EXISTS (SELECT 1 FROM tenants_membership m "
                f"WHERE m.organization_id = tenants_organization.id AND m.{MY_MEMBERSHIPS})"
            ),
        ),
        TenantTable("tenants_membership", also_readable=MY_MEMBERSHIPS),
        TenantTable("tenants_project"),
        TenantTable("tenants_apikey"),
        TenantTable("tenants_auditevent"),
        TenantForeignKey("tenants_apikey", "project_id", "tenants_project"),
        AppendOnly("tenants_auditevent"),
    ]
