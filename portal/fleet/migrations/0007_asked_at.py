"""When a site was asked last, so that the next sweep begins with who waited longest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0006_site_offerings"),
    ]

    operations = [
        migrations.AddField(
            model_name="site",
            name="asked_at",
            field=models.DateTimeField(
                blank=True, help_text="Its last round began then.", null=True
            ),
        ),
    ]
