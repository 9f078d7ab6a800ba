"""The sites that can run what customers ordered. No tenant owns a site; all may see it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.catalog.models import Chip, Named, Offering, Region
from portal.fleet import health
from portal.fleet.drivers.contract import SiteReport
from portal.fleet.health import SERVING

LOST_AFTER = (60, 86_400)  # seconds, least and most: no site is lost for a short cut


class Health(models.TextChoices):
    """How the site is. Moved by ``portal.fleet.moves`` along ``health.HEALTH_ARROWS``."""

    WAITING = "waiting"  # enrolled, never seen
    READY = "ready"
    DEGRADED = "degraded"  # answers, and something is wrong
    UNREACHABLE = "unreachable"
    LOST = "lost"  # asked in vain for so long that its replicas are asked for elsewhere
    RETURNED = "returned"  # answers again; what it runs is not compared yet


class Condition(models.TextChoices):
    """What the operator wants of the site, whatever its health is."""

    OPEN = "open"
    CORDONED = "cordoned"  # keeps what runs there, takes nothing new
    DRAINING = "draining"  # what runs there moves elsewhere
    MAINTENANCE = "maintenance"  # empty, and may be switched off
    RETIRED = "retired"  # for good; nobody asks it any more


# The arrows of the operator's condition. Those of ``EMPTY_FIRST`` need an empty site.
CONDITION_ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        ("open", "cordoned"),
        ("open", "draining"),
        ("cordoned", "open"),
        ("cordoned", "draining"),
        ("cordoned", "maintenance"),
        ("cordoned", "retired"),
        ("draining", "open"),
        ("draining", "cordoned"),
        ("draining", "maintenance"),
        ("draining", "retired"),
        ("maintenance", "open"),
        ("maintenance", "cordoned"),
        ("maintenance", "retired"),
    }
)
EMPTY_FIRST = (Condition.MAINTENANCE, Condition.RETIRED)


def all_data_classes() -> list[str]:
    """Sites in Korea with no restriction of their own take every class."""
    return ["open", "sensitive", "confidential", "medical"]


class SiteQuerySet(models.QuerySet["Site"]):
    def active(self) -> SiteQuerySet:
        """Sites that take new work."""
        return self.filter(condition=Condition.OPEN)

    def asked(self) -> SiteQuerySet:
        """Sites that are told what is wanted and asked what is: all but the retired ones."""
        return self.exclude(condition=Condition.RETIRED)


class Site(Named):
    """One micro data center, reached through a driver."""

    code = models.SlugField(max_length=32, unique=True)
    region = models.ForeignKey(Region, models.PROTECT, related_name="sites")
    driver = models.CharField(max_length=24)
    control_url = models.URLField(max_length=200)
    sealed_token = models.TextField()
    simulated = models.BooleanField()
    data_classes = models.JSONField(default=all_data_classes)
    enrolled_at = models.DateTimeField()
    condition = models.CharField(max_length=16, default=Condition.OPEN)
    condition_since = models.DateTimeField(null=True, blank=True)
    condition_because = models.CharField(max_length=300, blank=True)
    health = models.CharField(max_length=16, default=Health.WAITING)
    health_since = models.DateTimeField(null=True, blank=True)
    power_budget_watts = models.PositiveIntegerField(
        null=True, help_text="What the whole site may draw; empty: no bound."
    )
    lost_after_seconds = models.PositiveIntegerField(
        null=True, help_text="Asked in vain for so long it is lost; empty: as all others."
    )
    # What is wanted here grows a number each time that it changes; the site refuses older ones.
    generation = models.PositiveBigIntegerField(default=0)
    wanted_digest = models.CharField(max_length=64, blank=True)
    # What was last seen. The report is the whole truth of that moment.
    observed_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(null=True, blank=True)
    # Out of the report, which is large; the database itself copies it (the trigger ``watts``).
    watts_drawn = models.FloatField(null=True, editable=False)
    sdks = models.JSONField(
        default=dict, help_text="Chip → the SDK's version, as the site last told it."
    )
    trouble = models.CharField(max_length=300, blank=True)
    trouble_since = models.DateTimeField(null=True, blank=True)
    # One worker at a time tells a site what is wanted.
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True, help_text="Its last round began then.")

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(condition__in=Condition.values), name="site_condition"
            ),
            models.CheckConstraint(
                condition=models.Q(health__in=Health.values), name="site_health"
            ),
            models.CheckConstraint(
                condition=models.Q(lost_after_seconds=None)
                | models.Q(lost_after_seconds__range=LOST_AFTER),
                name="site_lost_after",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def last_report(self) -> SiteReport | None:
        """The last full report, or ``None`` if the site never answered."""
        return None if self.report is None else msgspec.convert(self.report, SiteReport)

    def health_at(self, now: datetime) -> str:
        """One of ``Health``; silence shows at once."""
        return health.at(self.health, self.observed_at, self.trouble_since, now)

    def serves_at(self, now: datetime) -> bool:
        """Whether requests may go there."""
        return self.health_at(now) in SERVING

    def state_at(self, now: datetime) -> str:
        """For who places work: as of ``health.for_work``."""
        return health.for_work(self.condition, self.health_at(now))


class SiteMove(models.Model):
    """Why a site's health or condition changed. Of a health, ``codes`` say why; of a condition, a
    person does. Rows are never changed: the database refuses it."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="moves")
    kind = models.CharField(max_length=16)
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    codes = models.JSONField(default=list)
    because = models.CharField(max_length=300, blank=True)
    by = models.CharField(max_length=120, blank=True, help_text="Opaque; empty: a worker.")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [models.Index(fields=["site", "-at"], name="site_move_latest")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["health", "condition"]), name="site_move_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class SiteOutage(models.Model):
    """A time in which a site said nothing for longer than ``SILENT_AFTER``: from the last answer
    before it to the first after it. Card time in it is not billed."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="outages")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "started_at"], name="site_outage_once"),
            models.CheckConstraint(
                condition=models.Q(ended_at__gt=models.F("started_at")), name="site_outage_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.started_at:%Y-%m-%d %H:%M}"


class EngineSample(models.Model):
    """The last counters that a placement's engine told, so that the next ones can be added up."""

    placement = models.CharField(max_length=24, unique=True)
    since_ms = models.BigIntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    requests = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.placement


