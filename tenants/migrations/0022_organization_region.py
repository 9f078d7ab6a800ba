"""An organization may say in which region it is, so that sites near it are preferred."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0021_replay")]

    operations = [
        migrations.AddField(
            "organization",
            "region",
            models.CharField(
                blank=True,
                default="",
                help_text="Where it is; sites there come first.",
                max_length=24,
            ),
        ),
    ]
