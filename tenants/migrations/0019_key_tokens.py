"""A key may be limited to so many tokens a minute; those that exist stay without such a limit."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0018_operators_deeds")]

    operations = [
        migrations.AddField(
            "apikey",
            "tpm_limit",
            models.PositiveIntegerField(
                default=0, help_text="Tokens a minute, worst cases counted. 0: no such limit."
            ),
        ),
    ]
