"""When keys were last used. Keys of before are answered for by their organization's first owner."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_foundations"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="used_at",
            field=models.DateTimeField(help_text="Known to the minute.", null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="used_from",
            field=models.CharField(blank=True, help_text="Internet address.", max_length=45),
        ),
        migrations.RunSQL(
            [
                "SET LOCAL ROLE dure_system",
                "UPDATE tenants_apikey k SET made_by_id = ("
                "SELECT m.user_id FROM tenants_membership m "
                "WHERE m.organization_id = k.organization_id AND m.role = 'owner' "
                "ORDER BY m.joined_at, m.id LIMIT 1) WHERE k.made_by_id IS NULL",
                "RESET ROLE",
            ],
            migrations.RunSQL.noop,
        ),
    ]
