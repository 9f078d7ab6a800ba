"""The living placements of a site as a round needs them.

A site has hundreds. As models with their endpoints they cost more than the rest of the round
together, so they are read as rows; who moves one loads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q

from portal.catalog import launch
from portal.catalog.models import Offering
from portal.deployments.models import Placement
from portal.fleet import starting
from portal.fleet.drivers.contract import PlacementSpec
from portal.fleet.models import Site
from portal.provisioning.plan import Wish

_ASKED = Q(
    wanted=True,
    endpoint__stopped_at=None,
    endpoint__paused_at=None,
    endpoint__funding_hold=False,
    endpoint__operator_hold=False,
) & ~Q(state="stopping")  # also where the hold is over: its card is for the one in its stead


@dataclass(frozen=True, slots=True)
class Seat:
    """One living placement. ``url``, ``restarts`` and ``model_digest`` are what its site said the
    last time."""

    pk: int
    name: str  # public id
    epoch: int
    state: str
    asked: bool  # it is wanted, its endpoint neither paused nor held, and nothing has stopped it
    cards: int
    form: Mapping[str, Any]
    credential: str  # sealed
    of_endpoint: str  # public id
    of_organization: str  # public id
    url: str
    restarts: int
    model_digest: str
    offering: Offering

    @property
    def weights(self) -> str:
        """The digest of what it has to run: its own model's, or the version's."""
        digest: str = self.offering.version.digest
        return str(self.form.get("weights", digest))

    def wish(self) -> Wish:
        return Wish(self.name, self.epoch, self.asked, self.state, self.weights)

    def spec(self, driver: str) -> PlacementSpec:
        """What a site of this kind is told, the credential still sealed. What was placed before
        forms were kept goes by its offering's."""
        offering = self.offering
        return PlacementSpec(
            id=self.name,
            epoch=self.epoch,
            endpoint=self.of_endpoint,
            engine=starting.engine_of(offering),
            model=offering.version.model.slug,
            model_digest=self.weights,
            chip=offering.chip.code,
            cards=self.cards,
            credential=self.credential,
            organization=self.of_organization,
            **starting.parts(self.form or launch.form_of(offering), offering.chip, driver),
        )


def at(site: Site) -> list[Seat]:
    """In the order in which they were placed. They share some offerings: each is read once."""
    rows: list[Any] = list(
        Placement.objects.filter(site=site)
        .living()
        .order_by("pk")
        .values(
            "pk",
            "epoch",
            "state",
            "cards",
            "form",
            "url",
            "restarts",
            "model_digest",
            "offering",
            name=F("public_id"),
            asked=_ASKED,
            credential=F("sealed_credential"),
            of_endpoint=F("endpoint__public_id"),
            of_organization=F("organization__public_id"),
        )
    )
    offerings = Offering.objects.select_related("version__model", "chip").in_bulk(
        {row["offering"] for row in rows}
    )
    return [Seat(**row | {"offering": offerings[row["offering"]]}) for row in rows]
