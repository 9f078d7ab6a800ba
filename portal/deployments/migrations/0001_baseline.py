"""Tables of what customers asked for: endpoints, orders, placements, reservations, drills."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary
from django.db import migrations, models
from django.db.models.deletion import DO_NOTHING

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
        ("deployments", name)
        for name in (
            "0001_initial",
            "0002_initial",
            "0003_wall",
            "0004_publication_number",
            "0005_system_role",
            "0006_erasable_names",
            "0007_awaiting",
            "0008_apart",
            "0009_leaving",
            "0010_changes",
            "0011_rollouts",
            "0012_scaling",
            "0013_engines",
            "0014_reservations",
            "0015_strategies",
            "0016_drills",
            "0017_promised_cards",
            "0018_placement_held",
        )
    ]

    dependencies = [
        ("catalog", "0001_baseline"),
        ("fleet", "0001_baseline"),
        ("tenants", "0001_baseline"),
    ]

    operations = [
        Tables(
            migrations.CreateModel(
                name="PromisedCards",
                fields=[
                    ("id", _id()),
                    (
                        "site",
                        models.ForeignKey(
                            db_constraint=False,
                            on_delete=DO_NOTHING,
                            related_name="+",
                            to="fleet.site",
                        ),
                    ),
                    (
                        "offering",
                        models.ForeignKey(
                            db_constraint=False,
                            db_index=False,
                            on_delete=DO_NOTHING,
                            related_name="+",
                            to="catalog.offering",
                        ),
                    ),
                    ("cards", models.IntegerField()),
                ],
                options={"ordering": ["site", "offering", "pk"]},
            ),
            migrations.CreateModel(
                name="Reservation",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project")),
                    ("idempotency_key", models.CharField(max_length=80)),
                    ("request_digest", models.CharField(max_length=64)),
                    ("name", models.CharField(max_length=64)),
                    (
                        "region",
                        models.CharField(
                            blank=True, help_text="Wished; empty: any.", max_length=24
                        ),
                    ),
                    (
                        "wished_site",
                        models.CharField(blank=True, help_text="Empty: any.", max_length=32),
                    ),
                    ("site", _to("fleet.site")),
                    ("chip", _to("catalog.chip")),
                    ("cards", models.PositiveSmallIntegerField()),
                    ("starts_at", models.DateTimeField()),
                    ("ends_at", models.DateTimeField()),
                    ("price_version", models.CharField(max_length=24)),
                    ("won_per_card_hour", models.DecimalField(decimal_places=6, max_digits=18)),
                    (
                        "won_in_all",
                        models.BigIntegerField(help_text="At the price of the order, without VAT."),
                    ),
                    ("state", models.CharField(max_length=16)),
                    (
                        "taken_from",
                        models.CharField(
                            blank=True,
                            help_text="Public id of the offer that it was taken from.",
                            max_length=24,
                        ),
                    ),
                    (
                        "accrued_until",
                        models.DateTimeField(help_text="Its cost is known up to here.", null=True),
                    ),
                    ("placed_at", models.DateTimeField()),
                    ("placed_by", models.CharField(max_length=120)),
                ],
                options={
                    "ordering": ["-starts_at", "-pk"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(state="booked"),
                            fields=["organization", "site"],
                            name="reservation_booked",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="reservation_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("organization", "idempotency_key"),
                            name="reservation_idempotency",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["awaiting", "booked", "ended", "cancelled"]
                            ),
                            name="reservation_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(cards__gte=1, ends_at__gt=models.F("starts_at")),
                            name="reservation_forward",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ReservationMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "reservation",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="moves",
                            to="deployments.reservation",
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="ReservedCard",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "reservation",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="held",
                            to="deployments.reservation",
                        ),
                    ),
                    ("site", _to("fleet.site")),
                    ("chip", _to("catalog.chip")),
                    ("number", models.PositiveSmallIntegerField()),
                    ("starts_at", models.DateTimeField()),
                    ("ends_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["starts_at", "number"],
                    "indexes": [models.Index(fields=["ends_at"], name="reserved_card_end")],
                    "constraints": [
                        ExclusionConstraint(
                            expressions=[
                                ("site", "="),
                                ("chip", "="),
                                ("number", "="),
                                (
                                    models.Func(
                                        "starts_at",
                                        "ends_at",
                                        RangeBoundary(),
                                        function="TSTZRANGE",
                                        output_field=DateTimeRangeField(),
                                    ),
                                    "&&",
                                ),
                            ],
                            name="reserved_card_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(ends_at__gt=models.F("starts_at")),
                            name="reserved_card_forward",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="ReservationOffer",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "reservation",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="offers",
                            to="deployments.reservation",
                        ),
                    ),
                    ("site", _to("fleet.site")),
                    ("chip", _to("catalog.chip")),
                    (
                        "cards",
                        models.PositiveSmallIntegerField(help_text="That nobody has taken yet."),
                    ),
                    ("offered", models.PositiveSmallIntegerField(help_text="Cards at first.")),
                    ("starts_at", models.DateTimeField()),
                    ("ends_at", models.DateTimeField()),
                    ("state", models.CharField(default="open", max_length=16)),
                    ("created_at", models.DateTimeField()),
                ],
                options={
                    "ordering": ["starts_at", "pk"],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="offer_org_id"),
                        models.UniqueConstraint(
                            condition=models.Q(state="open"),
                            fields=("reservation",),
                            name="offer_one_at_a_time",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(state__in=["open", "taken", "withdrawn", "expired"]),
                            name="offer_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="CapacityWatch",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project")),
                    ("model", _to("catalog.catalogmodel")),
                    ("own_model", _to("catalog.ownmodel", null=True)),
                    ("region", models.CharField(blank=True, max_length=24)),
                    ("replicas", models.PositiveSmallIntegerField()),
                    ("chip", models.CharField(blank=True, max_length=24)),
                    ("apart", models.BooleanField(default=False)),
                    ("created_at", models.DateTimeField()),
                    ("until", models.DateTimeField()),
                ],
                options={
                    "ordering": ["created_at", "pk"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=(
                                "project",
                                "model",
                                "own_model",
                                "region",
                                "replicas",
                                "chip",
                                "apart",
                            ),
                            name="capacity_watch_once",
                            nulls_distinct=False,
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Endpoint",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project", null=True)),
                    ("kind", models.CharField(max_length=16)),
                    ("name", models.CharField(max_length=64)),
                    (
                        "model",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="endpoints",
                            to="catalog.catalogmodel",
                        ),
                    ),
                    ("own_model", _to("catalog.ownmodel", null=True)),
                    ("generation", models.PositiveIntegerField(default=1)),
                    ("created_at", models.DateTimeField()),
                    ("created_by", models.CharField(max_length=120)),
                    ("stopped_at", models.DateTimeField(blank=True, null=True)),
                    ("stopped_because", models.CharField(blank=True, max_length=200)),
                    ("paused_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "asleep_since",
                        models.DateTimeField(
                            blank=True,
                            help_text="No replica is wanted until somebody asks.",
                            null=True,
                        ),
                    ),
                    (
                        "overcommitted",
                        models.BooleanField(
                            default=False, help_text="Less runs now than money is set aside for."
                        ),
                    ),
                    ("funding_hold", models.BooleanField(default=False)),
                    ("operator_hold", models.BooleanField(default=False)),
                ],
                options={
                    "ordering": ["-created_at"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="endpoint_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(stopped_at=None),
                            fields=("organization", "name"),
                            name="endpoint_name_once",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                models.Q(kind="shared", project=None),
                                models.Q(kind="dedicated", project__isnull=False),
                                _connector="OR",
                            ),
                            name="endpoint_kind",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Drill",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="drills",
                            to="deployments.endpoint",
                        ),
                    ),
                    ("site", _to("fleet.site")),
                    ("starts_at", models.DateTimeField()),
                    ("ends_at", models.DateTimeField()),
                    ("state", models.CharField(default="booked", max_length=16)),
                    ("because", models.CharField(blank=True, max_length=200)),
                    ("withdrawn_at", models.DateTimeField(null=True)),
                    ("returned_at", models.DateTimeField(null=True)),
                    (
                        "jws",
                        models.TextField(
                            blank=True, help_text="The signed report, once it is known."
                        ),
                    ),
                    ("booked_at", models.DateTimeField()),
                    ("booked_by", models.CharField(max_length=120)),
                ],
                options={
                    "ordering": ["-starts_at", "-pk"],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="drill_org_id"),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["booked", "running", "ended", "called_off", "cancelled"]
                            ),
                            name="drill_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(ends_at__gt=models.F("starts_at")),
                            name="drill_forward",
                        ),
                        ExclusionConstraint(
                            condition=models.Q(state__in=["booked", "running"]),
                            expressions=[
                                ("endpoint", "="),
                                (
                                    models.Func(
                                        "starts_at",
                                        "ends_at",
                                        RangeBoundary(),
                                        function="TSTZRANGE",
                                        output_field=DateTimeRangeField(),
                                    ),
                                    "&&",
                                ),
                            ],
                            name="drill_one_at_a_time",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="DrillMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "drill",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="deployments.drill"
                        ),
                    ),
                    ("from_state", models.CharField(blank=True, max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=200)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="Scaling",
                fields=[
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            primary_key=True,
                            related_name="scaling",
                            serialize=False,
                            to="deployments.endpoint",
                        ),
                    ),
                    (
                        "per_replica",
                        models.PositiveSmallIntegerField(
                            default=0, help_text="0: by its offering."
                        ),
                    ),
                    ("up_seconds", models.PositiveIntegerField(default=10)),
                    ("down_seconds", models.PositiveIntegerField(default=300)),
                    ("idle_seconds", models.PositiveIntegerField(default=900)),
                    (
                        "fixed",
                        models.PositiveSmallIntegerField(
                            help_text="By hand, until ``fixed_until``.", null=True
                        ),
                    ),
                    ("fixed_until", models.DateTimeField(null=True)),
                    ("used_at", models.DateTimeField()),
                    ("up_at", models.DateTimeField(null=True)),
                    ("below_since", models.DateTimeField(null=True)),
                    ("below_most", models.PositiveSmallIntegerField(default=0)),
                    ("no_room_since", models.DateTimeField(null=True)),
                    (
                        "ready_seconds",
                        models.PositiveIntegerField(
                            default=0,
                            help_text="From asked for to ready, as measured last; 0: not yet.",
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="ScaleStep",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="scale_steps",
                            to="deployments.endpoint",
                        ),
                    ),
                    ("before", models.PositiveSmallIntegerField()),
                    ("after", models.PositiveSmallIntegerField()),
                    ("because", models.CharField(max_length=16)),
                    (
                        "count",
                        models.PositiveIntegerField(
                            default=0, help_text="Requests that go with it."
                        ),
                    ),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["-at", "-id"]},
            ),
            migrations.CreateModel(
                name="Schedule",
                fields=[
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            primary_key=True,
                            related_name="schedule",
                            serialize=False,
                            to="deployments.endpoint",
                        ),
                    ),
                    ("hours", models.JSONField(help_text="As ``schedules.read`` takes it.")),
                    ("state", models.CharField(max_length=8)),
                    (
                        "changes_at",
                        models.DateTimeField(db_index=True, help_text="Empty: never.", null=True),
                    ),
                    (
                        "trouble",
                        models.CharField(
                            blank=True, help_text="no_money or no_room.", max_length=16
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=models.Q(state__in=["open", "closed"]), name="schedule_state"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="Revision",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="revisions",
                            to="deployments.endpoint",
                        ),
                    ),
                    ("number", models.PositiveIntegerField()),
                    ("offering", _to("catalog.offering", null=True)),
                    ("replicas", models.PositiveSmallIntegerField()),
                    (
                        "least",
                        models.PositiveSmallIntegerField(
                            help_text="Replicas follow what is asked, down to so many. Empty: they do not.",
                            null=True,
                        ),
                    ),
                    ("regions", models.JSONField(default=list)),
                    (
                        "apart",
                        models.BooleanField(
                            default=False, help_text="Each replica at a site of its own."
                        ),
                    ),
                    ("because", models.CharField(max_length=200)),
                    ("created_at", models.DateTimeField()),
                    ("created_by", models.CharField(max_length=120)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="revision_org_id"
                        ),
                        models.UniqueConstraint(
                            fields=("endpoint", "number"), name="revision_number_once"
                        ),
                    ]
                },
            ),
            migrations.CreateModel(
                name="Placement",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="placements",
                            to="deployments.endpoint",
                        ),
                    ),
                    (
                        "site",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="placements", to="fleet.site"
                        ),
                    ),
                    (
                        "offering",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="placements",
                            to="catalog.offering",
                        ),
                    ),
                    (
                        "revision",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="placements",
                            to="deployments.revision",
                        ),
                    ),
                    ("cards", models.PositiveSmallIntegerField()),
                    (
                        "form",
                        models.JSONField(
                            default=dict,
                            help_text="How its engine is started: the offering's of when it was asked for",
                        ),
                    ),
                    ("epoch", models.PositiveIntegerField(default=1)),
                    ("wanted", models.BooleanField(default=True)),
                    ("state", models.CharField(default="wanted", max_length=16)),
                    ("because", models.CharField(blank=True, max_length=300)),
                    ("sealed_credential", models.TextField()),
                    ("url", models.CharField(blank=True, max_length=200)),
                    ("card_refs", models.JSONField(default=list)),
                    ("model_digest", models.CharField(blank=True, max_length=71)),
                    ("restarts", models.PositiveIntegerField(default=0)),
                    ("created_at", models.DateTimeField()),
                    ("state_since", models.DateTimeField()),
                    (
                        "instead_of",
                        models.CharField(
                            blank=True,
                            help_text="Public id of the replica that it replaces.",
                            max_length=24,
                        ),
                    ),
                    (
                        "leaving_at",
                        models.DateTimeField(
                            help_text="It takes no new requests since then.", null=True
                        ),
                    ),
                    (
                        "weight",
                        models.PositiveSmallIntegerField(
                            default=100,
                            help_text="Of the requests, among its endpoint's replicas; 0: none.",
                        ),
                    ),
                    (
                        "accrued_until",
                        models.DateTimeField(
                            help_text="Card time is recorded up to here.", null=True
                        ),
                    ),
                ],
                options={
                    "ordering": ["site__code", "created_at"],
                    "indexes": [
                        models.Index(
                            condition=models.Q(state="stopped", _negated=True),
                            fields=["site"],
                            name="placement_living",
                        ),
                        models.Index(
                            condition=models.Q(instead_of="", _negated=True),
                            fields=["instead_of"],
                            name="placement_instead",
                        ),
                        models.Index(
                            condition=models.Q(state__in=("wanted", "starting", "stopping")),
                            fields=["site"],
                            name="placement_changing",
                        ),
                        models.Index(
                            condition=models.Q(
                                ("wanted", True), models.Q(state="stopped", _negated=True)
                            ),
                            fields=["organization", "site", "offering"],
                            include=("cards",),
                            name="placement_held",
                        ),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="placement_org_id"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=[
                                    "wanted",
                                    "starting",
                                    "ready",
                                    "failed",
                                    "stopping",
                                    "stopped",
                                ]
                            ),
                            name="placement_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(weight__lte=100), name="placement_weight"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="KeptLog",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "placement",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="kept_log",
                            to="deployments.placement",
                        ),
                    ),
                    ("lines", models.JSONField(default=list)),
                    ("kept_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="kept_log_org_id"
                        )
                    ]
                },
            ),
            migrations.CreateModel(
                name="PlacementMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "placement",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="moves",
                            to="deployments.placement",
                        ),
                    ),
                    ("from_state", models.CharField(max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="Order",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    ("project", _to("tenants.project")),
                    (
                        "endpoint",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="orders",
                            to="deployments.endpoint",
                        ),
                    ),
                    ("kind", models.CharField(default="create", max_length=16)),
                    ("idempotency_key", models.CharField(max_length=80)),
                    ("request_digest", models.CharField(max_length=64)),
                    ("name", models.CharField(max_length=64)),
                    ("model", _to("catalog.catalogmodel")),
                    ("own_model", _to("catalog.ownmodel", null=True)),
                    ("region", models.CharField(max_length=24)),
                    ("replicas", models.PositiveSmallIntegerField()),
                    (
                        "apart",
                        models.BooleanField(
                            default=False, help_text="Each replica at a site of its own."
                        ),
                    ),
                    (
                        "wished_chip",
                        models.CharField(blank=True, help_text="Empty: any.", max_length=24),
                    ),
                    ("strategy", models.CharField(default="rolling", max_length=16)),
                    ("chip", models.CharField(max_length=24)),
                    ("cards", models.PositiveSmallIntegerField()),
                    ("price_version", models.CharField(max_length=24)),
                    ("won_per_card_hour", models.DecimalField(decimal_places=6, max_digits=18)),
                    ("won_per_hour", models.BigIntegerField()),
                    ("won_per_month", models.BigIntegerField()),
                    (
                        "won_per_hour_before",
                        models.BigIntegerField(default=0, help_text="Of what ran until then."),
                    ),
                    (
                        "committed_micro",
                        models.BigIntegerField(help_text="Set aside for the rest of this month."),
                    ),
                    ("month", models.CharField(max_length=7)),
                    ("state", models.CharField(default="placed", max_length=16)),
                    ("placed_at", models.DateTimeField()),
                    ("placed_by", models.CharField(max_length=120)),
                ],
                options={
                    "ordering": ["-placed_at"],
                    "constraints": [
                        models.UniqueConstraint(fields=("organization", "id"), name="order_org_id"),
                        models.UniqueConstraint(
                            fields=("organization", "idempotency_key"), name="order_idempotency"
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["awaiting", "placed", "fulfilled", "failed", "cancelled"]
                            ),
                            name="order_state",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Rollout",
                fields=[
                    ("id", _id()),
                    ("public_id", models.CharField(max_length=24, unique=True)),
                    ("organization", _to("tenants.organization")),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="rollouts",
                            to="deployments.endpoint",
                        ),
                    ),
                    (
                        "order",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="rollouts",
                            to="deployments.order",
                        ),
                    ),
                    ("from_revision", _to("deployments.revision")),
                    ("to_revision", _to("deployments.revision")),
                    ("state", models.CharField(default="running", max_length=16)),
                    ("strategy", models.CharField(default="rolling", max_length=16)),
                    (
                        "stage",
                        models.PositiveSmallIntegerField(
                            default=0, help_text="How often traffic was shifted."
                        ),
                    ),
                    (
                        "stage_since",
                        models.DateTimeField(help_text="Null: since it started.", null=True),
                    ),
                    (
                        "held",
                        models.BooleanField(
                            default=False, help_text="It stays at this stage, by hand."
                        ),
                    ),
                    (
                        "hurried",
                        models.BooleanField(
                            default=False, help_text="This stage ends early, by hand."
                        ),
                    ),
                    ("because", models.CharField(blank=True, max_length=200)),
                    ("no_room_since", models.DateTimeField(null=True)),
                    (
                        "seen",
                        models.JSONField(
                            default=dict, help_text="Answers of both forms, by the gateways."
                        ),
                    ),
                    ("started_at", models.DateTimeField()),
                    ("started_by", models.CharField(max_length=120)),
                ],
                options={
                    "ordering": ["-started_at", "-pk"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("organization", "id"), name="rollout_org_id"
                        ),
                        models.UniqueConstraint(
                            condition=models.Q(state__in=["running", "back"]),
                            fields=("endpoint",),
                            name="rollout_one_at_a_time",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(
                                state__in=["running", "back", "done", "rolled_back", "abandoned"]
                            ),
                            name="rollout_state",
                        ),
                        models.CheckConstraint(
                            condition=models.Q(strategy__in=["rolling", "blue_green", "canary"]),
                            name="rollout_strategy",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="RolloutStep",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "rollout",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="steps", to="deployments.rollout"
                        ),
                    ),
                    ("kind", models.CharField(max_length=16)),
                    ("site", models.CharField(blank=True, help_text="Code.", max_length=24)),
                    ("because", models.CharField(blank=True, max_length=200)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
            migrations.CreateModel(
                name="OrderMove",
                fields=[
                    ("id", _id()),
                    ("organization", _to("tenants.organization")),
                    (
                        "order",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="moves", to="deployments.order"
                        ),
                    ),
                    ("from_state", models.CharField(max_length=16)),
                    ("to_state", models.CharField(max_length=16)),
                    ("because", models.CharField(max_length=300)),
                    ("at", models.DateTimeField()),
                ],
                options={"ordering": ["at", "id"]},
            ),
        )
    ]
