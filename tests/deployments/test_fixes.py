"""What to change so that a wish finds room: every answer is tried again here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.deployments.fixes import Fix, after_all, distance_km, fixes
from portal.deployments.placement import SiteRoom, Wanted, choose
from tests.deployments.test_placement import BUSAN, DAEGU, rooms, wishes

GWANGJU = replace(DAEGU, site="gwangju-1", region="gwangju", place=(35.160, 126.851))
NEAR = replace(BUSAN, place=(35.180, 129.075))
CENTRE = (35.871, 128.601)  # Daegu
WANTED = Wanted(replicas=2, data_class="open", region="daegu")
FULL = replace(DAEGU, cards_free=0)


@pytest.mark.parametrize(
    ("found", "wanted", "answer"),
    [
        ([FULL, NEAR, GWANGJU], {}, [Fix("region", "busan", 88), Fix("watch")]),
        (
            [FULL, GWANGJU],
            {"allowed": frozenset({"daegu"})},
            [Fix("project_region", "gwangju", 177), Fix("watch")],
        ),
        (
            [DAEGU],
            {"allowed": frozenset({"busan"})},
            [Fix("project_region", "daegu")],
        ),
        (
            [FULL, replace(DAEGU, chip="atom-max")],
            {"chip": "rngd"},
            [Fix("chip", "atom-max"), Fix("watch")],
        ),
        ([DAEGU], {"apart": True}, [Fix("together"), Fix("replicas", "1")]),
        ([DAEGU], {"replicas": 7}, [Fix("replicas", "4")]),
        ([replace(DAEGU, cards_free=2)], {"replicas": 4}, [Fix("replicas", "2"), Fix("watch")]),
        ([replace(FULL, state="silent")], {}, [Fix("watch")]),
        ([replace(DAEGU, proven=False, price_micro=None)], {}, [Fix("watch")]),
        ([replace(DAEGU, offering=None)], {}, []),
        ([], {}, []),
    ],
)
def test_tells_what_to_change(
    found: list[SiteRoom], wanted: dict[str, Any], answer: list[Fix]
) -> None:
    assert list(fixes(found, replace(WANTED, **wanted), centre=CENTRE)) == answer


def test_offers_the_largest_of_the_smaller_models_that_fits() -> None:
    smaller = {"large": [FULL], "small": [DAEGU], "tiny": [DAEGU]}

    assert fixes([FULL], WANTED, smaller=smaller) == (Fix("model", "small"), Fix("watch"))


def test_does_not_name_a_distance_that_nobody_knows() -> None:
    assert fixes([FULL, BUSAN], WANTED)[0] == Fix("region", "busan", None)


def test_measures_distances_on_the_globe() -> None:
    assert round(distance_km(CENTRE, (37.567, 126.978))) == 238  # Daegu to Seoul
    assert distance_km(CENTRE, CENTRE) == 0


@given(rooms, wishes, st.sampled_from([frozenset(), frozenset({"busan"})]))
def test_every_fix_works_when_it_is_tried(
    found: list[SiteRoom], wanted: Wanted, allowed: frozenset[str]
) -> None:
    wanted = replace(wanted, allowed=allowed)

    for fix in fixes(found, wanted, smaller={"small": found}):
        changed, kept = wanted, found
        match fix.kind:
            case "region":
                changed = replace(wanted, region=fix.value)
            case "chip":
                changed = replace(wanted, chip=fix.value)
            case "replicas":
                changed = replace(wanted, replicas=int(fix.value))
                assert int(fix.value) < wanted.replicas
            case "together":
                changed = replace(wanted, apart=False)
            case "project_region":
                changed = replace(wanted, allowed=allowed | {fix.value}, region=fix.value)
            case "watch":
                kept = [after_all(room) for room in found]
        assert choose(kept, changed).sites
