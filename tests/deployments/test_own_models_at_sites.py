"""How the weights of a customer's own model reach a site of each kind."""

from __future__ import annotations

from typing import Any

import pytest

from portal.catalog.models import Offering
from portal.deployments import runnable
from portal.fleet.models import Site
from tenants import rls
from tests.deployments.conftest import Shop
from tests.deployments.test_own_models import admitted, place
from tests.factories import NOON
from tests.fakes.origin import WEIGHTS, Origin, digest_of

__all__ = ["place"]
FETCHER = "registry.example/fetcher@sha256:" + "f" * 64


@pytest.mark.parametrize(
    ("driver", "mount", "fetcher", "lacks"),
    [
        ("ray_serve", "", FETCHER, True),
        ("ray_serve", ";mount=/models", "", False),
        ("kubernetes", ";mount=/models", "", True),
        ("kubernetes", "", FETCHER, False),
    ],
)
def test_vendors_servers_load_it_where_the_operator_has_seen_to_its_files(
    shop: Shop, place: Origin, settings: Any, driver: str, mount: str, fetcher: str, lacks: bool
) -> None:
    settings.DURE_FETCHER_IMAGE = fetcher
    own = admitted(shop, place)
    offering = Offering.objects.get(version=own.base, chip__code="rngd")
    offering.sdk, offering.artifact = "llama.cpp", "/base.gguf"
    offering.save()
    Site.objects.filter(code="daegu-1").update(driver=driver)
    settings.DURE_MODEL_ORIGINS = [place.base + mount]

    sites = [Site.objects.select_related("region").get(code="daegu-1")]
    with rls.everyone(because="test"):
        (room,) = runnable.Runnable(own.base.model, own).rooms(
            runnable.Room(sites, prices={"rngd": 1}, now=NOON)
        )
    assert ("no_weights" in room.lacks) == lacks
    form = runnable.form_of(own, offering, "ray_serve")
    assert form["artifact"] == mount.removeprefix(";mount=") + "/hanbit/claims/weights.gguf"


def test_a_pod_is_told_what_to_fetch_by_an_image_that_stays_the_same(
    shop: Shop, place: Origin, settings: Any
) -> None:
    own = admitted(shop, place)
    offering = Offering.objects.get(version=own.base, chip__code="rngd")
    settings.DURE_FETCHER_IMAGE = FETCHER
    settings.DURE_MODEL_ORIGINS = [place.base + ";private"]

    form = runnable.form_of(own, offering, "kubernetes")

    assert form["fetch"] == {
        "location": own.location,
        "manifest": own.digest,
        "bytes": len(WEIGHTS),
        "file": "weights.gguf",
        "image": FETCHER,
        "private": True,
    }
    assert (form["weights"], form["artifact"]) == (
        digest_of(WEIGHTS),
        f"{place.base}/hanbit/claims/weights.gguf",
    )
    own.artifact = "/hanbit/claims"  # a folder is loaded itself
    settings.DURE_MODEL_ORIGINS = []
    folder = runnable.form_of(own, offering, "kubernetes")["fetch"]
    assert (folder["file"], folder["private"]) == ("", False)
