"""Changes of the price list that customers are told of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_renewals")]

    operations = [
        migrations.CreateModel(
            name="PriceNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "version",
                    models.CharField(help_text="Of the price or term.", max_length=24, unique=True),
                ),
                (
                    "what",
                    models.CharField(help_text="tokens, cards, storage or terms.", max_length=16),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="Model, chip, storage, or the term's item.", max_length=80
                    ),
                ),
                ("offering_class", models.CharField(blank=True, default="", max_length=24)),
                ("starts_at", models.DateTimeField()),
                (
                    "reached",
                    models.BigIntegerField(
                        default=0,
                        help_text="Organizations with a number up to this one have been told.",
                    ),
                ),
                ("told_at", models.DateTimeField(null=True)),
            ],
            options={"ordering": ["pk"]},
        ),
    ]
