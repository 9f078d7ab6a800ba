"""A replica may be asked for in the stead of another, which then takes nothing new."""

from django.db import migrations, models

INSTEAD = "Public id of the replica that it replaces."
LEAVING = "It takes no new requests since then."


class Migration(migrations.Migration):
    dependencies = [("deployments", "0008_apart"), ("fleet", "0005_sites")]

    operations = [
        migrations.AddField(
            "placement",
            "instead_of",
            models.CharField(blank=True, help_text=INSTEAD, max_length=24),
        ),
        migrations.AddField(
            "placement", "leaving_at", models.DateTimeField(help_text=LEAVING, null=True)
        ),
        migrations.AddIndex(
            "placement",
            models.Index(
                condition=~models.Q(instead_of=""), fields=["instead_of"], name="placement_instead"
            ),
        ),
    ]
