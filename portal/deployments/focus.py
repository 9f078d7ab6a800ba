"""The FOCUS file of an organization and month, piece by piece: its charges, and where sites are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing.focus import export
from billing.focus.charges import Place
from billing.focus.columns import HEAD
from portal.fleet.models import Site
from portal.lib import spreadsheet
from portal.lib.periods import Month
from tenants import actors
from tenants.actors import Actor

CONTENT_TYPE = spreadsheet.CONTENT_TYPE


def pieces(actor: Actor, month: Month, *, english: bool, now: datetime) -> Iterator[str]:
    """CSV. Opens transactions of its own; empty cells are the standard's nulls."""
    with actors.scope_for(actor):
        places = {
            site.code: Place(
                site.region.code, site.region.name_en if english else site.region.name_ko
            )
            for site in Site.objects.select_related("region")
        }
    wish = export.Wish(month, places, english)
    rows = export.rows(actor, wish, now=now)
    return spreadsheet.lines(HEAD, (tuple(row.values()) for row in rows))


def name(actor: Actor, month: Month) -> str:
    """Of the file."""
    return f"focus-{actor.organization.public_id}-{month}.csv"
