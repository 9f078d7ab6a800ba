"""Reserved cards: priced, within the budget, never twice; used by their owner, charged where not
used, given back or taken over by others."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing import budgets
from billing.models import Commitment
from portal.catalog.models import Chip
from portal.deployments import quoting, reserving
from portal.deployments.actions import (
    giving_back,
    orders,
    resale,
    reservations,
    reserved_time,
)
from portal.deployments.actions.resale import Taking
from portal.deployments.models import (
    Reservation,
    ReservationMove,
    ReservationOffer,
    ReservationState,
    ReservedCard,
)
from portal.deployments.reservation_models import RESERVATION_ARROWS
from portal.deployments.reserving import ReservationWish
from portal.deployments.states import NoSuchMove, move_reservation
from portal.fleet.models import Site
from portal.lib.money import MICRO
from portal.lib.periods import Period
from portal.usage.models import CardTime
from tenants import rls
from tenants.actors import Actor
from tenants.models import Notice, Organization, Project
from tests import factories
from tests.deployments.conftest import Shop, opened
from tests.deployments.test_approved_orders import rule_by_officers, sign
from tests.factories import CHAT, NOON

HOUR = timedelta(hours=1)
TOMORROW = NOON + timedelta(days=1)
WON = 1450  # of a card-hour


def wish(**changes: Any) -> ReservationWish:
    fields = {
        "name": "야간 학습",
        "chip": "rngd",
        "cards": 2,
        "period": Period(TOMORROW, TOMORROW + 10 * HOUR),
        "region": "daegu",
    }
    return ReservationWish(**fields | changes)


def reserve(shop: Shop, key: str = "key-00001", **changes: Any) -> Reservation:
    return reservations.place(
        wish=wish(**changes), project=shop.project, idempotency_key=key, by=shop.alice, now=NOON
    )


def counted(budget_of: Organization, shop: Shop) -> tuple[int, int]:
    """(committed, held) in won, of November."""
    with rls.everyone(because="tests"):
        budget = budgets.Budget.objects.get(subject=budget_of.public_id)
    found = budgets.standing(budget, budget_of, now=NOON)
    return int(found.committed), int(found.held)


def charged() -> dict[str, int]:
    """Unused card-seconds by reservation."""
    found: dict[str, int] = {}
    with rls.everyone(because="tests"):
        for row in CardTime.objects.filter(placement__startswith="rsv_"):
            found[row.endpoint] = found.get(row.endpoint, 0) + row.card_seconds
    return found


def seen(now: Any) -> None:
    Site.objects.update(observed_at=now)


def test_sets_its_price_aside_and_holds_the_cards(shop: Shop) -> None:
    found = reserve(shop)

    assert (found.state, found.site, found.won_in_all) == ("booked", shop.daegu, 20 * WON)
    assert counted(shop.firm, shop) == (20 * WON, 0)
    with rls.tenant(shop.firm.pk):
        assert sorted(one.number for one in ReservedCard.objects.all()) == [0, 1]
        assert [move.to_state for move in ReservationMove.objects.all()] == ["booked"]
    assert reserve(shop).pk == found.pk  # the same key again
    with pytest.raises(orders.IdempotencyMismatch):
        reserve(shop, cards=1)


def test_sets_each_month_aside_by_itself(shop: Shop) -> None:
    end_of_november = NOON.replace(day=30, hour=15)  # midnight in Korea
    reserve(shop, period=Period(end_of_november - 2 * HOUR, end_of_november + 3 * HOUR))

    with rls.tenant(shop.firm.pk):
        rows = Commitment.objects.order_by("month").values_list("month", "amount_micro")
        assert list(rows) == [("2026-11", 4 * WON * MICRO), ("2026-12", 6 * WON * MICRO)]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"period": Period(NOON - HOUR, NOON + HOUR)}, reserving.BadTimes),
        ({"period": Period(TOMORROW, TOMORROW + timedelta(days=3652))}, reserving.BadTimes),
        ({"period": Period(TOMORROW, TOMORROW)}, reserving.BadTimes),
        ({"period": Period(TOMORROW, TOMORROW + HOUR / 2)}, reserving.BadTimes),
        (
            {"period": Period(NOON + timedelta(days=91), NOON + timedelta(days=92))},
            reserving.BadTimes,
        ),
        (
            {"period": Period(TOMORROW, TOMORROW + (reserving.LONGEST_HOURS + 1) * HOUR)},
            reserving.BadTimes,
        ),
        ({"cards": 0}, reserving.BadCards),
        ({"cards": reserving.MOST_CARDS + 1}, reserving.BadCards),
        ({"cards": reserving.MOST_CARDS}, reserving.TooManyCards),
        ({"cards": 17}, reserving.TooManyCards),
        ({"chip": "nvidia"}, reserving.UnknownChip),
        ({"cards": 3}, reserving.NoCards),
    ],
)
def test_refuses_what_makes_no_sense(shop: Shop, changes: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        reserve(shop, **changes)

    assert counted(shop.firm, shop) == (0, 0)


@pytest.mark.parametrize(
    "period",
    [
        Period(NOON, NOON + HOUR),
        Period(NOON + reserving.AHEAD, NOON + reserving.AHEAD + reserving.LONGEST_HOURS * HOUR),
    ],
)
def test_may_begin_now_or_in_ninety_days_and_last_an_hour_or_a_month(period: Period) -> None:
    reserving.check(wish(period=period, cards=1), NOON)


@pytest.mark.parametrize(("chip", "most"), [("rngd", 2), ("atom-max", 4)])
def test_cards_of_another_kind_at_the_site_are_no_room(shop: Shop, chip: str, most: int) -> None:
    other = Chip.objects.get(code="atom-max")
    for number in range(4):
        shop.daegu.cards.create(
            ref=f"atom-{number}", chip=other, state="free", simulated=True, seen_at=NOON
        )

    with pytest.raises(reserving.NoCards):
        reserve(shop, chip=chip, cards=most + 1)

    assert reserve(shop, chip=chip, cards=most).cards == most


def test_another_key_is_another_reservation(shop: Shop) -> None:
    first = reserve(shop, cards=1)

    second = reserve(shop, "key-00002", cards=1, name="낮 추론")

    assert second.pk != first.pk
    assert counted(shop.firm, shop) == (20 * WON, 0)


@pytest.mark.parametrize("name", ["야간 학습", "낮 추론"])
def test_a_key_that_another_project_has_used_is_taken(shop: Shop, name: str) -> None:
    reserve(shop, cards=1)
    second = factories.project(shop.firm, "연구")
    sees_one = replace(shop.alice, projects=(second.public_id,))

    with pytest.raises(orders.IdempotencyMismatch):
        reservations.place(
            wish=wish(cards=1, name=name),
            project=second,
            idempotency_key="key-00001",
            by=sees_one,
            now=NOON,
        )

    assert counted(shop.firm, shop) == (10 * WON, 0)


def test_moves_along_its_arrows_and_no_other(shop: Shop, subtests: pytest.Subtests) -> None:
    found = reserve(shop)
    for before, after in itertools.product(ReservationState.values, ReservationState.values):
        with subtests.test(f"{before} → {after}"), rls.tenant(shop.firm.pk):
            Reservation.objects.update(state=before)
            found.refresh_from_db()
            if (before, after) in RESERVATION_ARROWS:
                assert move_reservation(found, after, because="Weil.", now=NOON)
                assert ReservationMove.objects.last().to_state == after
            else:
                with pytest.raises(NoSuchMove):
                    move_reservation(found, after, because="Weil.", now=NOON)


def test_lets_the_second_mover_change_nothing(shop: Shop) -> None:
    reserve(shop)
    with rls.tenant(shop.firm.pk):
        mine, other = Reservation.objects.get(), Reservation.objects.get()
        assert move_reservation(other, "cancelled", because="First.", now=NOON)

        assert not move_reservation(mine, "ended", because="Second.", now=NOON)

        assert Reservation.objects.get().state == "cancelled"
        assert [one.to_state for one in ReservationMove.objects.all()] == ["booked", "cancelled"]


def test_nobody_else_gets_reserved_cards_and_their_owner_does(
    shop: Shop, other: tuple[Organization, Project, Actor]
) -> None:
    reserve(shop)
    _firm, project, mallory = other
    asked = {"idempotency_key": "key-00009", "by": mallory, "now": NOON, "project": project}

    with pytest.raises(quoting.NoRoom) as no_room:
        orders.place(wish=quoting.Wish("상담", CHAT, "daegu", 1), **asked)  # type: ignore[arg-type]
    whys = {one.site: one.why for one in no_room.value.rejected}
    assert whys["daegu-1"] == "reserved"
    with pytest.raises(reserving.NoCards) as no_cards:
        reservations.place(wish=wish(cards=1), **asked)  # type: ignore[arg-type]
    assert no_cards.value.later == TOMORROW + 10 * HOUR
    assert [one.kind for one in no_cards.value.fixes] == ["region"]

    order = orders.place(
        wish=quoting.Wish("상담", CHAT, "daegu", 2),
        project=shop.project,
        idempotency_key="key-00002",
        by=shop.alice,
        now=NOON,
    )
    assert order.state == "fulfilled"


def test_the_database_reserves_no_card_twice(shop: Shop) -> None:
    found = reserve(shop)
    with rls.tenant(shop.firm.pk):
        held = ReservedCard.objects.filter(number=1).get()
        held.pk, held.starts_at = None, TOMORROW + 9 * HOUR

        with pytest.raises(IntegrityError), transaction.atomic():
            held.save(force_insert=True)

        held.starts_at, held.ends_at = found.ends_at, found.ends_at + HOUR
        held.save(force_insert=True)


def test_gives_back_what_begins_later_than_in_a_day(shop: Shop) -> None:
    found = reserve(shop)

    with pytest.raises(giving_back.NothingToGiveBack):
        giving_back.give_back(reservation=found, by=shop.alice, now=TOMORROW - 2 * HOUR)
    shorter = giving_back.give_back(reservation=found, by=shop.alice, now=NOON + 3 * HOUR)
    assert (shorter.state, shorter.ends_at) == ("booked", TOMORROW + 3 * HOUR)
    assert counted(shop.firm, shop) == (6 * WON, 0)

    gone = giving_back.give_back(reservation=found, by=shop.alice, now=NOON)
    assert gone.state == "cancelled"
    assert counted(shop.firm, shop) == (0, 0)
    assert reserve(shop, "key-00002").state == "booked"


def test_what_is_taken_is_charged_to_the_taker_and_the_rest_stays(
    shop: Shop, other: tuple[Organization, Project, Actor]
) -> None:
    found = reserve(shop)
    firm, project, mallory = other
    span = Period(TOMORROW + 4 * HOUR, TOMORROW + 8 * HOUR)
    with rls.tenant(shop.firm.pk):
        offered = resale.offer(reservation=found, cards=2, period=span, by=shop.alice, now=NOON)
        with pytest.raises(resale.OfferedAlready):
            resale.offer(reservation=found, cards=1, period=span, by=shop.alice, now=NOON)
    with rls.tenant(firm.pk):
        offered = ReservationOffer.objects.visible_to(mallory).get()  # theirs, and open
        assert not Reservation.objects.exists()

    def take(cards: int = 1, by: Actor = mallory) -> Reservation:
        with rls.tenant(firm.pk):
            row = ReservationOffer.objects.select_related("site", "chip").get(pk=offered.pk)
        return resale.take(
            taking=Taking(row, cards, "낮 추론"),
            project=project,
            idempotency_key="key-00003",
            by=by,
            now=NOON,
        )

    with pytest.raises(resale.OwnOffer):
        take(by=shop.alice)
    with pytest.raises(resale.OfferGone):
        take(cards=3)
    taken = take()

    assert (taken.cards, taken.period) == (1, span)
    assert take().pk == taken.pk  # the same key again
    assert counted(shop.firm, shop) == (16 * WON, 0)
    assert counted(firm, shop) == (4 * WON, 0)
    end = TOMORROW + 11 * HOUR
    seen(end)
    reserved_time.accrue_all(now=end)
    assert charged() == {found.public_id: 16 * 3600, taken.public_id: 4 * 3600}
    with rls.everyone(because="tests"):
        assert ReservationOffer.objects.get().state == "expired"  # one card of it was taken
        told = Notice.objects.get(kind="reservation.taken")
    assert told.user.email == "alice@example.com"


def test_what_runs_on_it_is_not_for_sale(
    shop: Shop, other: tuple[Organization, Project, Actor]
) -> None:
    found = reserve(shop)
    factories.placement(factories.endpoint(shop.project), shop.daegu)
    with rls.tenant(shop.firm.pk):
        with pytest.raises(resale.CannotOffer):
            resale.offer(reservation=found, cards=2, period=found.period, by=shop.alice, now=NOON)

        assert resale.offer(
            reservation=found, cards=1, period=found.period, by=shop.alice, now=NOON
        )


def test_waits_for_signatures_and_is_booked_at_the_approved_price(shop: Shop) -> None:
    officer = factories.member(
        factories.user("carol@example.com", "이정민"), shop.firm, "budget_officer"
    )
    rule_by_officers(shop)
    month = Period(TOMORROW, TOMORROW + 400 * HOUR)

    waiting = reserve(shop, period=month)
    assert (waiting.state, counted(shop.firm, shop)) == ("awaiting", (0, 0))
    with rls.tenant(shop.firm.pk):
        assert not ReservedCard.objects.exists()
    done = sign(shop, waiting, officer)  # type: ignore[arg-type]  # it looks at the id only

    with rls.tenant(shop.firm.pk):
        booked = Reservation.objects.get()
        assert (booked.state, booked.held.count()) == ("booked", 2)
        assert sum(Commitment.objects.values_list("amount_micro", flat=True)) == 800 * WON * MICRO
    assert (done.state, done.result) == ("done", booked.public_id)


def test_more_than_the_budget_is_refused_and_holds_nothing(db: None, valkey_url: str) -> None:
    shop = opened(100_000)
    end_of_november = NOON.replace(day=30, hour=15)
    span = Period(end_of_november - 2 * HOUR, end_of_november + 40 * HOUR)

    with pytest.raises(budgets.BudgetExceeded):  # of December
        reserve(shop, period=span)

    assert counted(shop.firm, shop) == (0, 0)
    with rls.tenant(shop.firm.pk):
        assert not Reservation.objects.exists()
