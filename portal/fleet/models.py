"""The sites that can run what customers ordered. No tenant owns a site; all may see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from django.db import models

from portal.catalog.models import Chip, Named, Offering, Region
from portal.fleet.drivers.contract import SiteReport

SILENT_AFTER = timedelta(seconds=15)  # a site that said nothing for so long counts as out


def all_data_classes() -> list[str]:
    """Sites in Korea with no restriction of their own take every class."""
    return ["open", "sensitive", "confidential", "medical"]


class SiteQuerySet(models.QuerySet["Site"]):
    def active(self) -> SiteQuerySet:
        """Sites that take work."""
        return self.filter(drained_at=None)


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
    drained_at = models.DateTimeField(null=True, blank=True)
    power_budget_watts = models.PositiveIntegerField(
        null=True, help_text="What the whole site may draw; empty: no bound."
    )
    # What is wanted here grows a number each time that it changes; the site refuses older ones.
    generation = models.PositiveBigIntegerField(default=0)
    wanted_digest = models.CharField(max_length=64, blank=True)
    # What was last seen. The report is the whole truth of that moment.
    observed_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(null=True, blank=True)
    sdks = models.JSONField(
        default=dict, help_text="Chip → the SDK's version, as the site last told it."
    )
    trouble = models.CharField(max_length=300, blank=True)
    trouble_since = models.DateTimeField(null=True, blank=True)
    # One worker at a time tells a site what is wanted.
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.code

    def last_report(self) -> SiteReport | None:
        """The last full report, or ``None`` if the site never answered."""
        return None if self.report is None else msgspec.convert(self.report, SiteReport)

    def state_at(self, now: datetime) -> str:
        """``waiting`` (never seen), ``healthy``, ``silent`` or ``drained``."""
        if self.drained_at is not None and self.drained_at <= now:
            return "drained"
        if self.observed_at is None:
            return "waiting"
        return "silent" if now - self.observed_at > SILENT_AFTER else "healthy"


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


class Card(models.Model):
    """One accelerator, as the site last reported it."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="cards")
    ref = models.CharField(max_length=64)
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="cards")
    state = models.CharField(max_length=16)
    node = models.CharField(max_length=64, blank=True, help_text="Machine; empty: not told.")
    placement = models.CharField(max_length=24, blank=True, help_text="Public id, as reported.")
    simulated = models.BooleanField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["site", "ref"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "ref"], name="card_once_per_site"),
            models.CheckConstraint(
                condition=models.Q(state__in=["free", "used", "failed"]),
                name="card_state",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_id}/{self.ref}"


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
