"""Tables of what can be run: regions, chips, models, offerings, customers' own models."""

from django.db import migrations, models
from django.db.models.functions import Now

from tenants.migration_ops import Tables


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _to(model: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(on_delete=models.PROTECT, related_name="+", to=model, **options)


class Migration(migrations.Migration):
    initial = True

    # A database of before: see docs/adr/0018.
    replaces = [
        ("catalog", name)
        for name in (
            "0001_initial",
            "0002_places",
            "0003_evidence",
            "0004_engines",
        )
    ]

    dependencies = [("tenants", "0001_baseline")]

    operations = [
        Tables(
            migrations.CreateModel(
                name="Region",
                fields=[
                    ("id", _id()),
                    ("name_ko", models.CharField(max_length=80)),
                    ("name_en", models.CharField(max_length=80)),
                    ("code", models.SlugField(max_length=24, unique=True)),
                    ("order", models.PositiveSmallIntegerField(default=0)),
                    ("latitude", models.FloatField(null=True)),
                    ("longitude", models.FloatField(null=True)),
                ],
                options={"ordering": ["order", "code"]},
            ),
            migrations.CreateModel(
                name="Chip",
                fields=[
                    ("id", _id()),
                    ("name_ko", models.CharField(max_length=80)),
                    ("name_en", models.CharField(max_length=80)),
                    ("mark", models.CharField(blank=True, max_length=16)),
                    ("source_name", models.CharField(blank=True, max_length=120)),
                    ("source_url", models.URLField(blank=True, max_length=300)),
                    ("source_date", models.DateField(blank=True, null=True)),
                    ("code", models.SlugField(max_length=24, unique=True)),
                    ("vendor", models.CharField(max_length=40)),
                    ("memory_gib", models.PositiveSmallIntegerField()),
                    ("tdp_watts", models.PositiveSmallIntegerField()),
                    ("order", models.PositiveSmallIntegerField(default=0)),
                    (
                        "devices",
                        models.PositiveSmallIntegerField(
                            default=1,
                            help_text="Devices that the operating system sees in one card.",
                        ),
                    ),
                    (
                        "resource",
                        models.CharField(
                            blank=True, help_text="Its name in Kubernetes.", max_length=40
                        ),
                    ),
                    (
                        "ray_resource",
                        models.CharField(blank=True, help_text="Its name in Ray.", max_length=24),
                    ),
                ],
                options={"ordering": ["order", "code"]},
            ),
            migrations.CreateModel(
                name="CatalogModel",
                fields=[
                    ("id", _id()),
                    ("name_ko", models.CharField(max_length=80)),
                    ("name_en", models.CharField(max_length=80)),
                    ("slug", models.SlugField(max_length=64, unique=True)),
                    ("kind", models.CharField(max_length=16)),
                    ("description_ko", models.TextField()),
                    ("description_en", models.TextField()),
                    ("publisher", models.CharField(max_length=80)),
                    ("licence", models.CharField(max_length=80)),
                    ("parameters_millions", models.PositiveIntegerField()),
                    ("answers_korean", models.BooleanField()),
                    ("context_tokens", models.PositiveIntegerField()),
                    ("default_max_tokens", models.PositiveIntegerField()),
                    (
                        "template_tokens",
                        models.PositiveSmallIntegerField(
                            help_text="Upper bound of what the chat template adds to one message, in tokens."
                        ),
                    ),
                ],
                options={
                    "ordering": ["slug"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["chat", "embedding"]),
                            name="catalog_model_kind",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Version",
                fields=[
                    ("id", _id()),
                    (
                        "model",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="versions",
                            to="catalog.catalogmodel",
                        ),
                    ),
                    ("label", models.CharField(max_length=40)),
                    (
                        "digest",
                        models.CharField(
                            blank=True, help_text="sha256: and 64 hex digits", max_length=71
                        ),
                    ),
                    (
                        "base_digest",
                        models.CharField(
                            blank=True,
                            help_text="Digest of the weights that it was tuned from.",
                            max_length=71,
                        ),
                    ),
                    (
                        "repository",
                        models.CharField(
                            blank=True, help_text="The publisher's own name.", max_length=160
                        ),
                    ),
                    (
                        "licence",
                        models.CharField(
                            blank=True, help_text="Empty: the model's.", max_length=80
                        ),
                    ),
                    (
                        "context_tokens",
                        models.PositiveIntegerField(help_text="Empty: the model's.", null=True),
                    ),
                    (
                        "languages",
                        models.JSONField(default=list, help_text="Codes that the publisher names."),
                    ),
                    ("modalities", models.JSONField(default=list, help_text="text, image, audio")),
                    (
                        "config",
                        models.JSONField(
                            default=dict,
                            help_text="What decides how it is compiled: catalog.manifest. Empty: nobody wrote it down.",
                        ),
                    ),
                    ("current", models.BooleanField(default=True)),
                    ("created_at", models.DateTimeField(db_default=Now())),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("model", "digest"), name="version_digest_once"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(current=True),
                            fields=("model",),
                            name="version_one_current",
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="OwnModel",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("name", models.CharField(max_length=60)),
                    ("base", _to("catalog.version")),
                    (
                        "location",
                        models.CharField(help_text="Address of its manifest.", max_length=300),
                    ),
                    (
                        "digest",
                        models.CharField(
                            help_text="Of the manifest: sha256: and 64 digits.", max_length=71
                        ),
                    ),
                    ("state", models.CharField(default="registered", max_length=16)),
                    (
                        "code",
                        models.CharField(
                            blank=True, help_text="Why it was refused.", max_length=32
                        ),
                    ),
                    (
                        "details",
                        models.JSONField(
                            default=dict, help_text="What the sentence of the code names."
                        ),
                    ),
                    (
                        "form",
                        models.CharField(blank=True, help_text="Of its files.", max_length=16),
                    ),
                    (
                        "weights",
                        models.CharField(
                            blank=True, help_text="Digest that sites compare.", max_length=71
                        ),
                    ),
                    (
                        "artifact",
                        models.CharField(
                            blank=True, help_text="What is loaded: a path.", max_length=300
                        ),
                    ),
                    ("bytes", models.BigIntegerField(null=True)),
                    ("context_tokens", models.PositiveIntegerField(null=True)),
                    ("languages", models.JSONField(default=list)),
                    ("registered_at", models.DateTimeField()),
                    ("registered_by", models.CharField(max_length=120)),
                    ("check_at", models.DateTimeField(help_text="Not checked before.")),
                    (
                        "checked_at",
                        models.DateTimeField(help_text="When the last check ended.", null=True),
                    ),
                    (
                        "attempts",
                        models.PositiveSmallIntegerField(
                            default=0, help_text="Of the check that goes on."
                        ),
                    ),
                    ("lease_token", models.UUIDField(null=True)),
                    ("lease_until", models.DateTimeField(null=True)),
                ],
                options={
                    "ordering": ["-registered_at", "-pk"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(state__in=["registered", "checking"]),
                            fields=["check_at"],
                            name="own_model_due",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="own_model_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(state="withdrawn", _negated=True),
                            fields=("organization", "name"),
                            name="own_model_name_once",
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(state="withdrawn", _negated=True),
                            fields=("organization", "digest"),
                            name="own_model_digest_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "registered",
                                    "checking",
                                    "admitted",
                                    "refused",
                                    "withdrawn",
                                ]
                            ),
                            name="own_model_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(state="admitted", _negated=True),
                                models.Q(
                                    models.Q(weights="", _negated=True),
                                    models.Q(artifact="", _negated=True),
                                ),
                                _connector="OR",
                            ),
                            name="own_model_admitted_whole",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                ("state", "refused"), ("code", ""), _connector="XOR"
                            ),
                            name="own_model_code_of_refused",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="OwnModelMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "own_model",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="catalog.ownmodel"
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=32)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="Offering",
                fields=[
                    ("id", _id()),
                    ("mark", models.CharField(blank=True, max_length=16)),
                    ("source_name", models.CharField(blank=True, max_length=120)),
                    ("source_url", models.URLField(blank=True, max_length=300)),
                    ("source_date", models.DateField(blank=True, null=True)),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="offerings", to="catalog.version"
                        ),
                    ),
                    (
                        "chip",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="offerings", to="catalog.chip"
                        ),
                    ),
                    ("cards", models.PositiveSmallIntegerField()),
                    ("sdk", models.CharField(max_length=40)),
                    (
                        "bundle",
                        models.CharField(
                            blank=True,
                            help_text="Digest of what was compiled for the chip, if it was.",
                            max_length=71,
                        ),
                    ),
                    (
                        "image",
                        models.CharField(
                            blank=True, help_text="Of its server, by digest.", max_length=300
                        ),
                    ),
                    (
                        "artifact",
                        models.CharField(
                            blank=True,
                            help_text="What is loaded: a Hugging Face id or a path.",
                            max_length=300,
                        ),
                    ),
                    (
                        "revision",
                        models.CharField(
                            blank=True, help_text="Of a Hugging Face id.", max_length=80
                        ),
                    ),
                    (
                        "settings",
                        models.JSONField(
                            default=dict, help_text="Known keys: portal.catalog.settings_of."
                        ),
                    ),
                    ("evidence", models.CharField(max_length=16)),
                    ("evidence_since", models.DateTimeField(db_default=Now())),
                    (
                        "parallel",
                        models.PositiveSmallIntegerField(
                            help_text="Requests answered at the same time."
                        ),
                    ),
                    ("context_tokens", models.PositiveIntegerField()),
                    ("note_ko", models.CharField(blank=True, max_length=200)),
                    ("note_en", models.CharField(blank=True, max_length=200)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("version", "chip", "sdk", "bundle", "cards"),
                            name="offering_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                evidence__in=[
                                    "measured",
                                    "claimed",
                                    "failing",
                                    "reverify",
                                    "simulated",
                                ]
                            ),
                            name="offering_evidence",
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="OfferingMove",
                fields=[
                    ("id", _id()),
                    (
                        "offering",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="catalog.offering"
                        ),
                    ),
                    ("from_state", models.CharField(max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-pk"]},
            ),
            migrations.CreateModel(
                name="Figure",
                fields=[
                    ("id", _id()),
                    ("mark", models.CharField(blank=True, max_length=16)),
                    ("source_name", models.CharField(blank=True, max_length=120)),
                    ("source_url", models.URLField(blank=True, max_length=300)),
                    ("source_date", models.DateField(blank=True, null=True)),
                    (
                        "offering",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="figures", to="catalog.offering"
                        ),
                    ),
                    ("kind", models.CharField(max_length=24)),
                    ("value", models.DecimalField(decimal_places=2, max_digits=12)),
                    ("conditions_ko", models.CharField(max_length=200)),
                    ("conditions_en", models.CharField(max_length=200)),
                ],
                options={
                    "ordering": ["kind", "-value", "pk"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("offering", "kind", "conditions_en"),
                            name="offering_figure_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                kind__in=["tokens_per_second", "first_token_ms", "power_watts"]
                            ),
                            name="offering_figure_kind",
                        ),
                    ],
                },
            ),
        )
    ]
