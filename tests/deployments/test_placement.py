"""Which sites get the replicas, and why not the others: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.deployments.placement import Choice, Rejection, SiteRoom, Wanted, choose, holds

DAEGU = SiteRoom("daegu-1", "daegu", "rngd", "healthy", 4, 4, 1, 1)
BUSAN = replace(DAEGU, site="busan-1", region="busan")


def chosen(*rooms: SiteRoom, replicas: int = 1, **wanted: Any) -> Choice:
    return choose(rooms, Wanted(**{"replicas": replicas, "data_class": "open"} | wanted))


@pytest.mark.parametrize(
    ("room", "reasons"),
    [
        ({"data_classes": ("open",)}, ("data_class",)),
        ({"region": "busan"}, ("other_region",)),
        ({"region": "gwangju"}, ("project_region", "other_region")),
        ({"chip": "atom-max"}, ("other_chip",)),
        ({"offering": None, "price_micro": None}, ("no_offering",)),
        ({"proven": False}, ("unproven",)),
        ({"proven": False, "reverify": True}, ("reverify",)),
        ({"lacks": ("no_image",)}, ("no_image",)),
        ({"lacks": ("no_engine", "no_image")}, ("no_image", "no_engine")),
        ({"price_micro": None}, ("no_price",)),
        ({"state": "waiting"}, ("waiting",)),
        ({"state": "silent"}, ("silent",)),
        ({"state": "lost"}, ("lost",)),
        ({"state": "returned"}, ("returned",)),
        ({"state": "drained"}, ("drained",)),
        ({"watts_free": 179, "watts_per_card": 180}, ("power",)),
        ({"cards_free": 0}, ("no_card_free",)),
        ({"cards_per_replica": 5}, ("no_card_free",)),
        ({"cards_per_replica": 3, "nodes": (2, 2)}, ("no_card_free",)),
        (
            {"data_classes": (), "state": "silent", "cards_free": 0},
            ("data_class", "silent", "no_card_free"),
        ),
    ],
)
def test_says_everything_that_speaks_against_a_site(
    room: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    found = chosen(
        replace(DAEGU, **room),
        region="daegu",
        allowed=frozenset({"daegu", "busan"}),
        chip="rngd",
        data_class="medical",
    )

    assert found.sites == ()
    assert [one.reasons for one in found.rejected] == [reasons]


def test_takes_a_site_that_fits_every_wish() -> None:
    found = chosen(DAEGU, BUSAN, region="daegu", data_class="medical", chip="rngd")

    against = Rejection("busan-1", "rngd", ("other_region",), 4, 1)
    assert found == Choice(("daegu-1",), (against,), "rngd")


def test_takes_a_site_whose_supply_gives_exactly_what_a_replica_draws() -> None:
    assert chosen(replace(DAEGU, watts_free=180, watts_per_card=180)).sites == ("daegu-1",)


def test_names_a_site_whose_free_cards_stand_in_different_nodes_beside_the_chosen_one() -> None:
    split = replace(DAEGU, cards_per_replica=2, cards_free=2, nodes=(1, 1))

    found = chosen(split, replace(BUSAN, cards_per_replica=2))

    assert found.sites == ("busan-1",)
    assert [(one.site, one.why) for one in found.rejected] == [("daegu-1", "no_card_free")]


def test_takes_any_region_when_none_is_named() -> None:
    assert chosen(BUSAN).sites == ("busan-1",)


@pytest.mark.parametrize(
    ("free", "replicas", "sites"),
    [
        ((4, 4), 2, ("busan-1", "daegu-1")),  # spread first
        ((4, 1), 1, ("daegu-1",)),  # the emptiest first
        ((4, 1), 3, ("daegu-1", "busan-1", "daegu-1")),
        ((4, 1), 4, ("daegu-1", "busan-1", "daegu-1", "daegu-1")),  # the full one gets no more
        ((1, 1), 2, ("busan-1", "daegu-1")),
        ((1, 1), 3, ()),  # all or none
        ((0, 0), 1, ()),
    ],
)
def test_spreads_replicas(free: tuple[int, int], replicas: int, sites: tuple[str, ...]) -> None:
    rooms = (replace(DAEGU, cards_free=free[0]), replace(BUSAN, cards_free=free[1]))

    assert chosen(*rooms, replicas=replicas).sites == sites


def test_turns_to_a_degraded_site_last_and_spreads_all_the_same() -> None:
    ailing = replace(DAEGU, cards_free=4, ailing=True)
    well = replace(BUSAN, cards_free=2)

    assert chosen(ailing, well, replicas=1).sites == ("busan-1",)
    assert chosen(ailing, well, replicas=2).sites == ("busan-1", "daegu-1")


def test_keeps_replicas_apart_or_says_so() -> None:
    assert chosen(DAEGU, BUSAN, replicas=2, apart=True).sites == ("busan-1", "daegu-1")

    found = chosen(DAEGU, replace(BUSAN, cards_free=1), replicas=3, apart=True)
    assert found.sites == ()
    assert [one.reasons for one in found.rejected] == [("no_card_free",), ("apart",)]


@pytest.mark.parametrize(
    ("prices", "chip"), [((1450, 1180), "atom-max"), ((1180, 1450), "rngd"), ((9, 9), "atom-max")]
)
def test_takes_one_kind_of_chip_the_cheapest(prices: tuple[int, int], chip: str) -> None:
    other = replace(DAEGU, chip="atom-max", price_micro=prices[1])

    found = chosen(replace(DAEGU, price_micro=prices[0]), other, replicas=4)

    assert (found.chip, found.sites, found.rejected) == (chip, ("daegu-1",) * 4, ())


def test_compares_the_price_of_a_replica_and_not_of_a_card() -> None:
    two = replace(DAEGU, chip="atom-max", price_micro=6, cards_per_replica=2)

    assert chosen(replace(DAEGU, price_micro=10), two).chip == "rngd"


def test_takes_the_dearer_chip_where_the_cheaper_has_no_room_for_all() -> None:
    cheap = replace(DAEGU, chip="atom-max", price_micro=1, cards_free=1)

    assert chosen(replace(DAEGU, price_micro=10), cheap, replicas=2).chip == "rngd"


@pytest.mark.parametrize(
    ("room", "count"),
    [
        ({}, 4),
        ({"cards_per_replica": 2}, 2),
        ({"cards_per_replica": 2, "nodes": (3, 1)}, 1),  # half of it on another machine: no
        ({"watts_free": 500, "watts_per_card": 180}, 2),
        ({"watts_free": -5, "watts_per_card": 180}, 0),
        ({"cards_per_replica": 0, "cards_free": 0}, 8),  # what needs no card runs beside
        ({"cards_free": 2, "nodes": (4,)}, 2),  # promised, and not yet seen on any machine
    ],
)
def test_counts_what_a_site_holds(room: dict[str, Any], count: int) -> None:
    assert holds(replace(DAEGU, **room), limit=8) == count


rooms = st.lists(
    st.builds(
        SiteRoom,
        site=st.integers(0, 9).map("site-{}".format),
        region=st.sampled_from(["daegu", "busan"]),
        chip=st.sampled_from(["rngd", "atom-max"]),
        state=st.sampled_from(["healthy", "silent", "drained"]),
        cards=st.just(8),
        cards_free=st.integers(0, 8),
        offering=st.sampled_from([None, 1]),
        cards_per_replica=st.integers(1, 3),
        price_micro=st.integers(0, 3),
    ),
    max_size=6,
    unique_by=lambda room: (room.site, room.chip),
)
wishes = st.builds(
    Wanted,
    replicas=st.integers(1, 8),
    data_class=st.just("open"),
    region=st.sampled_from(["", "daegu"]),
    apart=st.booleans(),
)


@given(rooms, wishes, st.randoms())
def test_promises_no_card_twice(found: list[SiteRoom], wanted: Wanted, order: Any) -> None:
    choice = choose(found, wanted)

    assert len(choice.sites) in {0, wanted.replicas}
    for room in found:
        used = choice.sites.count(room.site) if room.chip == choice.chip else 0
        assert used * room.cards_per_replica <= room.cards_free
        assert used <= 1 or not wanted.apart
        if used:
            assert room.state == "healthy" and room.offering is not None
            assert wanted.region in {"", room.region}
    if not choice.sites:
        told = {(one.site, one.chip) for one in choice.rejected}
        assert told == {(room.site, room.chip) for room in found}
    order.shuffle(found)
    assert choose(found, wanted) == choice
