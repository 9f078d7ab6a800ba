"""What of reserved cards is charged: what nobody used, and what the site could have given."""

from __future__ import annotations

from typing import Any

from billing.models import Commitment
from portal.catalog.models import Offering
from portal.deployments.actions import (
    card_time,
    reservations,
    reserved_time,
)
from portal.deployments.models import (
    Endpoint,
    Placement,
    Reservation,
)
from portal.deployments.states import move_placement
from portal.fleet.models import Site
from portal.lib import ids
from portal.usage.models import CardTime
from tenants import rls
from tenants.actors import Actor
from tenants.models import Organization, Project
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_reservations import (
    HOUR,
    TOMORROW,
    WON,
    charged,
    counted,
    reserve,
    seen,
    wish,
)
from tests.factories import CHAT, NOON


def test_charges_only_what_nobody_used(shop: Shop) -> None:
    found = reserve(shop)
    start = TOMORROW + HOUR
    replica = factories.placement(
        factories.endpoint(shop.project),
        shop.daegu,
        moves=[(start, "ready")],
        state="ready",
        created_at=start,
    )
    half, end = TOMORROW + 2 * HOUR + HOUR / 2, TOMORROW + 11 * HOUR

    seen(half)
    card_time.accrue_all(now=half)
    reserved_time.accrue_all(now=half)
    assert charged() == {found.public_id: (2 + 1) * 3600}  # the second hour was half used

    with rls.everyone(because="tests"):
        move_placement(replica, "stopping", because="Test.", now=start + 2 * HOUR + HOUR / 2)
        move_placement(replica, "stopped", because="Test.", now=start + 3 * HOUR)
    seen(end)
    for _again in range(2):
        card_time.accrue_all(now=end)
        reserved_time.accrue_all(now=end)
    assert charged() == {found.public_id: int(17.5 * 3600)}
    assert counted(shop.firm, shop)[0] == 17.5 * WON
    with rls.tenant(shop.firm.pk):
        assert Reservation.objects.get().state == "ended"
        assert Commitment.objects.get().final


def test_a_site_that_is_closed_or_silent_costs_nothing(shop: Shop) -> None:
    found = reserve(shop)
    shop.daegu.outages.create(started_at=TOMORROW, ended_at=TOMORROW + HOUR)
    for at, to in ((2, "cordoned"), (4, "open")):
        shop.daegu.moves.create(
            kind="condition", from_state="", to_state=to, at=TOMORROW + at * HOUR
        )

    seen(found.ends_at)
    reserved_time.accrue_all(now=found.ends_at)

    assert charged() == {found.public_id: 2 * 7 * 3600}


def test_a_site_that_stays_closed_costs_nothing_to_the_end(shop: Shop) -> None:
    found = reserve(shop)
    shop.daegu.moves.create(
        kind="condition", from_state="", to_state="draining", at=TOMORROW + 2 * HOUR
    )

    seen(found.ends_at)
    reserved_time.accrue_all(now=found.ends_at)

    assert charged() == {found.public_id: 2 * 2 * 3600}


def ran(of: Project, **changes: Any) -> None:
    """One card for the first two hours of the reservation, in the ledger."""
    fields: dict[str, Any] = {"site": "daegu-1", "chip": "rngd", "cards": 1}
    with rls.everyone(because="tests"):
        for hour in range(2):
            fields |= {
                "started_at": TOMORROW + hour * HOUR,
                "ended_at": TOMORROW + (hour + 1) * HOUR,
            }
            CardTime.objects.create(
                organization=of.organization,
                project=of.public_id,
                endpoint="ep_1",
                endpoint_name="상담",
                placement=ids.mint("plc"),
                price_version="tar_1",
                **fields | changes,
            )


def test_only_what_the_same_organization_ran_on_the_same_cards_is_use_of_it(
    shop: Shop, other: tuple[Organization, Project, Actor]
) -> None:
    found = reserve(shop)
    ran(other[1])
    ran(shop.project, chip="atom-max")
    ran(shop.project, site="busan-1")

    seen(found.ends_at)
    reserved_time.accrue_all(now=found.ends_at)
    assert charged() == {found.public_id: 20 * 3600}


def test_what_ran_is_taken_off_once(shop: Shop) -> None:
    found = reserve(shop)
    ran(shop.project)

    seen(found.ends_at)
    reserved_time.accrue_all(now=found.ends_at)

    assert charged() == {found.public_id: 18 * 3600}


def test_waits_for_no_replica_but_its_own_organizations_on_its_cards(
    shop: Shop, other: tuple[Organization, Project, Actor]
) -> None:
    found = reserve(shop)
    mine, shared = factories.endpoint(shop.project), factories.shared_endpoint(shop.firm)
    with rls.everyone(because="tests"):
        atom = Offering.objects.get(version__model__slug=CHAT, chip__code="atom-max")
    uncounted: list[tuple[Endpoint, Site, dict[str, Any]]] = [
        (factories.endpoint(other[1]), shop.daegu, {}),
        (mine, shop.busan, {}),
        (mine, shop.daegu, {"cards": 0}),
        (mine, shop.daegu, {"offering": atom}),
        (shared, shop.daegu, {}),
    ]
    for endpoint, site, changes in uncounted:
        one = factories.placement(endpoint, site, created_at=TOMORROW, state="ready")
        with rls.everyone(because="tests"):
            Placement.objects.filter(pk=one.pk).update(cards=changes.pop("cards", 1), **changes)

    seen(found.ends_at)
    reserved_time.accrue_all(now=found.ends_at)

    assert charged() == {found.public_id: 20 * 3600}


def test_the_older_of_two_reservations_is_used_first_and_nobody_elses(
    shop: Shop, other: tuple[Organization, Project, Actor]
) -> None:
    _firm, project, mallory = other
    theirs = reservations.place(
        wish=wish(cards=1), project=project, idempotency_key="key-00009", by=mallory, now=NOON
    )
    mine = reserve(shop, cards=1)
    ran(shop.project)

    seen(mine.ends_at)
    reserved_time.accrue_all(now=mine.ends_at)
    assert charged() == {theirs.public_id: 10 * 3600, mine.public_id: 8 * 3600}


def test_what_ran_on_the_older_one_leaves_the_newer_one_unused(shop: Shop) -> None:
    elsewhere = reserve(shop, cards=1, region="busan")
    older = reserve(shop, "key-00002", cards=1)
    newer = reserve(shop, "key-00003", cards=1)
    ran(shop.project)

    seen(newer.ends_at)
    reserved_time.accrue_all(now=newer.ends_at)

    whole = 10 * 3600
    assert charged() == {
        elsewhere.public_id: whole,
        older.public_id: 8 * 3600,
        newer.public_id: whole,
    }


def test_waits_until_the_replicas_time_is_known(shop: Shop) -> None:
    found = reserve(shop)
    endpoint = factories.endpoint(shop.project)
    factories.placement(endpoint, shop.daegu, moves=[(TOMORROW, "ready")], state="ready")

    seen(found.ends_at)
    reserved_time.accrue_all(now=found.ends_at)

    assert charged() == {}
