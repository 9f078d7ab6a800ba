"""Reserved capacity: cards of one kind at one site for whole hours, and what is offered of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from portal.catalog.models import Chip
from portal.deployments.slots import Slot
from portal.fleet.models import Site
from portal.lib.periods import Period

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.actors import Actor


class ReservationState(models.TextChoices):
    AWAITING = "awaiting"  # approval; nothing is held for it
    BOOKED = "booked"
    ENDED = "ended"  # its time is over and its cost is known
    CANCELLED = "cancelled"  # before anything of it was charged


RESERVATION_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("awaiting", "booked"),
        ("awaiting", "cancelled"),
        ("booked", "ended"),
        ("booked", "cancelled"),
    }
)


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def visible_to(self, actor: Actor) -> ReservationQuerySet:
        """Of the actor's organization, in the projects that the actor may see."""
        rows = self.filter(organization=actor.organization)
        if actor.projects is not None:
            rows = rows.filter(project__public_id__in=actor.projects)
        return rows


class Reservation(models.Model):
    """Cards of one kind at one site from one hour to another, as they were ordered. What is held
    of it at a moment are its ``ReservedCard``: less after a sale, or when hours were given back."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    project = models.ForeignKey("tenants.Project", models.PROTECT, related_name="+")
    idempotency_key = models.CharField(max_length=80)
    request_digest = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    region = models.CharField(max_length=24, blank=True, help_text="Wished; empty: any.")
    wished_site = models.CharField(max_length=32, blank=True, help_text="Empty: any.")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="+")
    cards = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    price_version = models.CharField(max_length=24)
    won_per_card_hour = models.DecimalField(max_digits=18, decimal_places=6)
    won_in_all = models.BigIntegerField(help_text="At the price of the order, without VAT.")
    state = models.CharField(max_length=16)
    taken_from = models.CharField(
        max_length=24, blank=True, help_text="Public id of the offer that it was taken from."
    )
    accrued_until = models.DateTimeField(null=True, help_text="Its cost is known up to here.")
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=120)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-starts_at", "-pk"]
        indexes: ClassVar = [
            models.Index(
                fields=["organization", "site"],
                condition=Q(state="booked"),
                name="reservation_booked",
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="reservation_org_id"),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="reservation_idempotency"
            ),
            models.CheckConstraint(
                condition=Q(state__in=ReservationState.values), name="reservation_state"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at"), cards__gte=1), name="reservation_forward"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def period(self) -> Period:
        return Period(self.starts_at, self.ends_at)

    def slots(self) -> list[Slot]:
        """What is held of it."""
        return [one.slot for one in self.held.all()]

    def phase_at(self, now: datetime) -> str:
        """Its state, and of a booked one ``coming``, ``running`` or ``over``."""
        if self.state != ReservationState.BOOKED:
            return self.state
        if now < self.starts_at:
            return "coming"
        return "running" if now < self.ends_at else "over"


class ReservationMove(models.Model):
    """Why a reservation changed its state, or what is held of it."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    reservation = models.ForeignKey(Reservation, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class ReservedCard(models.Model):
    """One numbered card of a kind at a site, for one period and one reservation. The database lets
    no card be reserved twice at one moment."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    reservation = models.ForeignKey(Reservation, models.CASCADE, related_name="held")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["starts_at", "number"]
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="reserved_card_end")]
        constraints: ClassVar = [
            ExclusionConstraint(
                name="reserved_card_once",
                expressions=[
                    ("site", RangeOperators.EQUAL),
                    ("chip", RangeOperators.EQUAL),
                    ("number", RangeOperators.EQUAL),
                    (
                        Func(
                            "starts_at",
                            "ends_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="reserved_card_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id}/{self.number}"

    @property
    def slot(self) -> Slot:
        return Slot(self.number, Period(self.starts_at, self.ends_at))


class Uncharged(models.TextChoices):
    """Why reserved cards on which nothing ran cost nothing."""

    SILENT = "silent"  # the site did not answer
    CLOSED = "closed"  # the operator let it take no new work
    CARDS = "cards"  # cards failed, and what worked was claimed by others


class UnchargedTime(models.Model):
    """Reserved cards on which nothing ran and that are not charged, for a time of one hour. Beside
    ``CardTime``, which has what is charged: together they are all that was left unused. Rows are
    never changed: the database refuses it."""

    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    reservation = models.ForeignKey(
        Reservation, models.PROTECT, related_name="uncharged", db_index=False
    )
    because = models.CharField(max_length=16)
    cards = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["started_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reservation", "started_at"], name="uncharged_time_once"
            ),
            models.CheckConstraint(
                condition=Q(because__in=Uncharged.values), name="uncharged_time_because"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__gt=F("started_at"), cards__gte=1),
                name="uncharged_time_forward",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reservation_id} {self.started_at:%Y-%m-%d %H:%M} × {self.cards}"


class OfferState(models.TextChoices):
    OPEN = "open"
    TAKEN = "taken"  # all of it
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


OFFER_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {("open", "taken"), ("open", "withdrawn"), ("open", "expired")}
)


class OfferQuerySet(models.QuerySet["ReservationOffer"]):
    def visible_to(self, actor: Actor) -> OfferQuerySet:
        """The organization's own, and the open ones of all: a door tells nobody whose they are."""
        # No join: of others' offers nobody sees the reservation.
        own = Q(reservation__in=Reservation.objects.visible_to(actor))
        return self.filter(own | Q(state=OfferState.OPEN))


class ReservationOffer(models.Model):
    """Reserved cards that their owner would rather not pay for, open for anybody."""

    public_id = models.CharField(max_length=24, unique=True)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    reservation = models.ForeignKey(Reservation, models.PROTECT, related_name="offers")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="+")
    cards = models.PositiveSmallIntegerField(help_text="That nobody has taken yet.")
    offered = models.PositiveSmallIntegerField(help_text="Cards at first.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=16, default=OfferState.OPEN)
    created_at = models.DateTimeField()

    objects = OfferQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["starts_at", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "id"], name="offer_org_id"),
            models.UniqueConstraint(
                fields=["reservation"], condition=Q(state="open"), name="offer_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(state__in=OfferState.values), name="offer_state"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def period(self) -> Period:
        return Period(self.starts_at, self.ends_at)