class EngineDay(models.Model):
    """What a placement's engines served on one day (UTC), as they counted it themselves.

    Added up from samples, so that an engine or a site that starts again loses nothing of what
    was told before.
    """

    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    placement = models.CharField(max_length=24)
    day = models.DateField()
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    requests = models.BigIntegerField(default=0)
    starts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", "placement", "site"], name="engine_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.placement} {self.day}"


class CardQuerySet(models.QuerySet["Card"]):
    def present(self) -> CardQuerySet:
        """Those of the last report."""
        return self.exclude(state="gone")


class Card(models.Model):
    """One accelerator, as the site last reported it."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="cards")
    ref = models.CharField(max_length=64)
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="cards")
    state = models.CharField(max_length=16)  # of its report; ``gone``: no longer in it
    node = models.CharField(max_length=64, blank=True, help_text="Machine; empty: not told.")
    placement = models.CharField(max_length=24, blank=True, help_text="Public id, as reported.")
    simulated = models.BooleanField()
    seen_at = models.DateTimeField()

    objects = CardQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["site", "ref"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "ref"], name="card_once_per_site"),
            models.CheckConstraint(
                condition=models.Q(state__in=["free", "used", "failed", "gone"]),
                name="card_state",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id}/{self.ref}"


class UsableCards(models.Model):
    """How many cards of one chip at one site work: neither failed nor gone.

    The database counts them in the statement that writes a card, whoever writes it: nobody else
    may write here. No row, or none of them: there is none.
    """

    site = models.ForeignKey(Site, models.CASCADE, related_name="usable", db_index=False)
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="+")
    cards = models.PositiveIntegerField()
    free_by_node = ArrayField(
        models.IntegerField(),
        default=list,
        help_text="Free ones of each machine that has any; 0: none has; empty: not told.",
    )

    class Meta:
        ordering: ClassVar = ["site", "chip"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "chip"], name="usable_cards_once")
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.chip_id} × {self.cards}"


class UsableCardsMove(models.Model):
    """From when on so many cards of one chip at one site worked, by its reports. Rows are never
    changed: the database refuses it.

    Fewer counts from the last report in which they still worked, more from the first in which
    they work: what lies between is nobody's to charge. No row: nothing changed.
    """

    site = models.ForeignKey(Site, models.PROTECT, related_name="usable_moves", db_index=False)
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="+")
    from_cards = models.PositiveIntegerField()
    to_cards = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["site", "chip", "at"], name="usable_cards_move_at")
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.chip_id}: {self.from_cards} → {self.to_cards}"


class AtSite(models.TextChoices):
    """Whether an offering's evidence still stands at one site."""

    VERIFIED = "verified"
    REVERIFY = "reverify"  # the SDK there has changed since
    FAILING = "failing"  # tried again there, in vain


class SiteOffering(models.Model):
    """What changed the standing of an offering at one site. No row: its evidence stands."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="offerings")
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="at_sites")
    state = models.CharField(max_length=16)
    sdk = models.CharField(max_length=80, help_text="The version under which it was verified.")
    since = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["site", "offering"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "offering"], name="site_offering_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=AtSite.values), name="site_offering_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id}/{self.offering_id} {self.state}"


class SiteOfferingMove(models.Model):
    """One change of it, by what a site told or by an operator. Only ever added."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="offering_moves")
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="site_moves")
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    sdk = models.CharField(max_length=80, help_text="The version at the site at that moment.")
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.site_id}/{self.offering_id}: {self.from_state} → {self.to_state}"
