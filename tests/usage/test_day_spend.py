"""The ledger's days: kept by the database, the ledger's sum at every moment."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from portal.lib.periods import SEOUL
from portal.usage.models import DaySpend, LedgerEntry
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

DAY = date(2026, 11, 16)


@pytest.fixture(autouse=True)
def _prices(db: None) -> None:
    factories.catalogue()


def days(cast: Cast) -> list[tuple[date, str, int, int]]:
    with rls.tenant(cast.firm.pk):
        rows = DaySpend.objects.order_by("day", "key")
        return list(rows.values_list("day", "key", "requests", "settled_micro"))


def test_sums_by_business_day_and_key(cast: Cast) -> None:
    midnight = datetime(2026, 11, 16, 15, tzinfo=UTC)  # in Korea
    for at, key, micro in (
        (NOON, "key_a", 5),
        (midnight - timedelta(microseconds=1), "key_a", 7),
        (midnight, "key_a", 11),
        (NOON, "key_b", 0),
    ):
        factories.ledger_entry(cast.project, at=at, key=key, settled_micro=micro)

    assert days(cast) == [
        (DAY, "key_a", 2, 12),
        (DAY, "key_b", 1, 0),
        (DAY + timedelta(days=1), "key_a", 1, 11),
    ]


def test_is_the_ledgers_sum_whatever_is_written(cast: Cast) -> None:
    chance = random.Random(7)
    for _ in range(60):
        factories.ledger_entry(
            cast.project,
            at=NOON - timedelta(hours=chance.randrange(2000)),
            key=chance.choice(["key_a", "key_b"]),
            settled_micro=chance.randrange(10**9),
            late=chance.random() < 0.2,
        )

    with rls.tenant(cast.firm.pk):
        sums = (
            LedgerEntry.objects.annotate(on=TruncDate("admitted_at", tzinfo=SEOUL))
            .values_list("on", "key")
            .annotate(requests=Count("request_id"), total=Sum("settled_micro"))
            .order_by("on", "key")
        )
        expected = list(sums)
    assert days(cast) == expected


def test_what_is_rolled_back_is_not_counted(cast: Cast) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        factories.ledger_entry(cast.project)
        raise ZeroDivisionError

    assert days(cast) == []


def test_another_organization_sees_nothing_of_it(cast: Cast) -> None:
    factories.ledger_entry(cast.project)

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not DaySpend.objects.exists()


@pytest.mark.parametrize(
    "deed", ["UPDATE usage_dayspend SET settled_micro = 0", "DELETE FROM usage_dayspend"]
)
def test_no_program_changes_it(cast: Cast, deed: str) -> None:
    """Only the ledger's own trigger does."""
    factories.ledger_entry(cast.project, settled_micro=9)

    with (
        rls.tenant(cast.firm.pk),
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(deed)

    assert days(cast)[0][3] == 9
