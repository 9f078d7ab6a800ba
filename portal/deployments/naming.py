"""What the ids in the ledger are called. Each kind of noun is asked for once, whatever the number
of rows; what is not known any more, or not for the actor to see, keeps its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from portal.catalog.models import CatalogModel
from portal.deployments.models import Endpoint
from portal.fleet.models import Site
from portal.usage.models import LedgerEntry
from tenants.actors import Actor
from tenants.models import ApiKey, Project

KEYS = 200  # the newest ones; older ones are asked for where a row names them


@dataclass(frozen=True, slots=True)
class Names:
    """id → name, for whom the rows are shown to."""

    projects: dict[str, str]
    keys: dict[str, str]
    models: dict[str, str]
    sites: dict[str, str]


def names(actor: Actor, entries: Sequence[LedgerEntry] = ()) -> Names:
    """Names of everything that may be chosen, and of keys that the rows name besides."""
    projects = Project.objects.visible_to(actor).order_by("name", "pk")
    newest = ApiKey.objects.visible_to(actor).order_by("-pk").values_list("public_id", "name")
    found = Names(
        projects=dict(projects.values_list("public_id", "name")),
        keys=dict(newest[:KEYS]) if actor.can("keys.read") else {},
        models={one.slug: one.title for one in CatalogModel.objects.all()},
        sites={one.code: one.title for one in Site.objects.only("code", "name_ko", "name_en")},
    )
    return with_keys(actor, found, entries)


def with_keys(actor: Actor, known: Names, entries: Sequence[LedgerEntry]) -> Names:
    """The same with the keys of the rows, asked for only where they are older than all known."""
    missing = {one.key for one in entries} - known.keys.keys()
    if not missing or len(known.keys) < KEYS:
        return known
    rows = ApiKey.objects.visible_to(actor).filter(public_id__in=missing)
    return replace(known, keys=known.keys | dict(rows.values_list("public_id", "name")))


def endpoint_of(actor: Actor, entry: LedgerEntry) -> Endpoint | None:
    """The endpoint that answered, if the actor may see it."""
    if not actor.can("endpoints.read"):
        return None
    return Endpoint.objects.visible_to(actor).filter(public_id=entry.endpoint).first()
