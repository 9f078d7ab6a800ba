"""The catalogue as its pages show it: one row an offering, with its figures and its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing import tariffs
from billing.resolution import Version as PriceVersion
from portal.catalog import manifest
from portal.catalog.models import (
    PROVEN,
    CatalogModel,
    Chip,
    Evidence,
    Figure,
    FigureKind,
    ModelKind,
    Offering,
    OwnModel,
    Version,
)
from portal.deployments import queries, runnable
from portal.web import doors, states

MOST_COMPARED = 3
MARKS: dict[str, Promise | str] = {
    "measured": _("measured here"),
    "vendor": _("says the vendor"),
    "second_hand": _("the vendor's, quoted by others"),
    "derived": _("computed"),
    "unverified": _("unverified"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the list; words that nobody knows narrow nothing."""

    query: str = ""
    kind: str = ""
    chip: str = ""
    evidence: str = ""
    licence: str = ""
    compare: tuple[str, ...] = ()

    @classmethod
    def of(cls, sent: QueryDict) -> Filters:
        kind, evidence = doors.word(sent, "kind"), doors.word(sent, "evidence")
        return cls(
            query=doors.word(sent, "q").strip()[:60],
            kind=kind if kind in ModelKind.values else "",
            chip=doors.word(sent, "chip")[:24],
            evidence=evidence if evidence in Evidence.values else "",
            licence=doors.word(sent, "licence")[:60],
            compare=tuple(dict.fromkeys(one[:24] for one in sent.getlist("compare")[:50] if one)),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One offering of a model; none where a model has no chip yet."""

    model: CatalogModel
    offering: Offering | None
    state: states.State | None
    figures: dict[str, Figure]
    price: PriceVersion | None
    own: OwnModel | None = None  # of the organization's own: ``model`` is what it was tuned from

    @property
    def name(self) -> str:
        """As an order calls it."""
        return self.own.public_id if self.own else str(self.model.slug)

    @property
    def title(self) -> str:
        return self.own.name if self.own else str(self.model.title)

    @property
    def speed(self) -> Figure | None:
        return self.figures.get(FigureKind.TOKENS_PER_SECOND)

    @property
    def first_token(self) -> Figure | None:
        return self.figures.get(FigureKind.FIRST_TOKEN_MS)

    @property
    def power(self) -> Figure | None:
        return self.figures.get(FigureKind.POWER_WATTS)

    @property
    def orderable(self) -> bool:
        proven = self.offering is not None and self.offering.evidence in PROVEN
        return proven and self.model.kind == ModelKind.CHAT


def rows(filters: Filters, *, organization: int, now: datetime) -> list[Row]:
    """What can be ordered first, then by name. As many queries for many models as for few."""
    book, classes = tariffs.Book("tokens", now, organization), queries.classes_by_model()
    found = [
        Row(
            model,
            offering,
            states.EVIDENCE[offering.evidence] if offering else None,
            _figures(offering),
            book.price(model.slug, organization, classes.get(model.slug, "")),
        )
        for model in _models(filters)
        for offering in _offerings(model, filters)
    ]
    found += _own_rows(filters, organization)
    return sorted(found, key=lambda row: (not _proven(row), row.title.lower()))


def _own_rows(filters: Filters, organization: int) -> Iterator[Row]:
    """Own models with the offerings of their bases that load them. Figures are the base's, so they
    are not shown, and there is no price per token."""
    if filters.kind not in ("", ModelKind.CHAT) or filters.licence:
        return
    words = filters.query.lower()
    models = [one for one in runnable.orderable(organization) if words in one.name.lower()]
    rows = Offering.objects.filter(version__in={one.base_id for one in models})
    offerings = list(rows.select_related("chip").order_by("chip__order", "cards", "pk"))
    for own in models:
        for one in offerings:
            fits = filters.chip in ("", one.chip.code) and filters.evidence in ("", one.evidence)
            if fits and one.version_id == own.base_id and manifest.loaded_by(own.form, one.sdk):
                yield Row(own.base.model, one, states.EVIDENCE[one.evidence], {}, None, own)


def _proven(row: Row) -> bool:
    return row.offering is not None and row.offering.evidence in PROVEN


def _models(filters: Filters) -> QuerySet[CatalogModel]:
    offerings = Offering.objects.select_related("chip").order_by("chip__order", "cards", "pk")
    versions = Version.objects.filter(current=True).prefetch_related(
        Prefetch("offerings", offerings.prefetch_related("figures"))
    )
    found = CatalogModel.objects.prefetch_related(Prefetch("versions", versions))
    if filters.query:
        words = ("slug", "name_ko", "name_en", "publisher", "licence")
        matches = Q()
        for field in words:
            matches |= Q(**{f"{field}__icontains": filters.query})
        found = found.filter(matches)
    if filters.licence:
        found = found.filter(licence=filters.licence)
    return found.filter(kind=filters.kind) if filters.kind else found


def _offerings(model: CatalogModel, filters: Filters) -> Iterator[Offering | None]:
    all_of_it = [one for version in model.versions.all() for one in version.offerings.all()]
    for one in all_of_it:
        fits_chip = filters.chip in ("", one.chip.code)
        if fits_chip and filters.evidence in ("", one.evidence):
            yield one
    if not all_of_it and not filters.chip and not filters.evidence:
        yield None


def _figures(offering: Offering | None) -> dict[str, Figure]:
    """The highest of each kind."""
    found: dict[str, Figure] = {}
    for figure in offering.figures.all() if offering else ():
        found.setdefault(figure.kind, figure)
    return found


HEAD = (
    *("model", "name", "kind", "publisher", "licence", "context_tokens"),
    *("chip", "cards", "sdk", "evidence", "evidence_note"),
    *("first_token_ms", "first_token_source", "tokens_per_second", "tokens_per_second_source"),
    *("power_watts", "power_source", "won_per_million_in", "won_per_million_out"),
)


def line(row: Row) -> list[object]:
    """A row of the file, under ``HEAD``. Figures stand beside the source that their mark names."""
    model, offering, price = row.model, row.offering, row.price
    told = [
        word
        for figure in (row.first_token, row.speed, row.power)
        for word in ((figure.value, str(MARKS[figure.mark])) if figure else ("", ""))
    ]
    ran = (
        [offering.chip.code, offering.cards, offering.sdk, offering.evidence, offering.note]
        if offering
        else [""] * 5
    )
    return [
        *(row.name, row.title, model.kind, "" if row.own else model.publisher),
        "" if row.own else model.licence,
        offering.context_tokens if offering else model.context_tokens,
        *ran,
        *told,
        *((price.price_in, price.price_out) if price else ("", "")),
    ]


def choices() -> dict[str, object]:
    """What the filters offer."""
    return {
        "chips": Chip.objects.all(),
        "licences": CatalogModel.objects.order_by("licence")
        .values_list("licence", flat=True)
        .distinct(),
        "evidence": [(one.value, states.EVIDENCE[one.value]["text"]) for one in Evidence],
        "legend": [states.EVIDENCE[one.value] for one in Evidence],
    }
