"""The wall costs less: settings are asked once a statement, a person's organizations by a function.

Notices become the person's alone: the organization's other members have no business with them.
"""

from django.db import migrations

from tenants.migration_ops import SettingsOnce, SystemFunction

PERSON = "(SELECT NULLIF(current_setting('app.user', true), '')::bigint)"
MINE = f"user_id = {PERSON}"
OURS = "organization_id = (SELECT NULLIF(current_setting('app.org', true), '')::bigint)"
MEMBERS_ONLY = (
    "EXISTS (SELECT 1 FROM tenants_membership m "
    "WHERE m.organization_id = {table}.{column} AND m.user_id = "
    "NULLIF(current_setting('app.user', true), '')::bigint)"
)


def readable(table: str, column: str) -> migrations.RunSQL:
    """Rows of the person's own organizations, which one function finds once a statement."""
    return migrations.RunSQL(
        f"ALTER POLICY readable ON {table} "
        f"USING ({column} = ANY ((SELECT tenants_organizations_of_person())::bigint[]))",
        f"ALTER POLICY readable ON {table} USING ({MEMBERS_ONLY.format(table=table, column=column)})",
    )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0016_support")]

    operations = [
        SystemFunction(
            "tenants_organizations_of_person",
            "",
            "bigint[]",
            "SELECT coalesce(array_agg(m.organization_id), '{}') FROM tenants_membership m "
            "WHERE m.user_id = NULLIF(current_setting('app.user', true), '')::bigint",
        ),
        # Policies ask it of the tables' owner too, when it checks foreign keys.
        migrations.RunSQL(
            [
                "SET LOCAL ROLE dure_system",
                "GRANT EXECUTE ON FUNCTION tenants_organizations_of_person() TO SESSION_USER",
                "SET LOCAL ROLE NONE",
            ],
            migrations.RunSQL.noop,
        ),
        readable("tenants_organization", "id"),
        readable("tenants_policy", "organization_id"),
        migrations.RunSQL(
            [
                "DROP POLICY readable ON tenants_notice",
                f"ALTER POLICY tenant ON tenants_notice USING ({MINE}) WITH CHECK ({MINE})",
            ],
            [
                f"CREATE POLICY readable ON tenants_notice FOR SELECT USING ({MINE})",
                f"ALTER POLICY tenant ON tenants_notice USING ({OURS} OR {MINE}) "
                f"WITH CHECK ({OURS} OR {MINE})",
            ],
        ),
        SettingsOnce(),
        # One row by its index, on each page: here the sub-select costs more than it saves.
        migrations.RunSQL(
            "ALTER POLICY readable ON tenants_operatorhold USING "
            "(organization_id = NULLIF(current_setting('app.org', true), '')::bigint)",
            migrations.RunSQL.noop,
        ),
    ]
