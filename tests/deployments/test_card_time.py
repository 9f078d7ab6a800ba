"""Card time out of moves into the ledger: each second once, whatever happens in between."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from portal.deployments.actions import card_time, closing
from portal.deployments.models import Placement, PlacementMove
from portal.deployments.states import move_placement
from portal.fleet import actions as fleet
from portal.fleet import leases
from portal.fleet.drivers.contract import SiteReport
from portal.fleet.models import Site
from portal.lib.periods import Month
from portal.usage.models import CardTime
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop, opened
from tests.factories import NOON

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def running(shop: Shop, since: timedelta = timedelta(0)) -> Placement:
    """Ready from NOON on, later by ``since``."""
    return factories.placement(
        factories.endpoint(shop.project), shop.daegu, moves=[(NOON + since, "ready")]
    )


def stop(shop: Shop, placement: Placement, after: timedelta) -> None:
    with rls.tenant(shop.firm.pk):
        placement.refresh_from_db()
        for state, at in (("stopping", NOON + after), ("stopped", NOON + after + MINUTE)):
            move_placement(placement, state, because="Test.", now=at)


def seconds(shop: Shop) -> int:
    with rls.tenant(shop.firm.pk):
        return sum(row.card_seconds for row in CardTime.objects.all())


def test_counts_full_hours_while_it_runs(shop: Shop) -> None:
    running(shop, 10 * MINUTE)

    card_time.accrue_all(now=NOON + 2 * HOUR + 30 * MINUTE)

    assert seconds(shop) == 50 * 60 + 3600
    with rls.tenant(shop.firm.pk):
        rows = CardTime.objects.order_by("started_at")
        assert [(row.started_at.minute, row.ended_at.minute) for row in rows] == [(10, 0), (0, 0)]
        assert rows[0].price_version == factories.card_tariff().public_id


def test_counts_nothing_twice(shop: Shop) -> None:
    running(shop)

    for minutes in (30, 60, 61, 90, 120, 120):
        card_time.accrue_all(now=NOON + minutes * MINUTE)
        card_time.accrue_organization(shop.firm, now=NOON + minutes * MINUTE)

    assert seconds(shop) == 2 * 3600


def test_counts_up_to_now_for_an_interim_invoice(shop: Shop) -> None:
    running(shop)

    card_time.accrue_organization(shop.firm, now=NOON + timedelta(seconds=90.9))

    assert seconds(shop) == 90


def test_counts_what_has_stopped_to_its_end(shop: Shop) -> None:
    placement = running(shop)
    stop(shop, placement, timedelta(minutes=20, seconds=5))

    assert card_time.accrue_all(now=NOON + 21 * MINUTE + timedelta(seconds=10)) == 1
    assert card_time.accrue_all(now=NOON + 5 * HOUR) == 0

    assert seconds(shop) == 20 * 60 + 5


def test_counts_what_stopped_after_it_was_billed(shop: Shop) -> None:
    placement = running(shop)
    card_time.accrue_organization(shop.firm, now=NOON + 10 * MINUTE)
    stop(shop, placement, 20 * MINUTE)

    card_time.accrue_all(now=NOON + HOUR)

    assert seconds(shop) == 20 * 60


def test_leaves_out_the_time_that_it_failed(shop: Shop) -> None:
    factories.placement(
        factories.endpoint(shop.project),
        shop.daegu,
        moves=[
            (NOON, "ready"),
            (NOON + 10 * MINUTE, "failed"),
            (NOON + 30 * MINUTE, "ready"),
        ],
    )

    card_time.accrue_all(now=NOON + HOUR)

    assert seconds(shop) == 40 * 60


def test_leaves_out_the_time_that_it_started(shop: Shop) -> None:
    factories.placement(
        factories.endpoint(shop.project),
        shop.daegu,
        moves=[
            (NOON, "wanted"),
            (NOON + MINUTE, "starting"),
            (NOON + 10 * MINUTE, "ready"),
            (NOON + 20 * MINUTE, "starting"),  # again, after a crash
            (NOON + 25 * MINUTE, "ready"),
        ],
    )

    card_time.accrue_all(now=NOON + HOUR)

    assert seconds(shop) == (10 + 35) * 60


def silent(shop: Shop, since: timedelta) -> None:
    """The last answer came then; asking again failed."""
    Site.objects.filter(code=shop.daegu.code).update(
        observed_at=NOON + since, trouble="Silent.", trouble_since=NOON + since
    )


def heard(shop: Shop, after: timedelta) -> None:
    """The site answers again."""
    token = leases.take(shop.daegu, owner="test", now=NOON + after)
    assert token is not None
    site = Site.objects.get(code=shop.daegu.code)
    report = SiteReport(site=site.code, at_ms=0, generation=0, simulated=True)
    fleet.record_report(site=site, report=report, token=token, now=NOON + after)


def test_leaves_out_an_outage_of_the_site(shop: Shop) -> None:
    running(shop)
    silent(shop, 40 * MINUTE)

    card_time.accrue_all(now=NOON + HOUR)
    assert seconds(shop) == 40 * 60
    card_time.accrue_all(now=NOON + 3 * HOUR)
    assert seconds(shop) == 40 * 60
    heard(shop, 3 * HOUR + 5 * MINUTE)
    card_time.accrue_all(now=NOON + 4 * HOUR)

    assert seconds(shop) == (40 + 55) * 60


def test_counts_a_short_silence_afterwards(shop: Shop) -> None:
    running(shop)
    silent(shop, HOUR - timedelta(seconds=10))

    card_time.accrue_all(now=NOON + HOUR)
    assert seconds(shop) == 3590
    heard(shop, HOUR + timedelta(seconds=5))
    card_time.accrue_all(now=NOON + HOUR + MINUTE)

    assert seconds(shop) == 3600


def test_charges_nothing_for_what_is_shared_or_takes_no_card(shop: Shop) -> None:
    operator = factories.organization("두레", kind="operator", number=None)
    shared = factories.shared_endpoint(operator)
    factories.placement(shared, shop.daegu, moves=[(NOON, "ready")])
    beside = running(shop)
    with rls.tenant(shop.firm.pk):
        Placement.objects.filter(pk=beside.pk).update(cards=0)

    assert card_time.accrue_all(now=NOON + HOUR) == 0


def test_takes_the_price_that_held_when_the_hour_began(shop: Shop) -> None:
    from decimal import Decimal

    from billing import tariffs

    running(shop)
    dearer = tariffs.set_card_tariff(
        chip="rngd", won_per_hour=Decimal(2000), starts_at=NOON + HOUR + MINUTE
    )

    card_time.accrue_all(now=NOON + 3 * HOUR)

    with rls.tenant(shop.firm.pk):
        versions = list(CardTime.objects.order_by("started_at").values_list("price_version"))
    old = factories.card_tariff().public_id
    assert [one for (one,) in versions] == [old, old, dearer.public_id]


def test_bills_to_the_second_and_the_month_end_the_rest(shop: Shop) -> None:
    running(shop)
    november = Month(2026, 11)

    first = closing.bill_up_to_now(by=shop.alice, now=NOON + timedelta(hours=1, seconds=1))
    outcomes = closing.close_month(november, now=november.period.end + HOUR, finalise=True)

    assert first is not None
    (outcome,) = [one for one in outcomes if one.organization == shop.firm.name]
    assert outcome.invoice is not None
    rest = int((november.period.end - NOON).total_seconds()) - 3601
    with rls.tenant(shop.firm.pk):
        assert first.lines.get().quantity == 3601
        assert outcome.invoice.lines.get().quantity == rest


def test_closes_the_other_books_when_one_is_broken(shop: Shop) -> None:
    broken = factories.organization("고장", number=None)
    factories.ledger_entry(factories.project(broken), tokens_in=10**6, price_version="tar_none")
    factories.ledger_entry(shop.project, tokens_in=10**6)
    november = Month(2026, 11)

    outcomes = closing.close_month(november, now=november.period.end, finalise=True)

    found = {one.organization: (one.invoice is not None, one.fault[:8]) for one in outcomes}
    assert found == {"한빛정밀": (True, ""), "고장": (False, "KeyError")}


def test_closes_no_month_that_is_not_over(shop: Shop) -> None:
    november = Month(2026, 11)

    with pytest.raises(closing.MonthNotOver):
        closing.close_month(november, now=november.period.end - timedelta(microseconds=1))


def test_bills_nobody_in_a_dry_run(shop: Shop) -> None:
    factories.ledger_entry(shop.project, tokens_in=10**6)
    november = Month(2026, 11)

    outcomes = closing.close_month(november, now=november.period.end, dry_run=True)

    assert [(one.organization, one.invoice) for one in outcomes] == [("한빛정밀", None)]


@pytest.mark.django_db(transaction=True)
def test_counts_once_when_four_count_at_once(valkey_url: str) -> None:
    shop = opened()
    running(shop)
    start, failed = threading.Barrier(4), []

    def accrue() -> None:
        try:
            start.wait(5)
            card_time.accrue_all(now=NOON + 3 * HOUR)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=accrue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert failed == []
    assert seconds(shop) == 3 * 3600


@pytest.mark.django_db(transaction=True)
def test_waits_for_whoever_counts_already(valkey_url: str) -> None:
    """The second one looks only once the first has kept how far it came."""
    shop = opened()
    placement = running(shop)
    failed: list[Exception] = []

    def accrue() -> None:
        try:
            card_time.accrue_organization(shop.firm, now=NOON + HOUR)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=accrue)
    with rls.tenant(shop.firm.pk):
        Placement.objects.select_for_update().get(pk=placement.pk)
        other.start()
        other.join(0.5)
        assert other.is_alive()
        factories.card_time(placement.endpoint, start=NOON, end=NOON + HOUR)
        CardTime.objects.get()
        Placement.objects.filter(pk=placement.pk).update(accrued_until=NOON + HOUR)
    other.join(10)

    assert failed == []
    assert seconds(shop) == 3600


def test_reads_moves_in_the_order_of_time(shop: Shop) -> None:
    """A move that was written late still counts where it belongs."""
    placement = running(shop, 30 * MINUTE)
    with rls.tenant(shop.firm.pk):
        for at, state in ((10 * MINUTE, "ready"), (20 * MINUTE, "failed")):
            PlacementMove.objects.create(
                organization=shop.firm,
                placement=placement,
                from_state="starting",
                to_state=state,
                because="Late.",
                at=NOON + at,
            )

    card_time.accrue_all(now=NOON + HOUR)

    assert seconds(shop) == 40 * 60
