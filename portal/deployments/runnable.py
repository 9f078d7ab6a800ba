"""What an order can name: a model of the catalogue, or one of the organization's own.

An own model is placed by the offerings of the version that it was tuned from, and only where the
server loads files of its form; each of its replicas is started with its own weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.conf import settings

from portal.catalog import admitting, launch, origins
from portal.catalog.models import CatalogModel, Offering, OwnModel, OwnModelState
from portal.deployments.capacity import Room
from portal.deployments.placement import SiteRoom
from portal.fleet import starting

PREFIX = "mdl_"
NO_WEIGHTS: starting.Lack = "no_weights"


class Names(Protocol):
    """A row that runs something: an endpoint, an order, a wish that waits."""

    model: Any
    own_model: Any


@dataclass(frozen=True, slots=True)
class Runnable:
    """``own`` is ``None`` for a model of the catalogue; else ``model`` is that of its base."""

    model: CatalogModel
    own: OwnModel | None = None

    @property
    def name(self) -> str:
        """As a wish, a link and the API call it."""
        return self.own.public_id if self.own else str(self.model.slug)

    def rooms(self, room: Room) -> list[SiteRoom]:
        """A room for each kind of chip at each site, as ``Room.of`` has them."""
        if self.own is None:
            return room.of([self.model])[self.model.slug]
        fit = frozenset(one.pk for one in admitting.fitting(self.own.base, self.own.form))
        drivers = {one.site: one.driver for one in room.stock}
        rooms = room.of([self.model], only=fit)[self.model.slug]
        return [self._at(drivers[one.site], one) for one in rooms]

    def at(self, driver: str, room: SiteRoom) -> SiteRoom:
        """With what speaks against an own model at a site with this driver."""
        return room if self.own is None else self._at(driver, room)

    def _at(self, driver: str, room: SiteRoom) -> SiteRoom:
        assert self.own is not None  # its callers have looked
        if room.offering is None or self._gets_to(driver):
            return room
        return replace(room, lacks=(*room.lacks, NO_WEIGHTS))

    def _gets_to(self, driver: str) -> bool:
        """Whether its files reach a site with this driver: a Ray cluster's machines have a folder,
        a pod fetches them, as an embedded site does."""
        if driver == "ray_serve":
            return bool(self.own and mount_of(self.own))
        return driver != "kubernetes" or launch.is_image(settings.DURE_FETCHER_IMAGE)


def of(row: Names) -> Runnable:
    """What an endpoint or an order runs."""
    return Runnable(row.model, row.own_model)


def find(name: str, organization: int, *, lock: bool = False) -> Runnable | None:
    """What ``organization`` may order by this name now. ``lock``: an own model is not withdrawn
    until the end of the transaction."""
    if not name.startswith(PREFIX):
        model = CatalogModel.objects.filter(slug=name, kind="chat").first()
        return Runnable(model) if model else None
    rows = OwnModel.objects.filter(organization=organization, state=OwnModelState.ADMITTED)
    if lock:
        rows = rows.select_for_update(of=["self"])
    own = rows.select_related("base__model").filter(public_id=name).first()
    return Runnable(own.base.model, own) if own and _may_lie_there(own) else None


def orderable(organization: int) -> list[OwnModel]:
    """The organization's own models that can be ordered, by name."""
    rows = OwnModel.objects.filter(organization=organization, state=OwnModelState.ADMITTED)
    return list(rows.filter(base__current=True).select_related("base__model").order_by("name"))


def _may_lie_there(own: OwnModel) -> bool:
    """Nothing new is ordered from a place that the operator no longer allows; what runs goes on."""
    try:
        origins.of(own.location)
    except origins.NotAllowed:
        return False
    return True


def mount_of(own: OwnModel) -> str:
    """Where sites with vendors' servers have the files of its origin; empty where they do not."""
    try:
        return origins.of(own.location).mount
    except origins.NotAllowed:
        return ""


def form_of(own: OwnModel | None, offering: Offering, driver: str) -> Mapping[str, Any]:
    """How one replica's engine is started: the offering's way, with the weights of ``own``. On Ray
    the vendor's server loads them from a folder of its machine; elsewhere they are fetched."""
    form = launch.form_of(offering)
    if own is None:
        return form
    base, manifest = origins.split(own.location)
    artifact = (mount_of(own) if driver == "ray_serve" else base) + own.artifact
    form |= {"artifact": artifact, "revision": "", "weights": own.weights}
    if driver == "kubernetes":
        form["fetch"] = {
            "location": own.location,
            "manifest": own.digest,
            "bytes": own.bytes,
            # the folder itself is loaded, or one file in it
            "file": own.artifact.removeprefix(manifest.rpartition("/")[0]).removeprefix("/"),
            "image": settings.DURE_FETCHER_IMAGE,
            "private": _is_private(own),
        }
    return form


def _is_private(own: OwnModel) -> bool:
    try:
        return origins.of(own.location).private
    except origins.NotAllowed:
        return False
