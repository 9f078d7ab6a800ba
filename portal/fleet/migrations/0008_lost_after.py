"""A bound of silence of its own for each site; empty: that of all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fleet", "0007_asked_at")]

    operations = [
        migrations.AddField(
            "site",
            "lost_after_seconds",
            models.PositiveIntegerField(
                null=True, help_text="Asked in vain for so long it is lost; empty: as all others."
            ),
        ),
        migrations.AddConstraint(
            "site",
            models.CheckConstraint(
                condition=models.Q(lost_after_seconds=None)
                | models.Q(lost_after_seconds__range=(60, 86400)),
                name="site_lost_after",
            ),
        ),
    ]
