"""Runs of rating: at once, broken off, beside transactions that end late; and their commands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from billing import accruals, invoices
from billing.accruals import Rated
from billing.models import Accrual, Invoice
from portal.deployments.actions import closing
from tenants import rls
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

LATER = NOON + timedelta(days=3)


def use(cast: Cast, **fields: Any) -> None:
    factories.ledger_entry(cast.project, **{"tokens_in": 1_000_000, "tokens_out": 0} | fields)


def rate(until: datetime = LATER) -> Rated:
    return accruals.accrue(until=until, now=until)


# ─── at once, and broken off ───────────────────────────────────────────────────────────────────


@pytest.fixture
def shop_floor(transactional_db: None) -> Iterator[list[Any]]:
    """Three organizations with ten requests each, committed."""
    factories.catalogue()
    projects = [
        factories.project(factories.organization(f"회사 {n}", number=None)) for n in range(3)
    ]
    for project in projects:
        for hour in range(10):
            factories.ledger_entry(project, at=NOON + timedelta(hours=2 * hour), tokens_in=1000)
    yield projects


def test_a_new_price_line_is_held_for_no_whole_invoice(
    shop_floor: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one organization's invoice is written, another accrues use at the same new price."""
    firm, other = (one.organization for one in shop_floor[:2])
    owner = factories.member(factories.user("owner@example.com", "김서연"), firm)
    issue, beside = invoices.issue_interim, []

    def accrue() -> None:
        try:
            beside.append(accruals.accrue_organization(other, until=LATER, now=LATER))
        finally:
            connection.close()

    def issued(**words: Any) -> Invoice | None:
        made = issue(**words)
        thread = threading.Thread(target=accrue)
        thread.start()
        thread.join(60)
        return made

    monkeypatch.setattr(closing.invoices, "issue_interim", issued)

    assert closing.bill_up_to_now(by=owner, now=LATER) is not None
    assert [one.accruals > 0 for one in beside] == [True]


def test_accrues_once_when_four_accrue_at_once(shop_floor: list[Any]) -> None:
    start, failed = threading.Barrier(4), []

    def run(number: int) -> None:
        try:
            start.wait(5)
            if number % 2:
                rate()
            else:
                accruals.accrue_organization(shop_floor[0].organization, until=LATER, now=LATER)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failed == []
    with rls.everyone(because="test"):
        assert sum(one.quantity for one in Accrual.objects.all()) == 30 * 1000
        assert set(Accrual.objects.values_list("number", flat=True)) == {1}


def test_finds_what_was_recorded_by_a_transaction_that_ended_late(
    shop_floor: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It recorded before the run and ended after it: nobody could see it then."""
    monkeypatch.setattr(accruals, "OVERLAP", timedelta(0))
    rate()
    began, go_on = threading.Event(), threading.Event()

    def book() -> None:
        try:
            with rls.everyone(because="test"):
                factories.ledger_entry(shop_floor[0], at=NOON, tokens_in=1)
                began.set()
                go_on.wait(30)
        finally:
            connection.close()

    other = threading.Thread(target=book)
    other.start()
    began.wait(30)
    assert rate(LATER + timedelta(hours=1)) == Rated()
    go_on.set()
    other.join(30)

    assert rate(LATER + timedelta(hours=2)).accruals == 1


def test_leaves_nothing_half_done_when_it_breaks_off(
    shop_floor: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rate(NOON)
    factories.ledger_entry(shop_floor[0], at=NOON, tokens_in=5)
    with monkeypatch.context() as patch:
        patch.setattr("billing.rating_sql.UNRATED", "SELECT 1 / 0")
        with pytest.raises(DatabaseError):
            rate()

    assert rate().accruals == 4
    with rls.everyone(because="test"):
        assert sum(one.quantity for one in Accrual.objects.all()) == 30 * 1000 + 5


# ─── commands ──────────────────────────────────────────────────────────────────────────────────


def test_the_command_rates_and_a_replay_changes_nothing(
    cast: Cast, prices: None, capsys: pytest.CaptureFixture[str]
) -> None:
    use(cast, at=datetime(2025, 3, 1, tzinfo=NOON.tzinfo))

    call_command("rate")
    call_command("rate", "--replay")

    said = capsys.readouterr().out
    assert "1 accruals added" in said
    assert "Replaying changed nothing." in said


def test_a_replay_says_what_was_missing(
    cast: Cast, prices: None, capsys: pytest.CaptureFixture[str]
) -> None:
    use(cast, at=datetime(2025, 3, 1, tzinfo=NOON.tzinfo))

    with pytest.raises(CommandError, match="1 accruals were missing"):
        call_command("rate", "--replay")
    assert "2025-03: 1 accruals added" in capsys.readouterr().out


def test_replays_month_by_month(cast: Cast, prices: None) -> None:
    use(cast, at=NOON - timedelta(days=40))
    use(cast)

    found = [(str(month), one.accruals) for month, one in accruals.replay(until=LATER, now=LATER)]

    assert found == [("2026-10", 1), ("2026-11", 1)]
