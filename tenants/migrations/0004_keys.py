"""What a key may do and from where. Keys of before keep all that they could do."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def everything() -> list[str]:
    return ["inference", "control_read", "control_write", "billing_read"]


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_system_role")]

    operations = [
        migrations.AddField(
            "apikey",
            "scopes",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(max_length=16), default=everything, size=None
            ),
        ),
        migrations.AlterField(
            "apikey",
            "scopes",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(max_length=16), default=list, size=None
            ),
        ),
        migrations.AddField(
            "apikey",
            "allowed_addresses",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(max_length=49),
                default=list,
                help_text="CIDR. Empty: from anywhere.",
                size=None,
            ),
        ),
        migrations.AddField(
            "apikey",
            "made_by",
            models.ForeignKey(
                help_text="Answers for the key.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "apikey",
            "replaces",
            models.CharField(
                blank=True, default="", help_text="The key it was rotated from.", max_length=24
            ),
            preserve_default=False,
        ),
    ]
