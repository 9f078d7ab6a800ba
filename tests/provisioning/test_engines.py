"""From the order to a running engine: the offering's form reaches a cluster of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as configured
from django.utils import timezone

from portal.catalog import admitting
from portal.catalog.models import Offering
from portal.deployments import quoting
from portal.deployments.actions import orders, own_models
from portal.deployments.actions.own_models import Registration
from portal.deployments.models import Placement
from portal.fleet.models import Site
from portal.lib.sealing import seal
from portal.provisioning.reconcile import reconcile
from tenants import rls
from tests.contracts.sites import TOKEN, until
from tests.deployments.conftest import Shop, shop
from tests.factories import CHAT, NOON
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.server import TOKEN as CLUSTER_TOKEN
from tests.fakes.origin import WEIGHTS, Origin, digest_of, encoded
from tests.fakes.ray import RaySite

__all__ = ["shop"]
IMAGE = "registry.example/furiosa-llm@sha256:" + "a" * 64


@dataclass
class Real:
    """A cluster in Daegu, and how to see with which command an engine was started there."""

    driver: str
    cluster: Any

    def step(self) -> None:
        if self.driver == "kubernetes":
            self.cluster.tick(6)

    def commands(self) -> list[str]:
        if self.driver == "ray_serve":
            told = [app.config.get("args", {}) for app in self.cluster.cluster.apps.values()]
            return [" ".join(one["argv"]) for one in told if "argv" in one]
        pods = (one["spec"]["containers"][0] for one in self.cluster.store.of("Pod"))
        return [" ".join([one["image"], *one["command"], *one.get("args", ())]) for one in pods]


@pytest.fixture(params=["kubernetes", "ray_serve"])
def real(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Real]:
    if request.param == "kubernetes":
        with Cluster() as cluster:
            _reached(request.param, cluster.url, CLUSTER_TOKEN)
            yield Real(request.param, cluster)
        return
    site = RaySite(TOKEN)
    _reached(request.param, site.url, TOKEN)
    yield Real(request.param, site)
    site.stop()


def _reached(driver: str, url: str, token: str) -> None:
    sealed = seal(token, configured.DURE_SEAL_KEYS)
    Site.objects.filter(code="daegu-1").update(driver=driver, control_url=url, sealed_token=sealed)


def offered(**fields: Any) -> Offering:
    """What furiosa-llm would run, shown to run here; it stands beside the simulated one."""
    other = Offering.objects.get(version__model__slug=CHAT, chip__code="rngd", sdk="embedded")
    usual = {
        "public_id": "off_furiosa",
        "version": other.version,
        "chip": other.chip,
        "cards": 1,
        "sdk": "furiosa-llm 2026.4.0",
        "evidence": "measured",
        "image": IMAGE,
        "artifact": "furiosa-ai/Model-8B",
        "settings": {"prefix_caching": True},
        "parallel": 4,
        "context_tokens": 2048,
    }
    return Offering.objects.create(**usual | fields)


def order(shop: Shop, model: str = CHAT) -> None:
    wish = quoting.Wish(name="견적-상담", model=model, region="daegu", replicas=1)
    orders.place(
        wish=wish, project=shop.project, idempotency_key="key-00001", by=shop.alice, now=NOON
    )


def state(shop: Shop) -> str:
    with rls.tenant(shop.firm.pk):
        return Placement.objects.get().state


def test_an_order_becomes_an_engine_that_answers(shop: Shop, real: Real) -> None:
    one = offered()
    order(shop)

    def ready() -> bool:
        assert reconcile("daegu-1", now=timezone.now())
        real.step()
        return state(shop) == "ready"

    until(ready, 20)

    (command,) = real.commands()
    assert "furiosa-llm serve furiosa-ai/Model-8B" in command
    assert "--enable-prefix-caching" in command
    assert (IMAGE in command) == (real.driver == "kubernetes")
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.get().model_digest.startswith("sha256:")
    generation = Site.objects.get(code="daegu-1").generation
    Offering.objects.filter(pk=one.pk).update(artifact="furiosa-ai/Model-9B")
    reconcile("daegu-1", now=timezone.now())
    assert real.commands() == [command]  # an edited offering restarts nothing
    assert Site.objects.get(code="daegu-1").generation == generation


@pytest.mark.parametrize("real", ["kubernetes"], indirect=True)
def test_an_own_model_is_fetched_by_its_pod(shop: Shop, real: Real, settings: Any) -> None:
    offered(sdk="llama.cpp", artifact="/base.gguf", settings={})
    settings.DURE_FETCHER_IMAGE = "registry.example/fetcher@sha256:" + "f" * 64
    with Origin() as place:
        settings.DURE_MODEL_ORIGINS = [place.base]
        location, digest = place.put(encoded())
        with rls.tenant(shop.firm.pk):
            wished = Registration("청구서 상담", CHAT, location, digest, licence_confirmed=True)
            own = own_models.register(wish=wished, by=shop.alice, now=NOON)
        assert admitting.check(shop.firm.pk, own.pk, now=NOON)

    order(shop, own.public_id)

    def ready() -> bool:
        assert reconcile("daegu-1", now=timezone.now())
        real.step()
        return state(shop) == "ready"

    until(ready, 20)

    (command,) = real.commands()
    assert "llama-server --model /dure/model/weights/weights.gguf" in command
    (pod,) = real.cluster.store.of("Pod")
    (fetcher,) = pod["spec"]["initContainers"]
    assert fetcher["image"] == settings.DURE_FETCHER_IMAGE
    assert {location, digest, digest_of(WEIGHTS)} <= set(fetcher["args"])
    with rls.tenant(shop.firm.pk):
        assert Placement.objects.get().model_digest == digest_of(WEIGHTS)
    generation = Site.objects.get(code="daegu-1").generation
    settings.DURE_FETCHER_IMAGE = "registry.example/fetcher@sha256:" + "e" * 64
    reconcile("daegu-1", now=timezone.now())  # another image is for what is placed from now on
    assert Site.objects.get(code="daegu-1").generation == generation


def test_refuses_what_cannot_be_started_there_and_says_what_would_work(
    shop: Shop, real: Real
) -> None:
    offered(image="", artifact="" if real.driver == "ray_serve" else "furiosa-ai/Model-8B")

    with pytest.raises(quoting.NoRoom) as refused:
        order(shop)

    here = next(one for one in refused.value.rejected if one.site == "daegu-1")
    assert here.why == ("no_image" if real.driver == "kubernetes" else "no_engine")
    assert ("region", "busan") in [(fix.kind, fix.value) for fix in refused.value.fixes]
