"""Names in the reader's language for the codes that quotes and refusals keep."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Value

from portal.catalog.models import Chip, local_name
from portal.fleet.models import Site


def chips() -> dict[str, str]:
    """Code → name of every chip."""
    return {one.code: one.title for one in Chip.objects.only("code", "name_ko", "name_en")}


def sites(codes: Iterable[str]) -> list[str]:
    """The names of sites, in the order of their codes; a code twice is named once."""
    wanted = list(dict.fromkeys(codes))
    rows = Site.objects.filter(code__in=wanted).only("code", "name_ko", "name_en")
    known = {one.code: one.title for one in rows}
    return [known.get(code, code) for code in wanted]


def chips_and_sites(codes: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Both, in one question."""
    wanted = list(dict.fromkeys(codes))
    names = ("code", "name_ko", "name_en")
    of_chips = Chip.objects.order_by().values_list(Value("chip"), *names)
    of_sites = Site.objects.order_by().filter(code__in=wanted).values_list(Value("site"), *names)
    known: dict[str, dict[str, str]] = {"chip": {}, "site": {}}
    for kind, code, name_ko, name_en in of_chips.union(of_sites, all=True).order_by():
        known[kind][code] = local_name(name_ko, name_en)
    return known["chip"], [known["site"].get(code, code) for code in wanted]
