"""What an offering's engine is started from, and where that was read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_evidence"),
    ]

    operations = [
        migrations.AddField(
            model_name="offering",
            name="artifact",
            field=models.CharField(
                blank=True, help_text="What is loaded: a Hugging Face id or a path.", max_length=300
            ),
        ),
        migrations.AddField(
            model_name="offering",
            name="image",
            field=models.CharField(
                blank=True, help_text="Of its server, by digest.", max_length=300
            ),
        ),
        migrations.AddField(
            model_name="offering",
            name="mark",
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.AddField(
            model_name="offering",
            name="revision",
            field=models.CharField(blank=True, help_text="Of a Hugging Face id.", max_length=80),
        ),
        migrations.AddField(
            model_name="offering",
            name="source_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="offering",
            name="source_name",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="offering",
            name="source_url",
            field=models.URLField(blank=True, max_length=300),
        ),
    ]
