"""What an offering consists of, how far it was shown to run, and figures with their sources."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from tenants.migration_ops import AppendOnly


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_places"),
    ]

    operations = [
        migrations.CreateModel(
            name="Figure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mark", models.CharField(blank=True, max_length=16)),
                ("source_name", models.CharField(blank=True, max_length=120)),
                ("source_url", models.URLField(blank=True, max_length=300)),
                ("source_date", models.DateField(blank=True, null=True)),
                ("kind", models.CharField(max_length=24)),
                ("value", models.DecimalField(decimal_places=2, max_digits=12)),
                ("conditions_ko", models.CharField(max_length=200)),
                ("conditions_en", models.CharField(max_length=200)),
            ],
            options={
                "ordering": ["kind", "-value", "pk"],
            },
        ),
        migrations.CreateModel(
            name="OfferingMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("because", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="offering",
            name="offering_once",
        ),
        migrations.RemoveConstraint(
            model_name="offering",
            name="offering_evidence",
        ),
        migrations.AddField(
            model_name="chip",
            name="devices",
            field=models.PositiveSmallIntegerField(
                default=1, help_text="Devices that the operating system sees in one card."
            ),
        ),
        migrations.AddField(
            model_name="chip",
            name="mark",
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.AddField(
            model_name="chip",
            name="ray_resource",
            field=models.CharField(blank=True, help_text="Its name in Ray.", max_length=24),
        ),
        migrations.AddField(
            model_name="chip",
            name="resource",
            field=models.CharField(blank=True, help_text="Its name in Kubernetes.", max_length=40),
        ),
        migrations.AddField(
            model_name="chip",
            name="source_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="chip",
            name="source_name",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="chip",
            name="source_url",
            field=models.URLField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name="offering",
            name="bundle",
            field=models.CharField(
                blank=True,
                help_text="Digest of what was compiled for the chip, if it was.",
                max_length=71,
            ),
        ),
        migrations.AddField(
            model_name="offering",
            name="evidence_since",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name="offering",
            name="settings",
            field=models.JSONField(
                default=dict, help_text="Known keys: portal.catalog.settings_of."
            ),
        ),
        migrations.AddField(
            model_name="version",
            name="base_digest",
            field=models.CharField(
                blank=True, help_text="Digest of the weights that it was tuned from.", max_length=71
            ),
        ),
        migrations.AddField(
            model_name="version",
            name="context_tokens",
            field=models.PositiveIntegerField(help_text="Empty: the model's.", null=True),
        ),
        migrations.AddField(
            model_name="version",
            name="languages",
            field=models.JSONField(default=list, help_text="Codes that the publisher names."),
        ),
        migrations.AddField(
            model_name="version",
            name="licence",
            field=models.CharField(blank=True, help_text="Empty: the model's.", max_length=80),
        ),
        migrations.AddField(
            model_name="version",
            name="modalities",
            field=models.JSONField(default=list, help_text="text, image, audio"),
        ),
        migrations.AddField(
            model_name="version",
            name="repository",
            field=models.CharField(
                blank=True, help_text="The publisher's own name.", max_length=160
            ),
        ),
        migrations.AlterField(
            model_name="version",
            name="digest",
            field=models.CharField(
                blank=True, help_text="sha256: and 64 hex digits", max_length=71
            ),
        ),
        migrations.AddConstraint(
            model_name="offering",
            constraint=models.UniqueConstraint(
                fields=("version", "chip", "sdk", "bundle", "cards"), name="offering_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="offering",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("evidence__in", ["measured", "claimed", "failing", "reverify", "simulated"])
                ),
                name="offering_evidence",
            ),
        ),
        migrations.AddField(
            model_name="figure",
            name="offering",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="figures",
                to="catalog.offering",
            ),
        ),
        migrations.AddField(
            model_name="offeringmove",
            name="offering",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="moves",
                to="catalog.offering",
            ),
        ),
        migrations.AddConstraint(
            model_name="figure",
            constraint=models.UniqueConstraint(
                fields=("offering", "kind", "conditions_en"), name="offering_figure_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="figure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["tokens_per_second", "first_token_ms", "power_watts"])
                ),
                name="offering_figure_kind",
            ),
        ),
        AppendOnly("catalog_offeringmove"),
    ]
