"""What the model has found: replicas that leave or are held while somebody changes the endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.deployments.models import Endpoint, Placement, Rollout
from portal.deployments.requoting import Change
from tenants import rls
from tests import factories
from tests.provisioning import fleet_world
from tests.provisioning.fleet_checks import Tally
from tests.provisioning.fleet_world import Fleet

TWO, ONE = 0, 1  # of the endpoints that are there: replicas


@pytest.fixture
def fleet(db: None, valkey_url: str) -> Iterator[Fleet]:
    factories.catalogue()
    found = fleet_world.opened(Tally())
    yield found
    found.close()


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


def test_one_story_with_every_kind_of_fault(fleet: Fleet) -> None:
    tour(fleet)

    assert fleet.checks.tally.broken == 0


def tour(fleet: Fleet) -> None:
    """In a fixed order, with a look at what must hold after each step."""
    busan, daegu, gwangju = (fleet.checks.sites[code] for code in sorted(fleet.checks.sites))
    steps = [
        daegu.forget_generation,
        lambda: daegu.take_stray("plc_stray"),
        lambda: busan.take_stray(min(gwangju.running, default="plc_nobody")),
        gwangju.lose_engine,
        busan.restart_engines,
        fleet.settle,
        lambda: fleet.hold(TWO, on=True),
        lambda: fleet.round(16),
        lambda: fleet.hold(TWO, on=False),
        lambda: (setattr(busan, "slow", True), setattr(gwangju, "slow", True)),
        lambda: fleet.put(daegu.code, "draining"),
        fleet.look,
        fleet.round,
        lambda: fleet.put(daegu.code, "open"),
        lambda: (busan.recover(), gwangju.recover()),
        fleet.settle,
        *[lambda: fleet.order(3, "", apart=False)] * 2,
        lambda: busan.repeat(2),
        lambda: fleet.end(TWO, for_good=False),
        daegu.lose_card,
        lambda: fleet.overtake(busan.code, "apply", lambda: fleet.end(ONE, for_good=False)),
        fleet.round,
        lambda: fleet.change(ONE, Change("resume", 2)),
        fleet.round,
        *[lambda: fleet.order(1, "", apart=False)] * 4,  # no room is left
        lambda: setattr(daegu, "lingers", True),
        lambda: fleet.lose(daegu.code),
        fleet.look,
        daegu.recover,
        lambda: fleet.work(daegu.code),
        lambda: fleet.look(400),
        lambda: fleet.restore(gwangju.code),
        busan.forget,
    ]
    for step in steps:
        step()
        fleet.checks.check()
        fleet.round()
        fleet.checks.check()
        fleet.checks.check_routes(fleet.now)
    fleet.settle()


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_hold_has_stopped_counts_when_more_or_fewer_are_ordered(
    fleet: Fleet, count: int
) -> None:
    hold(fleet, TWO)
    fleet.hold(TWO, on=False)

    fleet.change(TWO, Change("resize", count))
    fleet.checks.check()

    fleet.settle()
    assert wanted(TWO) == count


def test_a_rollout_that_was_held_asks_for_no_more_than_it_may(fleet: Fleet) -> None:
    fleet.change(TWO, Change("move", 2, apart=False))
    fleet.round()
    hold(fleet, TWO)
    fleet.hold(TWO, on=False)

    for _ in range(4):
        fleet.look()
        fleet.checks.check()

    fleet.settle()
    assert wanted(TWO) == 2


def test_a_rollout_turns_back_whose_new_replica_finds_no_room_after_a_hold(fleet: Fleet) -> None:
    fleet.change(ONE, Change("move", 1, region="gwangju"))
    fleet.round()
    hold(fleet, ONE)
    fleet.order(3, "gwangju", apart=False)  # all that is left there
    fleet.hold(ONE, on=False)

    fleet.round()
    fleet.round(661)  # longer than it waits for room
    fleet.settle()

    with rls.everyone(because="test"):
        assert Rollout.objects.get().state == "rolled_back"
    assert wanted(ONE) == 1
