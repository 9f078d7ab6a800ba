"""What can be run, where in Korea, on which chip, and how far each claim was proven."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language

from portal.catalog import launch
from portal.catalog.own_models import OwnModel, OwnModelMove, OwnModelState

__all__ = [
    "PROVEN",
    "CatalogModel",
    "CatalogModelQuerySet",
    "Chip",
    "Evidence",
    "Figure",
    "FigureKind",
    "Mark",
    "ModelKind",
    "Named",
    "Offering",
    "OfferingMove",
    "OwnModel",
    "OwnModelMove",
    "OwnModelState",
    "Region",
    "Sourced",
    "Version",
    "local_name",
]


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


class Mark(models.TextChoices):
    """How far a figure can be trusted."""

    MEASURED = "measured"
    VENDOR = "vendor"  # read on the vendor's own page
    SECOND_HAND = "second_hand"  # the vendor's, as others quote it
    DERIVED = "derived"  # computed from other figures
    UNVERIFIED = "unverified"


class Sourced(models.Model):
    """Where a figure comes from, and when somebody read it there."""

    mark = models.CharField(max_length=16, blank=True)
    source_name = models.CharField(max_length=120, blank=True)
    source_url = models.URLField(max_length=300, blank=True)
    source_date = models.DateField(null=True, blank=True)

    class Meta:
        abstract = True


class Chip(Named, Sourced):
    """A product type of accelerator."""

    code = models.SlugField(max_length=24, unique=True)
    vendor = models.CharField(max_length=40)
    memory_gib = models.PositiveSmallIntegerField()
    tdp_watts = models.PositiveSmallIntegerField()
    order = models.PositiveSmallIntegerField(default=0)
    devices = models.PositiveSmallIntegerField(
        default=1, help_text="Devices that the operating system sees in one card."
    )
    resource = models.CharField(max_length=40, blank=True, help_text="Its name in Kubernetes.")
    ray_resource = models.CharField(max_length=24, blank=True, help_text="Its name in Ray.")

    class Meta:
        ordering: ClassVar = ["order", "code"]

    def __str__(self) -> str:
        return self.name_en


class ModelKind(models.TextChoices):
    CHAT = "chat"
    EMBEDDING = "embedding"


class Evidence(models.TextChoices):
    """How far it was shown that a version runs on a chip. Moved by ``portal.catalog.evidence``."""

    MEASURED = "measured"
    CLAIMED = "claimed"
    FAILING = "failing"
    REVERIFY = "reverify"  # was shown, with another SDK or before something changed
    SIMULATED = "simulated"  # really ran, but on a simulated site: says nothing about the chip


PROVEN = (Evidence.MEASURED, Evidence.SIMULATED)


class CatalogModelQuerySet(models.QuerySet["CatalogModel"]):
    def orderable(self) -> CatalogModelQuerySet:
        """Models that were shown to run on some chip; the others are only announced."""
        proven = Offering.objects.filter(
            version__model=models.OuterRef("pk"), version__current=True, evidence__in=PROVEN
        )
        return self.filter(models.Exists(proven))


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

    objects = CatalogModelQuerySet.as_manager()

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
    """An exact set of weights. Without a digest it is announced only: nothing can be placed."""

    model = models.ForeignKey(CatalogModel, models.PROTECT, related_name="versions")
    label = models.CharField(max_length=40)
    digest = models.CharField(max_length=71, blank=True, help_text="sha256: and 64 hex digits")
    base_digest = models.CharField(
        max_length=71, blank=True, help_text="Digest of the weights that it was tuned from."
    )
    repository = models.CharField(max_length=160, blank=True, help_text="The publisher's own name.")
    licence = models.CharField(max_length=80, blank=True, help_text="Empty: the model's.")
    context_tokens = models.PositiveIntegerField(null=True, help_text="Empty: the model's.")
    languages = models.JSONField(default=list, help_text="Codes that the publisher names.")
    modalities = models.JSONField(default=list, help_text="text, image, audio")
    config = models.JSONField(
        default=dict,
        help_text="What decides how it is compiled: catalog.manifest. Empty: nobody wrote it down.",
    )
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

    @property
    def can_be_tuned(self) -> bool:
        """Whether an own model can be compared with it."""
        return self.current and bool(self.digest) and bool(self.config)


class Offering(Sourced):
    """Version × chip × SDK × bundle × cards, with its evidence. Only this can be placed.

    What its engine is started from (``image``, ``artifact``, ``revision``, ``settings``) is changed
    by ``portal.catalog.editing``; the source is that of the artifact, until somebody edits it.
    """

    public_id = models.CharField(max_length=24, unique=True)
    version = models.ForeignKey(Version, models.PROTECT, related_name="offerings")
    chip = models.ForeignKey(Chip, models.PROTECT, related_name="offerings")
    cards = models.PositiveSmallIntegerField()
    sdk = models.CharField(max_length=40)
    bundle = models.CharField(
        max_length=71, blank=True, help_text="Digest of what was compiled for the chip, if it was."
    )
    image = models.CharField(max_length=300, blank=True, help_text="Of its server, by digest.")
    artifact = models.CharField(
        max_length=300, blank=True, help_text="What is loaded: a Hugging Face id or a path."
    )
    revision = models.CharField(max_length=80, blank=True, help_text="Of a Hugging Face id.")
    settings = models.JSONField(default=dict, help_text="Known keys: portal.catalog.settings_of.")
    evidence = models.CharField(max_length=16)
    evidence_since = models.DateTimeField(db_default=Now())
    parallel = models.PositiveSmallIntegerField(help_text="Requests answered at the same time.")
    context_tokens = models.PositiveIntegerField()
    note_ko = models.CharField(max_length=200, blank=True)
    note_en = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "chip", "sdk", "bundle", "cards"], name="offering_once"
            ),
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

    @property
    def fingerprint(self) -> str:
        """Digest of everything that decides what answers: another one was never shown to run."""
        return launch.fingerprint(
            {
                **launch.form_of(self),
                "weights": self.version.digest,
                "chip": self.chip_id,
                "cards": self.cards,
                "bundle": self.bundle,
            }
        )


class OfferingMove(models.Model):
    """One change of an offering's evidence. Only ever added; who did it stands in the audit log."""

    offering = models.ForeignKey(Offering, models.PROTECT, related_name="moves")
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    because = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.offering_id}: {self.from_state} → {self.to_state}"


class FigureKind(models.TextChoices):
    TOKENS_PER_SECOND = "tokens_per_second"
    FIRST_TOKEN_MS = "first_token_ms"  # noqa: S105 - a word of a table
    POWER_WATTS = "power_watts"


class Figure(Sourced):
    """A speed or power of an offering. A figure without its conditions means nothing."""

    offering = models.ForeignKey(Offering, models.CASCADE, related_name="figures")
    kind = models.CharField(max_length=24)
    value = models.DecimalField(max_digits=12, decimal_places=2)
    conditions_ko = models.CharField(max_length=200)
    conditions_en = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["kind", "-value", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["offering", "kind", "conditions_en"], name="offering_figure_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=FigureKind.values), name="offering_figure_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"

    @property
    def conditions(self) -> str:
        return local_name(self.conditions_ko, self.conditions_en)
