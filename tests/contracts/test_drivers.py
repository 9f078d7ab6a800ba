"""One suite for every kind of site: what the workers rely on, whoever answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from portal.fleet.drivers import registry
from portal.fleet.drivers.contract import Driver, SiteReport, SiteUnavailable, WishRefused
from portal.fleet.drivers.embedded import EmbeddedDriver
from portal.fleet.drivers.kubernetes.driver import KubernetesDriver
from portal.fleet.drivers.ray_serve import RayServeDriver
from tests.contracts.sites import TOKEN, Site, spec, until, wish
from tests.fakes.kubernetes import Cluster
from tests.fakes.kubernetes.server import TOKEN as CLUSTER_TOKEN
from tests.fakes.ray import RaySite
from tests.fakes.site import FakeSite

DIGEST = "sha256:" + "d" * 64


@dataclass
class Kind:
    """A driver, and the number that wishes may begin with: one site serves the whole module."""

    driver: Driver
    name: str
    number: int = 0
    digest: str = ""  # said with the wish, where the site does not measure the weights itself

    def next(self) -> int:
        self.number += 1
        return self.number

    def ready(self, *names: str) -> SiteReport:
        until(lambda: self._states() == dict.fromkeys(names, "ready"))
        return self.driver.observe()

    def _states(self) -> dict[str, str]:
        return {one.placement: one.state for one in self.driver.observe().replicas}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site") / "state").start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        yield found


@pytest.fixture(scope="module")
def ray_serve() -> Iterator[RayServeDriver]:
    site = RaySite(TOKEN)
    yield RayServeDriver(site.url, TOKEN)
    site.stop()


@pytest.fixture(scope="module", params=["embedded", "fake", "kubernetes", "ray_serve"])
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param == "fake":
        return Kind(FakeSite(), "fake")
    if request.param == "kubernetes":
        url = request.getfixturevalue("cluster").url
        return Kind(KubernetesDriver(url, CLUSTER_TOKEN), "kubernetes", digest=DIGEST)
    if request.param == "ray_serve":
        return Kind(request.getfixturevalue("ray_serve"), "ray_serve")
    return Kind(request.getfixturevalue("embedded").driver, "embedded")


@pytest.fixture(autouse=True)
def _empty(kind: Kind) -> None:
    kind.driver.apply(wish(kind.next()))
    kind.ready()


def test_covers_every_kind_that_is_registered() -> None:
    assert set(registry.DRIVERS) == {"embedded", "kubernetes", "ray_serve"}


def test_knows_no_other_kind() -> None:
    with pytest.raises(ValueError, match="embedded"):
        registry.driver_for("abacus", control_url="http://x", token="x")


def test_brings_up_what_is_wanted(kind: Kind) -> None:
    generation = kind.next()
    kind.driver.apply(
        wish(
            generation,
            spec(1, model_digest=kind.digest),
            spec(2, engine="embedding", cards=0, model_digest=kind.digest),
        )
    )

    report = kind.ready("plc_1", "plc_2")

    assert (report.site, report.generation, report.simulated) == ("daegu-1", generation, True)
    replicas = {one.placement: one for one in report.replicas}
    assert len(replicas["plc_1"].cards) == 1
    assert replicas["plc_2"].cards == ()
    assert replicas["plc_1"].url != replicas["plc_2"].url
    assert all(one.url and one.url.startswith("http://") for one in report.replicas)
    assert all(one.model_digest.startswith("sha256:") for one in report.replicas)
    used = {card.id: card.placement for card in report.cards if card.state == "used"}
    assert used == {replicas["plc_1"].cards[0]: "plc_1"}


def test_stops_what_is_no_longer_wanted_and_keeps_the_rest(kind: Kind) -> None:
    kind.driver.apply(wish(kind.next(), spec(1), spec(2)))
    before = kind.ready("plc_1", "plc_2")

    kind.driver.apply(wish(kind.next(), spec(2)))

    after = kind.ready("plc_2")
    old = next(one for one in before.replicas if one.placement == "plc_2")
    assert after.replicas[0].cards == old.cards
    assert after.replicas[0].restarts == 0


def test_may_be_told_the_same_again(kind: Kind) -> None:
    generation = kind.next()
    for _ in range(3):
        kind.driver.apply(wish(generation, spec(1)))

    assert kind.ready("plc_1").generation == generation


def test_refuses_an_older_generation(kind: Kind) -> None:
    kind.driver.apply(wish(kind.next(), spec(1)))
    newer = kind.next()
    kind.driver.apply(wish(newer, spec(1)))

    with pytest.raises(WishRefused):
        kind.driver.apply(wish(newer - 1))

    assert kind.ready("plc_1").generation == newer


def test_refuses_another_wish_of_the_same_generation(kind: Kind) -> None:
    generation = kind.next()
    kind.driver.apply(wish(generation, spec(1)))

    with pytest.raises(WishRefused):
        kind.driver.apply(wish(generation, spec(2)))

    kind.ready("plc_1")


def test_refuses_an_older_epoch(kind: Kind) -> None:
    kind.driver.apply(wish(kind.next(), spec(7, epoch=3)))

    with pytest.raises(WishRefused):
        kind.driver.apply(wish(kind.next(), spec(7, epoch=2)))

    assert kind.ready("plc_7").replicas[0].epoch == 3


def test_says_why_it_cannot(kind: Kind) -> None:
    kind.driver.apply(wish(kind.next(), spec(1, cards=2), spec(2)))

    def failed() -> list[str]:
        found = kind.driver.observe().replicas
        return [one.because for one in found if one.state == "failed"]

    assert "card" in until(failed)[0]


def test_keeps_logs_after_the_end(kind: Kind) -> None:
    kind.driver.apply(wish(kind.next(), spec(5)))
    kind.ready("plc_5")
    kind.driver.apply(wish(kind.next()))
    kind.ready()

    page = kind.driver.logs("plc_5", 0)

    assert page.lines
    assert page.next == page.lines[-1].number
    assert kind.driver.logs("plc_5", page.next).lines == ()
    assert kind.driver.logs("plc_5", page.lines[0].number).lines == page.lines[1:]


def test_has_no_logs_of_what_it_never_ran(kind: Kind) -> None:
    assert kind.driver.logs("plc_unknown", 0).lines == ()


@pytest.mark.parametrize("call", ["apply", "observe", "logs"])
def test_says_that_nothing_is_known_when_nobody_answers(call: str) -> None:
    away = FakeSite(away=True)
    nowhere = "http://127.0.0.1:9"
    kinds = (EmbeddedDriver, KubernetesDriver, RayServeDriver)
    for driver in (*(kind(nowhere, TOKEN) for kind in kinds), away):
        with pytest.raises(SiteUnavailable):
            if call == "apply":
                driver.apply(wish(1))
            elif call == "observe":
                driver.observe()
            else:
                driver.logs("plc_1", 0)


def test_says_that_nothing_is_known_with_a_wrong_token(embedded: Site) -> None:
    driver = EmbeddedDriver(embedded.driver.url, "w" * 40)

    with pytest.raises(SiteUnavailable, match="401"):
        driver.observe()


def test_takes_no_wish_for_another_site(embedded: Site) -> None:
    from portal.fleet.drivers.contract import SiteSpec

    with pytest.raises(SiteUnavailable, match="400"):
        embedded.driver.apply(SiteSpec(site="busan-1", generation=10**6))


@pytest.mark.parametrize("path", ["../../etc/passwd", "PLC_1", "a" * 41, "%2e%2e"])
def test_reads_no_other_files_as_logs(embedded: Site, path: str) -> None:
    with pytest.raises(SiteUnavailable, match="404"):
        embedded.driver.logs(path, 0)
