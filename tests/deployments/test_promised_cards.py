"""What is promised of a site's cards stands in sums that the database keeps: they are what the
placements hold, whoever writes these, and nobody waits for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
from django.db import ProgrammingError, connection, transaction

from billing import budgets
from portal.catalog.models import Chip
from portal.deployments.actions import reservations
from portal.deployments.claims import Claims
from portal.deployments.models import Placement, PromisedCards
from portal.deployments.reserving import ReservationWish
from portal.lib.periods import Period
from tenants import rls
from tests import factories
from tests.deployments.conftest import Shop, opened
from tests.factories import NOON

HOUR = timedelta(hours=1)


def summed() -> dict[str, int]:
    """Site → cards, of the sums."""
    found: Counter[str] = Counter()
    for code, cards in PromisedCards.objects.values_list("site__code", "cards"):
        found[code] += cards
    return {code: cards for code, cards in found.items() if cards}


def held() -> dict[str, int]:
    """The same out of the placements."""
    rows = Placement.objects.filter(wanted=True).living().values_list("site__code", "cards")
    found: Counter[str] = Counter()
    for code, cards in rows:
        found[code] += cards
    return dict(found)


def writings(shop: Shop) -> Iterator[dict[str, int]]:
    """Each way in which placements are written; what is promised then."""
    endpoint = factories.endpoint(shop.project)
    one = factories.placement(endpoint, shop.daegu)
    yield {"daegu-1": 1}
    two, gone = (factories.placement(endpoint, shop.busan, wanted=said) for said in (True, False))
    yield {"daegu-1": 1, "busan-1": 1}
    Placement.objects.filter(pk=one.pk).update(state="ready", url="http://127.0.0.1:9")
    yield {"daegu-1": 1, "busan-1": 1}
    Placement.objects.update(cards=3)
    yield {"daegu-1": 3, "busan-1": 3}
    Placement.objects.filter(pk=one.pk).update(site=shop.busan)
    yield {"busan-1": 6}
    Placement.objects.filter(pk=one.pk).update(state="stopped")
    yield {"busan-1": 3}
    Placement.objects.filter(pk=two.pk).update(wanted=False)
    yield {}
    Placement.objects.filter(pk=gone.pk).update(wanted=True)
    yield {"busan-1": 3}
    Placement.objects.filter(pk=gone.pk).delete()
    yield {}


def test_are_summed_up_whoever_writes_a_placement(shop: Shop) -> None:
    with rls.everyone(because="tests"):
        for expected in writings(shop):
            assert summed() == held() == expected


def test_are_no_tenants_to_see(shop: Shop) -> None:
    factories.placement(factories.endpoint(shop.project), shop.daegu)

    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        rls.tenant(shop.firm.pk),
    ):
        PromisedCards.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_sum(valkey_url: str) -> None:
    """Two stop replicas of two sites, each in its own order, and neither has ended."""
    shop = opened()
    endpoints = [factories.endpoint(shop.project, f"상담-{number}") for number in (1, 2)]
    ones = [[factories.placement(one, at) for at in (shop.daegu, shop.busan)] for one in endpoints]

    def stop_second() -> None:
        with rls.everyone(because="tests"):
            connection.cursor().execute("SET LOCAL lock_timeout = '5s'")
            for one in reversed(ones[1]):
                Placement.objects.filter(pk=one.pk).update(wanted=False)
        connection.close()
        stopped.append(True)

    stopped: list[bool] = []
    with rls.everyone(because="tests"):
        for one in ones[0]:
            Placement.objects.filter(pk=one.pk).update(wanted=False)
        other = Thread(target=stop_second)
        other.start()
        other.join(10)
        assert stopped == [True]
        assert summed() == held() == {}


def test_a_reservation_covers_what_its_owner_runs(shop: Shop) -> None:
    """Two cards in Daegu; the neighbour has reserved one from tomorrow on."""
    firm = factories.organization("이웃상사", number="2208162517")
    budgets.publish(factories.budget(firm, 2_000_000), firm)
    project, tomorrow = factories.project(firm), NOON + timedelta(days=1)
    reservations.place(
        wish=ReservationWish("야간", "rngd", 1, Period(tomorrow, tomorrow + HOUR), "daegu"),
        project=project,
        idempotency_key="reserve-1",
        by=factories.member(factories.user("mallory@example.com", "남궁훈"), firm),
        now=NOON,
    )
    kind = shop.daegu.pk, Chip.objects.get(code="rngd").pk
    endpoint = factories.endpoint(project)

    for runs, ours, theirs in ((0, 1, 2), (1, 1, 1), (2, 0, 0)):
        with rls.everyone(because="tests"):
            mine, others = Claims(NOON, shop.firm.pk), Claims(NOON, firm.pk)
        found = mine.promised(*kind), mine.free(2, *kind), others.free(2, *kind)
        assert found == (runs, ours, theirs)
        assert mine.reservable(2, *kind, Period(tomorrow, tomorrow + HOUR)) == ours
        assert others.reservable(2, *kind, Period(tomorrow, tomorrow + HOUR)) == 1
        factories.placement(endpoint, shop.daegu)


def test_what_runs_on_another_kind_of_card_counts_for_its_own_kind_only(shop: Shop) -> None:
    factories.site("daegu-2", chip="atom-max", cards=4)
    endpoint = factories.endpoint(shop.project)
    factories.placement(endpoint, shop.daegu)
    factories.placement(endpoint, shop.busan)
    rngd, atom = (Chip.objects.get(code=code).pk for code in ("rngd", "atom-max"))

    with rls.everyone(because="tests"):
        claims = Claims(NOON, shop.firm.pk)

    assert (claims.running(rngd), claims.running(atom)) == (2, 0)
