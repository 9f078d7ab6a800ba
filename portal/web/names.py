"""Names in the reader's language for the codes that quotes and refusals keep."""

from __future__ import annotations

from collections.abc import Iterable

from portal.catalog.models import Chip
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
