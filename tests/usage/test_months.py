"""The ledger by months: made ahead, walled like the whole, and nothing is lost where one lacks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from structlog.testing import capture_logs

from portal.lib import ids
from portal.lib.periods import SEOUL
from portal.usage import partitions
from portal.usage.models import LedgerEntry
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_made_yet(db: None) -> None:
    factories.catalogue()
    partitions._made.clear()


def months() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'usage_ledgerentry'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def where(entry: LedgerEntry) -> str:
    with rls.everyone(because="test"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM usage_ledgerentry WHERE request_id = %s",
            [entry.request_id],
        )
        return str(cursor.fetchone()[0])


def booked(cast: Cast, at: datetime) -> LedgerEntry:
    factories.ledger_entry(cast.project, at=at)
    with rls.tenant(cast.firm.pk):
        return LedgerEntry.objects.get(admitted_at=at)


def test_makes_this_month_and_three_more_once(cast: Cast) -> None:
    now = datetime(2031, 11, 30, 23, 59, tzinfo=UTC)
    before = months()

    partitions.make_ahead(now)
    made = months() - before
    partitions._made.clear()
    partitions.make_ahead(now)

    assert made == {f"usage_ledger_{name}" for name in ("2031_11", "2031_12", "2032_01", "2032_02")}
    assert months() == before | made
    assert where(booked(cast, datetime(2031, 12, 1, tzinfo=UTC))) == "usage_ledger_2031_12"


def test_finds_an_entry_of_a_month_that_nobody_made(cast: Cast) -> None:
    at = datetime(2033, 5, 5, tzinfo=UTC)
    entry = booked(cast, at)
    assert where(entry) == "usage_ledger_rest"

    partitions.make_ahead(at)  # too late for this month: its rows stay where they are

    assert "usage_ledger_2033_05" not in months()
    assert {"usage_ledger_2033_06"} <= months()
    assert where(booked(cast, at + timedelta(days=1))) == "usage_ledger_rest"
    with rls.tenant(cast.firm.pk):
        assert LedgerEntry.objects.admitted(at, at + timedelta(days=2)).count() == 2


def test_refuses_what_is_no_month(cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="not the first day"), transaction.atomic():
        partitions._make(date(2031, 1, 2))


def test_nobody_reads_or_writes_a_month_by_its_own_name(cast: Cast) -> None:
    partitions.make_ahead(datetime(2031, 1, 1, tzinfo=UTC))

    for name in ("usage_ledger_before", "usage_ledger_rest", "usage_ledger_2031_01"):
        for verb in (f"SELECT * FROM {name}", f"TRUNCATE {name}", f"DELETE FROM {name}"):
            with (
                pytest.raises(DatabaseError, match="permission denied"),
                rls.everyone(because="test"),
                connection.cursor() as cursor,
            ):
                cursor.execute(verb)


def test_keeps_every_month_append_only_and_behind_the_wall(cast: Cast) -> None:
    at = datetime(2031, 1, 5, tzinfo=UTC)
    partitions.make_ahead(at)
    assert where(booked(cast, at)) == "usage_ledger_2031_01"

    for deed in (lambda: LedgerEntry.objects.update(late=True), LedgerEntry.objects.all().delete):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            rls.tenant(cast.firm.pk),
            transaction.atomic(),
        ):
            deed()
    with rls.tenant(cast.mallory.may.organization.pk):
        assert not LedgerEntry.objects.exists()


def test_takes_no_entry_of_an_organization_that_is_not(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        factories.ledger_entry(cast.project)
        known = LedgerEntry.objects.get()

    with (
        pytest.raises(DatabaseError, match="there is no organization"),
        rls.everyone(because="test"),
        transaction.atomic(),
    ):
        known.organization_id, known.request_id = 10**9, ids.UUID(ids.mint_request_id())
        known.save(force_insert=True)


def test_keeps_an_organization_that_entries_name(cast: Cast) -> None:
    factories.ledger_entry(cast.project)

    with (
        pytest.raises(DatabaseError, match="entries name organization"),
        rls.everyone(because="test"),
        connection.cursor() as cursor,
        transaction.atomic(),
    ):
        cursor.execute("DELETE FROM tenants_organization WHERE id = %s", [cast.firm.pk])


def test_reads_only_the_months_that_can_have_it(cast: Cast) -> None:
    partitions.make_ahead(NOON + timedelta(days=3000))
    with rls.tenant(cast.firm.pk):
        plan = LedgerEntry.objects.admitted(NOON, NOON + timedelta(days=1)).explain()

    assert "usage_ledger_before" in plan
    assert "usage_ledger_20" not in plan and "usage_ledger_rest" not in plan


# ─── made ahead, whatever is in the way ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2031, 1, 1, tzinfo=UTC), date(2031, 1, 1)),
        (datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC), date(2031, 12, 1)),
        (datetime(2032, 1, 1, 8, 59, tzinfo=SEOUL), date(2031, 12, 1)),  # days are those of UTC
        (datetime(2032, 1, 1, 9, 0, tzinfo=SEOUL), date(2032, 1, 1)),
    ],
    ids=str,
)
def test_begins_with_the_month_of_the_day_in_utc(now: datetime, first: date) -> None:
    found = partitions.months(now)

    assert (found[0], len(found)) == (first, 4)
    assert [one.day for one in found] == [1, 1, 1, 1]
    assert found == sorted(set(found))


def test_asks_for_a_month_once(cast: Cast, django_assert_num_queries: Any) -> None:
    now = datetime(2031, 11, 30, tzinfo=UTC)
    with capture_logs() as said:
        partitions.make_ahead(now)
    assert [one["month"] for one in said if one["event"] == "ledger.month_made"] == [
        "2031-11",
        "2031-12",
        "2032-01",
        "2032-02",
    ]

    with django_assert_num_queries(0), capture_logs() as said:
        partitions.make_ahead(now)
    assert said == []

    partitions._made.clear()  # another intake: they are there, and it says nothing
    with capture_logs() as said:
        partitions.make_ahead(now)
    assert said == []


def test_asks_again_for_a_month_that_was_refused_and_not_for_later_ones_meanwhile(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is busy: each question would wait for it once more."""
    now, asked = datetime(2031, 11, 30, tzinfo=UTC), []

    def busy(month: date) -> bool:
        asked.append(month)
        if month == date(2031, 12, 1):
            raise OperationalError("canceling statement due to lock timeout")
        return True

    monkeypatch.setattr(partitions, "_make", busy)
    with capture_logs() as said:
        partitions.make_ahead(now)

    assert asked == [date(2031, 11, 1), date(2031, 12, 1)]
    assert [one["event"] for one in said] == ["ledger.month_made", "ledger.month_not_made"]
    monkeypatch.undo()
    before = months()
    partitions.make_ahead(now)
    assert months() - before == {
        f"usage_ledger_{name}" for name in ("2031_12", "2032_01", "2032_02")
    }
