"""Where a model can run, answered before anything is ordered: each offering with the sites that
have its chip, and what speaks against them now.

Weights that were tuned from others run where those run, by the fingerprint of their base; that
says nothing about their answers, so such an offering counts as unproven until it was shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing import tariffs
from portal.catalog import manifest
from portal.catalog.models import CatalogModel, Offering, OwnModel, Version
from portal.deployments import quoting, why_words
from portal.deployments.capacity import Room
from portal.deployments.placement import SiteRoom, Wanted, WhyNot, why_not
from portal.deployments.runnable import Runnable
from portal.fleet.models import Site

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
# One replica, of whatever may be processed there: only the project knows its data class.
_ONE = Wanted(replicas=1, data_class="")


class BadDigest(ValueError):
    def __str__(self) -> str:
        return _("Give the SHA-256 of the weights: sha256: and 64 hexadecimal digits.")


@dataclass(frozen=True, slots=True)
class AtSite:
    """No codes: it takes an order now, from projects whose data may go there."""

    site: Site
    codes: tuple[WhyNot, ...]
    sentences: tuple[str, ...]
    free: int


@dataclass(frozen=True, slots=True)
class Compatible:
    """``by_base``: it was found for the weights that the asked ones were tuned from."""

    offering: Offering
    by_base: bool
    sites: tuple[AtSite, ...]

    @property
    def orderable(self) -> bool:
        return any(not one.codes for one in self.sites)


def of_model(
    model: CatalogModel, *, organization: int, now: datetime, cards: tariffs.Book | None = None
) -> list[Compatible]:
    """Offerings of the current version, then those of what it was tuned from. ``cards``: prices
    that the caller has asked for already."""
    own = list(_offerings().filter(version__model=model))
    version = own[0].version if own else model.versions.filter(current=True).first()
    if version is None:
        return []
    return _answer(own, _of_base(version), organization, now, cards)


def of_digest(digest: str, *, organization: int, now: datetime) -> list[Compatible]:
    """Of exact weights that the catalogue knows. ``BadDigest``."""
    version = Version.objects.filter(digest=_checked(digest)).order_by("pk").first()
    if version is None:
        return []
    own = _offerings().filter(version__digest=digest)
    return _answer(own, _of_base(version), organization, now)


def of_base(digest: str, *, organization: int, now: datetime) -> list[Compatible]:
    """Of weights that nobody knows, tuned from those with this digest. ``BadDigest``."""
    base = _offerings().filter(version__digest=_checked(digest))
    return _answer(Offering.objects.none(), base, organization, now)


@dataclass(frozen=True, slots=True)
class OwnCompatible:
    """An offering of an own model's base. ``loads``: its server takes files of the model's form."""

    offering: Offering
    loads: bool
    sites: tuple[AtSite, ...]

    @property
    def server(self) -> str:
        """Without its release."""
        return self.offering.sdk.partition(" ")[0]

    @property
    def forms(self) -> tuple[str, ...]:
        """Of files that its server takes."""
        return tuple(sorted(manifest.LOADS.get(self.server, ())))


def of_own(own: OwnModel, *, organization: int, now: datetime) -> list[OwnCompatible]:
    """Of an admitted model: it runs where its base was shown to run and its form is loaded."""
    sites = list(Site.objects.select_related("region").order_by("code"))
    room = quoting.room_of(sites, tariffs.Book("cards", now, organization), organization, now)
    by_code = {site.code: site for site in sites}
    named = Runnable(own.base.model, own)
    found = []
    for one in _offerings().filter(version=own.base_id):
        loads = manifest.loaded_by(own.form, one.sdk)
        rooms = (
            [named.at(by_code[at.site].driver, at) for at in room.for_offering(one)]
            if loads
            else []
        )
        at_sites = tuple(_at(by_code[at.site], at, False) for at in rooms)
        found.append(OwnCompatible(one, loads, at_sites))
    return found


def _checked(digest: str) -> str:
    if not _DIGEST.match(digest):
        raise BadDigest
    return digest


def _offerings() -> QuerySet[Offering]:
    rows = Offering.objects.filter(version__current=True)
    return (
        rows.select_related("version__model", "chip")
        .prefetch_related("figures")
        .order_by("chip__order", "cards", "pk")
    )


def _of_base(version: Version) -> QuerySet[Offering]:
    if not version.base_digest:
        return Offering.objects.none()
    return _offerings().filter(version__digest=version.base_digest).exclude(version=version)


def _answer(
    own: Iterable[Offering],
    base: Iterable[Offering],
    organization: int,
    now: datetime,
    cards: tariffs.Book | None = None,
) -> list[Compatible]:
    asked = [(one, False) for one in own] + [(one, True) for one in base]
    if not asked:
        return []
    sites = list(Site.objects.select_related("region").order_by("code"))
    book = cards or tariffs.Book("cards", now, organization)
    room = quoting.room_of(sites, book, organization, now)
    by_code = {site.code: site for site in sites}
    return [Compatible(one, by_base, _sites(room, one, by_base, by_code)) for one, by_base in asked]


def _sites(
    room: Room, offering: Offering, by_base: bool, sites: dict[str, Site]
) -> tuple[AtSite, ...]:
    return tuple(_at(sites[one.site], one, by_base) for one in room.for_offering(offering))


def _at(site: Site, room: SiteRoom, by_base: bool) -> AtSite:
    codes = tuple(code for code in why_not(room, _ONE) if code != "data_class")
    if by_base and "unproven" not in codes:
        codes = ("unproven", *codes)
    return AtSite(site, codes, tuple(map(why_words.sentence, codes)), room.cards_free)
