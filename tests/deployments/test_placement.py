"""Which site gets a replica, and why not the others: tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.deployments.placement import Choice, Rejection, SiteRoom, choose

DAEGU = SiteRoom("daegu-1", "daegu", "rngd", "healthy", 4, 4, 1, 1)
BUSAN = replace(DAEGU, site="busan-1", region="busan")


def chosen(
    *rooms: SiteRoom, replicas: int = 1, data_class: str = "open", regions: str = ""
) -> Choice:
    return choose(rooms, regions=regions.split(), replicas=replicas, data_class=data_class)


@pytest.mark.parametrize(
    ("room", "why"),
    [
        (replace(DAEGU, region="busan"), "other_region"),
        (replace(DAEGU, data_classes=("open",)), "data_class"),
        (replace(DAEGU, offering=None), "no_offering"),
        (replace(DAEGU, state="drained"), "drained"),
        (replace(DAEGU, state="silent"), "silent"),
        (replace(DAEGU, state="waiting"), "silent"),
        (replace(DAEGU, cards_free=0), "no_card_free"),
        (replace(DAEGU, cards_per_replica=5), "no_card_free"),
    ],
)
def test_says_why_not(room: SiteRoom, why: str) -> None:
    found = chosen(room, regions="daegu", data_class="medical")

    assert found.sites == ()
    assert [one.why for one in found.rejected] == [why]


def test_takes_a_site_that_fits_every_wish() -> None:
    found = chosen(DAEGU, BUSAN, regions="daegu", data_class="medical")

    assert found == Choice(("daegu-1",), (Rejection("busan-1", "other_region", 4, 1),))


def test_takes_any_region_when_none_is_named() -> None:
    assert chosen(BUSAN).sites == ("busan-1",)


@pytest.mark.parametrize(
    ("free", "replicas", "sites"),
    [
        ((4, 4), 2, ("busan-1", "daegu-1")),  # spread first
        ((4, 1), 1, ("daegu-1",)),  # the emptiest first
        ((4, 1), 3, ("daegu-1", "busan-1", "daegu-1")),
        ((1, 1), 2, ("busan-1", "daegu-1")),
        ((1, 1), 3, ()),  # all or none
        ((0, 0), 1, ()),
    ],
)
def test_spreads_replicas(free: tuple[int, int], replicas: int, sites: tuple[str, ...]) -> None:
    rooms = (replace(DAEGU, cards_free=free[0]), replace(BUSAN, cards_free=free[1]))

    assert chosen(*rooms, replicas=replicas).sites == sites


def test_needs_no_card_for_what_runs_beside() -> None:
    room = replace(DAEGU, cards_per_replica=0, cards_free=0)

    assert chosen(room, replicas=8).sites == ("daegu-1",) * 8


rooms = st.lists(
    st.builds(
        SiteRoom,
        site=st.uuids().map(str),
        region=st.sampled_from(["daegu", "busan"]),
        chip=st.just("rngd"),
        state=st.sampled_from(["healthy", "silent", "drained"]),
        cards=st.just(8),
        cards_free=st.integers(0, 8),
        offering=st.sampled_from([None, 1]),
        cards_per_replica=st.integers(1, 3),
    ),
    max_size=6,
    unique_by=lambda room: room.site,
)


@given(rooms, st.integers(1, 8), st.sampled_from(["", "daegu", "daegu busan"]))
def test_promises_no_card_twice(found: list[SiteRoom], replicas: int, regions: str) -> None:
    choice = chosen(*found, replicas=replicas, regions=regions)

    assert len(choice.sites) in {0, replicas}
    for room in found:
        used = choice.sites.count(room.site) * room.cards_per_replica
        assert used <= room.cards_free
        if used:
            assert room.state == "healthy" and room.offering is not None
            assert not regions or room.region in regions.split()
    if not choice.sites:
        assert {one.site for one in choice.rejected} == {room.site for room in found}
