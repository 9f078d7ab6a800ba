"""How many cards are promised: kept by the database, read by ``portal.deployments.claims``."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from portal.catalog.models import Offering
from portal.fleet.models import Site


class PromisedCards(models.Model):
    """Cards of what is wanted of one offering at one site, of all organizations: the sum of the
    rows of both.

    The database adds to it in the statement that writes a placement, whoever writes it. Several
    rows, because nobody waits: who finds the known ones locked makes another. Only sums of them
    mean anything, and only work of the platform may read them.
    """

    # Without constraints, which would lock the site's row, and orders hold it. Placements keep
    # both from being deleted while this means anything.
    site = models.ForeignKey(Site, models.DO_NOTHING, related_name="+", db_constraint=False)
    offering = models.ForeignKey(
        Offering, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    cards = models.IntegerField()

    class Meta:
        ordering: ClassVar = ["site", "offering", "pk"]

    def __str__(self) -> str:
        return f"{self.site_id} {self.offering_id} {self.cards:+}"
