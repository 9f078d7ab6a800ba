"""Why a site was not chosen, and what to change, in sentences. Codes are placement's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.catalog.models import CatalogModel, Chip, Region
from portal.deployments.fixes import Fix
from portal.deployments.placement import Rejection, WhyNot
from portal.fleet.models import Site

REASONS: Mapping[WhyNot, object] = {
    "data_class": gettext_lazy("The project's data may not be processed there."),
    "project_region": gettext_lazy("The project does not allow this region."),
    "other_region": gettext_lazy("It is in another region."),
    "other_chip": gettext_lazy("It has another chip than the one chosen."),
    "no_offering": gettext_lazy("The model does not run on its chip."),
    "unproven": gettext_lazy("Nobody has shown yet that the model runs on its chip."),
    "reverify": gettext_lazy(
        "The software of its chip has changed; we are checking that the model still runs."
    ),
    "no_image": gettext_lazy(
        "It starts engines from container images, and the model has none for its chip yet."
    ),
    "no_engine": gettext_lazy("Nobody has set yet how the model is started on its chip there."),
    "no_weights": gettext_lazy(
        "The operator has not set yet how models of one's own get there: what fetches them, or "
        "where their files lie."
    ),
    "no_price": gettext_lazy("There is no price for its chip yet."),
    "waiting": gettext_lazy("It is being set up and has not reported yet."),
    "silent": gettext_lazy("It does not answer now."),
    "lost": gettext_lazy("It has not answered for long; its work is done elsewhere."),
    "returned": gettext_lazy("It answers again, and what it runs is being compared."),
    "drained": gettext_lazy("It takes no new work."),
    "power": gettext_lazy("Its power supply has no room for more cards."),
    "reserved": gettext_lazy("Its free cards are reserved for others, now or later."),
    "no_card_free": gettext_lazy("It has too few free cards."),
    "apart": gettext_lazy("It has room, but too few sites do to keep the replicas apart."),
}


@dataclass(frozen=True, slots=True)
class SiteReasons:
    """One site with everything that speaks against it."""

    site: Site
    chip: str
    codes: tuple[WhyNot, ...]
    sentences: tuple[str, ...]
    free: int
    needed: int


@dataclass(frozen=True, slots=True)
class Advice:
    """A change that works, and the sentence for it. ``changes``: fields of the wish."""

    kind: str
    value: str
    sentence: str
    changes: dict[str, str]


def sentence(code: WhyNot) -> str:
    """One reason in the reader's language."""
    return str(REASONS[code])


def reasons(rejected: tuple[Rejection, ...]) -> list[SiteReasons]:
    """In the reader's language; the order is that of the sites."""
    sites = {site.code: site for site in Site.objects.select_related("region")}
    return [
        SiteReasons(
            site=sites[one.site],
            chip=one.chip,
            codes=one.reasons,
            sentences=tuple(map(sentence, one.reasons)),
            free=one.free,
            needed=one.needed,
        )
        for one in rejected
    ]


def advice(fixes: tuple[Fix, ...]) -> list[Advice]:
    """In the reader's language, the cheapest change first."""
    titles = _titles(fixes)
    return [
        Advice(fix.kind, fix.value, _sentence(fix, titles.get(fix.value, fix.value)), _changes(fix))
        for fix in fixes
    ]


def _titles(fixes: tuple[Fix, ...]) -> dict[str, str]:
    values = [fix.value for fix in fixes]
    regions = {one.code: one.title for one in Region.objects.filter(code__in=values)}
    chips = {one.code: one.title for one in Chip.objects.filter(code__in=values)}
    models = {one.slug: one.title for one in CatalogModel.objects.filter(slug__in=values)}
    return regions | chips | models


def _sentence(fix: Fix, title: str) -> str:
    words = {"name": title, "km": fix.km}
    match fix.kind:
        case "region" if fix.km is not None:
            return _("Choose the region “%(name)s”, %(km)d km away: it has room.") % words
        case "region":
            return _("Choose the region “%(name)s”: it has room.") % words
        case "chip":
            return _("Choose the chip “%(name)s”: it has room.") % words
        case "together":
            return _("Allow several replicas at one site: then all have room.")
        case "replicas":
            count = int(fix.value)
            sentence = ngettext(
                "Order %(count)d replica: it has room.",
                "Order %(count)d replicas: they have room.",
                count,
            )
            return sentence % {"count": count}
        case "model":
            return _("Choose the smaller model “%(name)s”: it has room.") % words
        case "project_region":
            return _("Let the project use the region “%(name)s”: there is room there.") % words
        case _:
            return _("Let us tell you as soon as there is room.")


def _changes(fix: Fix) -> dict[str, str]:
    match fix.kind:
        case "region" | "chip" | "replicas" | "model":
            return {fix.kind: fix.value}
        case "together":
            return {"apart": ""}
        case _:
            return {}
