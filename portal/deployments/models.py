"""What customers asked for: endpoints, their replicas at sites, and the orders behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from portal.catalog.models import CatalogModel, Offering, OwnModel
from portal.deployments.arrows import (
    CHANGING,
    FREEING,
    ORDER_ARROWS,
    PLACEMENT_ARROWS,
    EndpointKind,
    OrderKind,
    OrderState,
    PlacementState,
)
from portal.deployments.claim_models import PromisedCards
from portal.deployments.drill_models import Drill, DrillMove, DrillState
from portal.deployments.log_models import KeptLog
from portal.deployments.reservation_models import (
    Reservation,
    ReservationMove,
    ReservationOffer,
    ReservationState,
    ReservedCard,
    Uncharged,
    UnchargedTime,
)
from portal.deployments.rollout_models import Rollout, RolloutState, RolloutStep, Strategy
from portal.deployments.scaling_models import ScaleStep, Scaling, Schedule
from portal.deployments.watch_models import CapacityWatch
from portal.fleet.models import Site

if TYPE_CHECKING:
    from tenants.actors import Actor


__all__ = [
    "CHANGING",
    "FREEING",
    "ORDER_ARROWS",
    "PLACEMENT_ARROWS",
    "CapacityWatch",
    "Drill",
    "DrillMove",
    "DrillState",
    "Endpoint",
    "EndpointKind",
    "KeptLog",
    "Order",
    "OrderKind",
    "OrderMove",
    "OrderState",
    "Placement",
    "PlacementMove",
    "PlacementState",
    "PromisedCards",
    "Reservation",
    "ReservationMove",
    "ReservationOffer",
    "ReservationState",
    "ReservedCard",
    "Revision",
    "Rollout",
    "RolloutState",
    "RolloutStep",
    "ScaleStep",
    "Scaling",
    "Schedule",
    "Strategy",
    "Uncharged",
    "UnchargedTime",
]


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    def visible_to(self, actor: Actor) -> EndpointQuerySet:
        """The organization's own endpoints and those that the operator shares."""
        if actor.can("operator.read"):
            return self.all()
        own = Q(organization=actor.organization)
        if actor.projects is not None:
            own &= Q(project__public_id__in=actor.projects)
        return self.filter(own | Q(kind=EndpointKind.SHARED))

    def running(self) -> EndpointQuerySet:
        """Endpoints whose replicas are wanted now."""
        return self.routed().filter(paused_at=None)

    def routed(self) -> EndpointQuerySet:
        """Those and the paused ones: their name is known, and the answer says that they pause."""
        return self.filter(stopped_at=None, funding_hold=False, operator_hold=False)


class Endpoint(models.Model):
    """What a customer calls. Shared: the operator's, per token. Dedicated: per card-hour."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+", null=True)
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=64)
    model = models.ForeignKey(CatalogModel, models.PROTECT, related_name="endpoints")
    own_model = models.ForeignKey(OwnModel, models.PROTECT, related_name="+", null=True)
    generation = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=120)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_because = models.CharField(max_length=200, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    asleep_since = models.DateTimeField(
        null=True, blank=True, help_text="No replica is wanted until somebody asks."
    )
    overcommitted = models.BooleanField(
        default=False, help_text="Less runs now than money is set aside for."
    )
    funding_hold = models.BooleanField(default=False)
    operator_hold = models.BooleanField(default=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="endpoint_org_id"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=Q(stopped_at=None),
                name="endpoint_name_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="shared", project=None)
                | Q(kind="dedicated", project__isnull=False),
                name="endpoint_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def runs(self) -> str:
        """The name of its model: one's own, or the catalogue's in the reader's language."""
        return str((self.own_model or self.model).title)

    @property
    def may_run(self) -> bool:
        """By those whose it is: neither stopped nor paused. A hold may speak against it."""
        return self.stopped_at is None and self.paused_at is None


