"""What can be run, where in Korea, on which chip, and how far each claim was proven."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language


def local_name(korean: str, english: str) -> str:
    """The name in the reader's language."""
    return english if (get_language() or "ko").startswith("en") else korean


class Named(models.Model):
    """Names live in two columns, because they are data and not phrases."""

    name_ko = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)

    class Meta:
        abstract = True

    @property
    def title(self) -> str:
        return local_name(self.name_ko, self.name_en)


class Region(Named):
    """A province or metropolitan city. Data, not an enum: regions merge and are renamed."""

    code = models.SlugField(max_length=24, unique=True)
    order = models.PositiveSmallIntegerField(default=0)
    # Of its office: how far it is to another region's site is told in whole kilometres only.
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)

    class Meta:
        ordering: ClassVar = ["order", "code"]

    def __str__(self) -> str:
        return self.name_en

    @property
    def place(self) -> tuple[float, float] | None:
        """Degrees, or ``None`` where nobody wrote them down."""
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude


class Chip(Named):
    """A product type of accelerator."""

    code = models.SlugField(max_length=24, unique=True)
    vendor = models.CharField(max_length=40)
    memory_gib = models.PositiveSmallIntegerField()
    tdp_watts = models.PositiveSmallIntegerField()
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["order", "code"]

    def __str__(self) -> str:
        return self.name_en


class ModelKind(models.TextChoices):
    CHAT = "chat"
    EMBEDDING = "embedding"


class CatalogModel(Named):
    """A model that customers can call. Its slug is the name in the API."""

    slug = models.SlugField(max_length=64, unique=True)
    kind = models.CharField(max_length=16)
    description_ko = models.TextField()
    description_en = models.TextField()
    publisher = models.CharField(max_length=80)
    licence = models.CharField(max_length=80)
    parameters_millions = models.PositiveIntegerField()
    answers_korean = models.BooleanField()
    context_tokens = models.PositiveIntegerField()
    default_max_tokens = models.PositiveIntegerField()
    template_tokens = models.PositiveSmallIntegerField(
        help_text="Upper bound of what the chat template adds to one message, in tokens."
    )

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=ModelKind.values), name="catalog_model_kind"
            )
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def description(self) -> str:
        return local_name(self.description_ko, self.description_en)


class Version(models.Model):
    """An exact set of weights."""

    model = models.ForeignKey(CatalogModel, models.PROTECT, related_name="versions")
    label = models.CharField(max_length=40)
    digest = models.CharField(max_length=71, help_text="sha256: and 64 hex digits")
    current = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "digest"], name="version_digest_once"),
            models.UniqueConstraint(
                fields=["model"],
                condition=models.Q(current=True),
                name="version_one_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} {self.label}"


class Evidence(models.TextChoices):
    MEASURED = "measured"
    CLAIMED = "claimed"
    FAILING = "failing"
    SIMULATED = "simulated"  # really ran, but on a simulated site: says nothing about the chip


class Offering(models.Model):
    """Version × chip × SDK × number of cards, with its evidence. Only this can be placed."""

    public_id = models.CharField(max_length=24, unique=True)
    version = models.ForeignKey(Version, models.PROTECT, related_name="offerings")
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="offerings")
    cards = models.PositiveSmallIntegerField()
    sdk = models.CharField(max_length=40)
    evidence = models.CharField(max_length=16)
    parallel = models.PositiveSmallIntegerField(help_text="Requests answered at the same time.")
    context_tokens = models.PositiveIntegerField()
    note_ko = models.CharField(max_length=200, blank=True)
    note_en = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "chip", "sdk"], name="offering_once"),
            models.CheckConstraint(
                condition=models.Q(evidence__in=Evidence.values),
                name="offering_evidence",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def note(self) -> str:
        return local_name(self.note_ko, self.note_en)
