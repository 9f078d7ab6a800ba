"""Tables of the sites that can run it: machines, cards, samples, outages."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

import portal.fleet.models
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
        ("fleet", name)
        for name in (
            "0001_initial",
            "0002_engine_counts",
            "0003_outages",
            "0004_nodes_and_power",
            "0005_sites",
            "0006_site_offerings",
            "0007_asked_at",
            "0008_lost_after",
        )
    ]

    dependencies = [("catalog", "0001_baseline")]

    operations = [
        Tables(
            migrations.CreateModel(
                name="Site",
                fields=[
                    ("id", _id()),
                    ("name_ko", models.CharField(max_length=80)),
                    ("name_en", models.CharField(max_length=80)),
                    ("code", models.SlugField(max_length=32, unique=True)),
                    (
                        "region",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="sites", to="catalog.region"
                        ),
                    ),
                    ("driver", models.CharField(max_length=24)),
                    ("control_url", models.URLField()),
                    ("sealed_token", models.TextField()),
                    ("simulated", models.BooleanField()),
                    (
                        "data_classes",
                        models.JSONField(default=portal.fleet.models.all_data_classes),
                    ),
                    ("enrolled_at", models.DateTimeField()),
                    ("condition", models.CharField(default="open", max_length=16)),
                    ("condition_since", models.DateTimeField(blank=True, null=True)),
                    ("condition_because", models.CharField(blank=True, max_length=300)),
                    ("health", models.CharField(default="waiting", max_length=16)),
                    ("health_since", models.DateTimeField(blank=True, null=True)),
                    (
                        "power_budget_watts",
                        models.PositiveIntegerField(
                            help_text="What the whole site may draw; empty: no bound.", null=True
                        ),
                    ),
                    (
                        "lost_after_seconds",
                        models.PositiveIntegerField(
                            help_text="Asked in vain for so long it is lost; empty: as all others.",
                            null=True,
                        ),
                    ),
                    ("generation", models.PositiveBigIntegerField(default=0)),
                    ("wanted_digest", models.CharField(blank=True, max_length=64)),
                    ("observed_at", models.DateTimeField(blank=True, null=True)),
                    ("report", models.JSONField(blank=True, null=True)),
                    ("watts_drawn", models.FloatField(editable=False, null=True)),
                    (
                        "sdks",
                        models.JSONField(
                            default=dict,
                            help_text="Chip → the SDK's version, as the site last told it.",
                        ),
                    ),
                    ("trouble", models.CharField(blank=True, max_length=300)),
                    ("trouble_since", models.DateTimeField(blank=True, null=True)),
                    ("lease_owner", models.CharField(blank=True, max_length=80)),
                    ("lease_token", models.UUIDField(blank=True, null=True)),
                    ("lease_until", models.DateTimeField(blank=True, null=True)),
                    (
                        "asked_at",
                        models.DateTimeField(
                            blank=True, help_text="Its last round began then.", null=True
                        ),
                    ),
                ],
                options={
                    "ordering": ["code"],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(
                                condition__in=[
                                    "open",
                                    "cordoned",
                                    "draining",
                                    "maintenance",
                                    "retired",
                                ]
                            ),
                            name="site_condition",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                health__in=[
                                    "waiting",
                                    "ready",
                                    "degraded",
                                    "unreachable",
                                    "lost",
                                    "returned",
                                ]
                            ),
                            name="site_health",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                lost_after_seconds=None,
                                lost_after_seconds__range=(60, 86400),
                                _connector="OR",
                            ),
                            name="site_lost_after",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="SiteMove",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="fleet.site"
                        ),
                    ),
                    ("kind", models.CharField(max_length=16)),
                    ("from_state", models.CharField(max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("codes", models.JSONField(default=list)),
                    ("because", models.CharField(blank=True, max_length=300)),
                    (
                        "by",
                        models.CharField(
                            blank=True, help_text="Opaque; empty: a worker.", max_length=120
                        ),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["-at", "-id"],
                    "indexes": [models.Index(fields=["site", "-at"], name="site_move_latest")],
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(kind__in=["health", "condition"]),
                            name="site_move_kind",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="SiteOutage",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="outages", to="fleet.site"
                        ),
                    ),
                    ("started_at", models.DateTimeField()),
                    ("ended_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("site", "started_at"), name="site_outage_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(ended_at__gt=models.F("started_at")),
                            name="site_outage_forward",
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="EngineSample",
                fields=[
                    ("id", _id()),
                    ("placement", models.CharField(max_length=24, unique=True)),
                    ("since_ms", models.BigIntegerField()),
                    ("tokens_in", models.BigIntegerField()),
                    ("tokens_out", models.BigIntegerField()),
                    ("requests", models.BigIntegerField(null=True)),
                    ("seen_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="EngineDay",
                fields=[
                    ("id", _id()),
                    ("site", _to("fleet.site")),
                    ("placement", models.CharField(max_length=24)),
                    ("day", models.DateField()),
                    ("tokens_in", models.BigIntegerField(default=0)),
                    ("tokens_out", models.BigIntegerField(default=0)),
                    ("requests", models.BigIntegerField(default=0)),
                    ("starts", models.PositiveIntegerField(default=0)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("day", "placement", "site"), name="engine_day_once"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="Card",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="cards", to="fleet.site"
                        ),
                    ),
                    ("ref", models.CharField(max_length=64)),
                    (
                        "chip",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="cards", to="catalog.chip"
                        ),
                    ),
                    ("state", models.CharField(max_length=16)),
                    (
                        "node",
                        models.CharField(
                            blank=True, help_text="Machine; empty: not told.", max_length=64
                        ),
                    ),
                    (
                        "placement",
                        models.CharField(
                            blank=True, help_text="Public id, as reported.", max_length=24
                        ),
                    ),
                    ("simulated", models.BooleanField()),
                    ("seen_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["site", "ref"],
                    "constraints": [
                        models.UniqueConstraint(fields=("site", "ref"), name="card_once_per_site"),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["free", "used", "failed", "gone"]),
                            name="card_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="UsableCards",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            db_index=False,
                            on_delete=models.CASCADE,
                            related_name="usable",
                            to="fleet.site",
                        ),
                    ),
                    ("chip", _to("catalog.chip")),
                    ("cards", models.PositiveIntegerField()),
                    (
                        "free_by_node",
                        ArrayField(
                            base_field=models.IntegerField(),
                            default=list,
                            help_text="Free ones of each machine that has any; 0: none has; empty: not told.",
                        ),
                    ),
                ],
                options={
                    "ordering": ["site", "chip"],
                    "constraints": [
                        models.UniqueConstraint(fields=("site", "chip"), name="usable_cards_once")
                    ],
                },
            ),
            migrations.CreateModel(
                name="SiteOffering",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="offerings", to="fleet.site"
                        ),
                    ),
                    (
                        "offering",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="at_sites", to="catalog.offering"
                        ),
                    ),
                    ("state", models.CharField(max_length=16)),
                    (
                        "sdk",
                        models.CharField(
                            help_text="The version under which it was verified.", max_length=80
                        ),
                    ),
                    ("since", models.DateTimeField()),
                ],
                options={
                    "ordering": ["site", "offering"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("site", "offering"), name="site_offering_once"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["verified", "reverify", "failing"]),
                            name="site_offering_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="SiteOfferingMove",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="offering_moves", to="fleet.site"
                        ),
                    ),
                    (
                        "offering",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="site_moves",
                            to="catalog.offering",
                        ),
                    ),
                    ("from_state", models.CharField(max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    (
                        "sdk",
                        models.CharField(
                            help_text="The version at the site at that moment.", max_length=80
                        ),
                    ),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-pk"]},
            ),
        )
    ]