class Revision(models.Model):
    """An endpoint's wanted form at one time. A new wish is a new row."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="+", null=True)
    replicas = models.PositiveSmallIntegerField()
    least = models.PositiveSmallIntegerField(
        null=True,
        help_text="Replicas follow what is asked, down to so many. Empty: they do not.",
    )
    regions = models.JSONField(default=list)
    apart = models.BooleanField(default=False, help_text="Each replica at a site of its own.")
    because = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=120)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="revision_org_id"),
            models.UniqueConstraint(fields=["endpoint", "number"], name="revision_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_id} r{self.number}"


class PlacementQuerySet(models.QuerySet["Placement"]):
    def visible_to(self, actor: Actor) -> PlacementQuerySet:
        """Placements of endpoints that the actor may see."""
        if actor.can("operator.read"):
            return self.all()
        own = Q(organization=actor.organization)
        if actor.projects is not None:
            own &= Q(endpoint__project__public_id__in=actor.projects)
        return self.filter(own | Q(endpoint__kind=EndpointKind.SHARED))

    def living(self) -> PlacementQuerySet:
        """Not yet stopped."""
        return self.exclude(state=PlacementState.STOPPED)

    def seats(self) -> PlacementQuerySet:
        """What counts as ordered: also what a hold has stopped, until another one is asked for in
        its stead. Who counts the living alone asks for them twice when the hold ends."""
        return self.filter(wanted=True)


class Placement(models.Model):
    """An endpoint's replica at one site."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="placements")
    site = models.ForeignKey(Site, models.PROTECT, related_name="placements")
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="placements")
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="placements", null=True)
    cards = models.PositiveSmallIntegerField()
    form = models.JSONField(
        default=dict, help_text="How its engine is started: the offering's of when it was asked for"
    )
    epoch = models.PositiveIntegerField(default=1)
    wanted = models.BooleanField(default=True)
    state = models.CharField(max_length=16, default=PlacementState.WANTED)
    because = models.CharField(max_length=300, blank=True)
    sealed_credential = models.TextField()
    url = models.CharField(max_length=200, blank=True)
    card_refs = models.JSONField(default=list)
    model_digest = models.CharField(max_length=71, blank=True)
    restarts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    state_since = models.DateTimeField()
    instead_of = models.CharField(
        max_length=24, blank=True, help_text="Public id of the replica that it replaces."
    )
    leaving_at = models.DateTimeField(null=True, help_text="It takes no new requests since then.")
    weight = models.PositiveSmallIntegerField(
        default=100, help_text="Of the requests, among its endpoint's replicas; 0: none."
    )
    accrued_until = models.DateTimeField(null=True, help_text="Card time is recorded up to here.")

    objects = PlacementQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["site__code", "created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="placement_org_id"),
            models.CheckConstraint(
                condition=Q(state__in=PlacementState.values), name="placement_state"
            ),
            models.CheckConstraint(condition=Q(weight__lte=100), name="placement_weight"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["site"], condition=~Q(state="stopped"), name="placement_living"),
            models.Index(
                fields=["instead_of"], condition=~Q(instead_of=""), name="placement_instead"
            ),
            models.Index(
                fields=["site"], condition=Q(state__in=CHANGING), name="placement_changing"
            ),
            models.Index(  # what one organization holds is added up in it alone
                fields=["organization", "site", "offering"],
                include=["cards"],
                condition=Q(wanted=True) & ~Q(state="stopped"),
                name="placement_held",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class PlacementMove(models.Model):
    """Why a placement changed its state. History, outbox and debugger at once."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    placement = models.ForeignKey(Placement, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, actor: Actor) -> OrderQuerySet:
        """Orders of the actor's organization, in the projects that the actor may see."""
        rows = self.filter(organization=actor.organization)
        if actor.projects is not None:
            rows = rows.filter(project__public_id__in=actor.projects)
        return rows

    def forming(self) -> OrderQuerySet:
        """Carried out, and what the endpoint is since then: a pause or an end gives it no form."""
        return self.filter(state=OrderState.FULFILLED).exclude(kind__in=FREEING)


class Order(models.Model):
    """A priced, idempotent request for a change that costs money, or frees it. Cards and prices are
    those of the whole endpoint after it; ``committed_micro`` is what it sets aside besides."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="orders", null=True)
    kind = models.CharField(max_length=16, default=OrderKind.CREATE)
    idempotency_key = models.CharField(max_length=80)
    request_digest = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    model = models.ForeignKey(CatalogModel, models.PROTECT, related_name="+")
    own_model = models.ForeignKey(OwnModel, models.PROTECT, related_name="+", null=True)
    region = models.CharField(max_length=24)
    replicas = models.PositiveSmallIntegerField()
    apart = models.BooleanField(default=False, help_text="Each replica at a site of its own.")
    wished_chip = models.CharField(max_length=24, blank=True, help_text="Empty: any.")
    strategy = models.CharField(max_length=16, default=Strategy.ROLLING)
    chip = models.CharField(max_length=24)
    cards = models.PositiveSmallIntegerField()
    price_version = models.CharField(max_length=24)
    won_per_card_hour = models.DecimalField(max_digits=18, decimal_places=6)
    won_per_hour = models.BigIntegerField()
    won_per_month = models.BigIntegerField()
    won_per_hour_before = models.BigIntegerField(default=0, help_text="Of what ran until then.")
    committed_micro = models.BigIntegerField(help_text="Set aside for the rest of this month.")
    month = models.CharField(max_length=7)
    state = models.CharField(max_length=16, default=OrderState.PLACED)
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=120)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-placed_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="order_org_id"),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="order_idempotency"
            ),
            models.CheckConstraint(condition=Q(state__in=OrderState.values), name="order_state"),
        ]
        indexes: ClassVar = [
            models.Index(  # the sweep looks for the few that are under way
                fields=["id"],
                condition=Q(kind__in=FREEING, state="placed"),
                name="order_freeing",
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class OrderMove(models.Model):
    """Why an order changed its state."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    order = models.ForeignKey(Order, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"
