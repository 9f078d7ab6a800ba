"""What the model has found: replicas that leave or are held while somebody changes the endpoint."""

from __future__ import annotations

import pytest

from portal.deployments.models import Endpoint, Placement
from portal.deployments.requoting import Change
from tenants import rls
from tests import factories
from tests.provisioning import fleet_world
from tests.provisioning.fleet_checks import Tally
from tests.provisioning.fleet_world import Fleet

TWO, ONE = 0, 1  # of the endpoints that are there: replicas


@pytest.fixture
def fleet(db: None, valkey_url: str) -> Fleet:
    factories.catalogue()
    return fleet_world.opened(Tally())


def drain(fleet: Fleet, which: int) -> None:
    """The site of its first replica; another one is asked for and does not answer yet."""
    with rls.everyone(because="test"):
        endpoint = Endpoint.objects.filter(kind="dedicated").order_by("pk")[which]
        code = endpoint.placements.order_by("pk")[0].site.code
    for site in fleet.checks.sites.values():
        site.slow = site.code != code
    fleet.put(code, "draining")
    fleet.look()


def hold(fleet: Fleet, which: int) -> None:
    """Until all its replicas have stopped."""
    fleet.hold(which, on=True)
    for _ in range(3):
        fleet.round()


def wanted(which: int) -> int:
    with rls.everyone(because="test"):
        endpoint = Endpoint.objects.filter(kind="dedicated").order_by("pk")[which]
        return Placement.objects.filter(endpoint=endpoint, wanted=True).living().count()


def test_more_replicas_come_while_one_leaves_its_site(fleet: Fleet) -> None:
    drain(fleet, ONE)

    fleet.change(ONE, Change("resize", 2))

    assert wanted(ONE) == 3  # the one that leaves, the one in its stead, the new one
    fleet.settle()
    assert wanted(ONE) == 2


def test_fewer_replicas_stay_while_one_leaves_its_site(fleet: Fleet) -> None:
    drain(fleet, TWO)

    fleet.change(TWO, Change("resize", 1))

    assert wanted(TWO) == 1
    fleet.settle()


def test_a_pause_ends_what_a_hold_would_bring_back(fleet: Fleet) -> None:
    hold(fleet, TWO)
    fleet.end(TWO, for_good=False)
    fleet.hold(TWO, on=False)

    fleet.change(TWO, Change("resume", 2))

    fleet.settle()
    assert wanted(TWO) == 2


def test_the_end_of_a_hold_brings_one_back_for_one_that_was_leaving(fleet: Fleet) -> None:
    drain(fleet, ONE)
    hold(fleet, ONE)

    fleet.hold(ONE, on=False)

    fleet.settle()
    assert wanted(ONE) == 1


def test_after_a_hold_no_cards_are_taken_that_others_have(fleet: Fleet) -> None:
    hold(fleet, TWO)
    for count in (3, 2, 2, 1, 1):
        fleet.order(count, "", apart=False)

    fleet.hold(TWO, on=False)

    fleet.settle()  # as many as find room; none at a site without cards
