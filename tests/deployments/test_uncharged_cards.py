"""Cards that failed within a reservation: not charged for as long as the site could not give them,
told beside what is charged, and counted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.utils import IntegrityError
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import Commitment
from portal.deployments import uncharged
from portal.deployments.actions import card_time, reserved_time
from portal.deployments.models import Reservation, UnchargedTime
from portal.deployments.slots import Slot, assign, at
from portal.deployments.states import move_placement
from portal.deployments.unused import Used, rooms, unused
from portal.fleet import actions as fleet
from portal.fleet.drivers.contract import CardReport, SiteReport
from portal.fleet.models import Condition, Site, UsableCardsMove
from portal.lib.money import MICRO
from portal.lib.periods import Period
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop
from tests.deployments.test_reservations import TOMORROW, WON, charged, counted, reserve, seen
from tests.factories import NOON

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
DAY = 8  # hours in which everything happens
MOST = 6  # cards of the site


def period(start: int, end: int) -> Period:
    return Period(NOON + start * HOUR, NOON + end * HOUR)


periods = st.tuples(st.integers(0, DAY - 1), st.integers(1, 4)).map(
    lambda one: period(one[0], min(DAY, one[0] + one[1]))
)
wishes = st.lists(st.tuples(periods, st.integers(1, 3)), max_size=6)
counts = st.lists(st.integers(0, MOST), min_size=DAY, max_size=DAY)


def slots_of(asked: Sequence[tuple[Period, int]], taken: Sequence[Slot] = ()) -> list[Slot]:
    held: list[Slot] = []
    for one, cards in asked:
        held += assign([*taken, *held], of=MOST, cards=cards, period=one)
    return held


@settings(max_examples=120, deadline=None)
@given(wishes, wishes, wishes, wishes, wishes, counts)
def test_what_is_charged_missing_and_used_is_what_was_held(
    mine: list[tuple[Period, int]],
    before: list[tuple[Period, int]],
    theirs: list[tuple[Period, int]],
    runs: list[tuple[Period, int]],
    their_runs: list[tuple[Period, int]],
    working: list[int],
) -> None:
    older = slots_of(before)
    held = slots_of(mine, older)
    reserved = slots_of(theirs, [*older, *held])
    used = [Used(Period(one.start, one.end - HOUR / 2), cards) for one, cards in runs]
    claims = [Used(one, cards) for one, cards in their_runs]
    start = [Used(Period(NOON - HOUR, NOON), MOST)]
    worked = start + [Used(period(hour, hour + 1), cards) for hour, cards in enumerate(working)]
    whole = period(0, DAY)

    short = rooms(worked, {2: claims}, {2: reserved}, whole)
    found = unused(held, used, older, whole, short)
    of_older = unused(older, used, (), whole, short)
    as_ever = unused(held, used, older, whole)

    for step in range(2 * DAY):
        moment = NOON + step * HOUR / 2
        now = [one for one in found if moment in one.period]
        first = [one for one in of_older if moment in one.period]
        ran = max(0, sum(one.cards for one in used if moment in one.period) - at(older, moment))
        charge, missing = sum(one.charged for one in now), sum(one.missing for one in now)
        failed = MOST - working[step // 2]
        others = sum(one.cards for one in claims if moment in one.period)
        others = max(others, at(reserved, moment))
        assert charge + missing + min(ran, at(held, moment)) == at(held, moment)
        assert charge >= 0 and missing >= 0
        assert missing <= failed
        if others + at(older, moment) + at(held, moment) <= MOST:
            # A card that failed is missing in one reservation of an organization, not in two.
            assert missing + sum(one.missing for one in first) <= failed
        if failed == 0 or MOST - failed >= others + at(older, moment) + at(held, moment):
            assert missing == 0
        elif missing < failed:  # charged for no more than could have been had
            assert ran + charge <= max(ran, MOST - failed - others - at(older, moment))
    assert sum((one.charged + one.missing) * one.period.seconds for one in found) == sum(
        one.charged * one.period.seconds for one in as_ever
    )


def report(site: Site, now: datetime, working: int, *, gone: int = 0) -> None:
    """Of two cards so many work; ``gone``: so many are not in the report."""
    Site.objects.filter(pk=site.pk).update(lease_token=(token := uuid4()))
    cards = tuple(
        CardReport(id=f"rngd-{number}", chip="rngd", state="free" if number < working else "failed")
        for number in range(2 - gone)
    )
    told = SiteReport(site=site.code, at_ms=0, generation=1, simulated=True, cards=cards)
    site.refresh_from_db()
    fleet.record_report(site=site, report=told, token=token, now=now)


def settle(shop: Shop, now: datetime) -> None:
    seen(now)
    card_time.accrue_all(now=now)
    reserved_time.accrue_all(now=now)


def missing(found: Reservation) -> dict[str, int]:
    """Card-seconds that were not charged, by reason."""
    with rls.tenant(found.organization_id):
        return {one.because: one.card_seconds for one in uncharged.of(found)}


def test_a_card_that_failed_within_is_not_charged_until_it_works_again(shop: Shop) -> None:
    found = reserve(shop)
    report(shop.daegu, TOMORROW + HOUR, 2)
    report(shop.daegu, TOMORROW + HOUR + 5 * SECOND, 1)  # failed between the two
    report(shop.daegu, TOMORROW + 3 * HOUR, 1)
    report(shop.daegu, TOMORROW + 3 * HOUR + 5.5 * SECOND, 2)

    for hour in (2, 11, 11):  # in two turns, and once more
        settle(shop, TOMORROW + hour * HOUR)

    away = 2 * 3600 + 6  # with every second that it touches
    assert missing(found) == {"cards": away}
    assert charged() == {found.public_id: 20 * 3600 - away}
    with rls.tenant(shop.firm.pk):
        assert Reservation.objects.get().state == "ended"
        row = Commitment.objects.get()
        assert row.final
        exact = (20 * 3600 - away) * WON * MICRO
        assert row.amount_micro == -(-exact // 3600)
    assert counted(shop.firm, shop)[0] == pytest.approx((20 * 3600 - away) * WON / 3600, abs=1)


@pytest.mark.parametrize(
    ("failed", "works", "hours"),
    [
        (-5, -1, 0),  # it was well again before
        (-5, 0, 0),  # at the very edge
        (-5, 1, 1),  # it failed before the time and works again in it
        (9, 12, 1),  # it fails in the last hour
        (10, 12, 0),  # at the very end
        (11, 12, 0),
        (-5, None, 10),  # it is never mended
    ],
)
def test_only_what_lies_within_is_left_out(
    shop: Shop, failed: int, works: int | None, hours: int
) -> None:
    found = reserve(shop)
    report(shop.daegu, TOMORROW + failed * HOUR, 2)
    report(shop.daegu, TOMORROW + failed * HOUR + SECOND, 1)
    if works is not None:
        report(shop.daegu, TOMORROW + works * HOUR, 2)

    settle(shop, TOMORROW + 13 * HOUR)

    assert missing(found) == ({"cards": hours * 3600} if hours else {})
    assert charged() == {found.public_id: (20 - hours) * 3600}


def test_a_card_that_is_gone_is_as_one_that_failed(shop: Shop) -> None:
    found = reserve(shop)
    report(shop.daegu, TOMORROW, 2)
    report(shop.daegu, TOMORROW + SECOND, 2, gone=1)

    settle(shop, TOMORROW + 10 * HOUR)

    assert missing(found) == {"cards": 10 * 3600}


def test_where_enough_cards_work_all_that_was_left_unused_is_charged(shop: Shop) -> None:
    found = reserve(shop, cards=1)
    report(shop.daegu, TOMORROW, 2)
    report(shop.daegu, TOMORROW + SECOND, 1)

    settle(shop, TOMORROW + 10 * HOUR)

    assert (missing(found), charged()) == ({}, {found.public_id: 10 * 3600})


def test_what_others_claimed_then_could_not_be_given(shop: Shop) -> None:
    found = reserve(shop, cards=1)
    firm = factories.organization("이웃상사", number="2208162517")
    start, end = TOMORROW + HOUR, TOMORROW + 3 * HOUR
    replica = factories.placement(
        factories.endpoint(factories.project(firm)), shop.daegu, created_at=start
    )
    report(shop.daegu, TOMORROW, 2)
    report(shop.daegu, TOMORROW + SECOND, 1)
    with rls.everyone(because="tests"):
        move_placement(replica, "stopped", because="Test.", now=end)

    settle(shop, TOMORROW + 10 * HOUR)

    assert missing(found) == {"cards": 2 * 3600}
    assert charged() == {found.public_id: 8 * 3600}


def test_the_replica_on_the_failed_card_costs_nothing_and_the_other_as_ever(shop: Shop) -> None:
    found = reserve(shop)
    endpoint = factories.endpoint(shop.project)
    for number in range(2):
        fails = [(TOMORROW + 2 * HOUR, "failed")] if number else []
        moves = [(TOMORROW, "ready"), *fails]
        factories.placement(endpoint, shop.daegu, moves=moves, created_at=TOMORROW)
    report(shop.daegu, TOMORROW + 2 * HOUR, 2)
    report(shop.daegu, TOMORROW + 2 * HOUR + SECOND, 1)

    settle(shop, TOMORROW + 10 * HOUR)

    assert charged() == {}
    assert missing(found) == {"cards": 8 * 3600}


def test_reasons_are_told_apart_and_no_second_has_two(shop: Shop) -> None:
    found = reserve(shop)
    report(shop.daegu, TOMORROW, 2)
    report(shop.daegu, TOMORROW + SECOND, 1)
    shop.daegu.outages.create(started_at=TOMORROW + HOUR, ended_at=TOMORROW + 2 * HOUR)
    for hour, to in ((1, "cordoned"), (4, "open")):
        shop.daegu.moves.create(
            kind="condition", from_state="", to_state=to, at=TOMORROW + hour * HOUR
        )

    settle(shop, TOMORROW + 10 * HOUR)

    assert missing(found) == {"silent": 2 * 3600, "closed": 4 * 3600, "cards": 7 * 3600}
    assert charged() == {found.public_id: 7 * 3600}


def test_an_hour_waits_for_the_report_after_it(shop: Shop) -> None:
    found = reserve(shop)
    seen(TOMORROW + HOUR - SECOND)
    reserved_time.accrue_all(now=TOMORROW + HOUR + MINUTE)
    assert charged() == {}

    Site.objects.update(condition=Condition.RETIRED)  # nobody asks it any more
    reserved_time.accrue_all(now=TOMORROW + HOUR + MINUTE)
    assert charged() == {found.public_id: 2 * 3600}


def test_what_was_left_out_is_never_changed_and_stands_once(shop: Shop) -> None:
    found = reserve(shop)
    report(shop.daegu, TOMORROW, 2)
    report(shop.daegu, TOMORROW + SECOND, 1)
    settle(shop, TOMORROW + 2 * HOUR)

    with rls.tenant(shop.firm.pk):
        row = UnchargedTime.objects.earliest("started_at")
        with pytest.raises(IntegrityError), transaction.atomic():
            UnchargedTime.objects.filter(pk=row.pk).update(cards=2)
        row.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save(force_insert=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        UsableCardsMove.objects.all().delete()
    assert found.public_id


def test_a_report_that_changes_no_count_keeps_no_move(shop: Shop) -> None:
    for turn in range(3):
        report(shop.daegu, NOON + turn * SECOND, 2)

    assert not UsableCardsMove.objects.exists()
