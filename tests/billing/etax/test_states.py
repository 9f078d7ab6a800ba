"""States: each arrow, each missing arrow, the second mover, and what the database refuses."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import DatabaseError, connection, transaction

from billing.etax import lifecycle, outcomes, preparing, sweep
from billing.etax.contract import Unavailable
from billing.models import EtaxAttempt, EtaxDocument, EtaxMove, EtaxState
from tenants import actors, rls
from tests.billing.etax.conftest import AFTER, Desk, make_invoice
from tests.cast import Cast

PAIRS = [(one, other) for one in EtaxState for other in EtaxState]


def test_goes_only_where_an_arrow_leads(desk: Desk, subtests: pytest.Subtests) -> None:
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)
    how = {"because": "weil", "by": actors.system(desk.cast.firm, "test"), "now": AFTER}

    for before, after in PAIRS:
        with subtests.test(f"{before} → {after}"), rls.tenant(desk.cast.firm.pk):
            EtaxDocument.objects.update(state=before)
            row = EtaxDocument.objects.get()
            if (before, after) in lifecycle.ARROWS:
                assert lifecycle.move(row, after, **how)  # type: ignore[arg-type]
                row.state = before  # a second mover, who has loaded it before
                assert before == after or not lifecycle.move(row, after, **how)  # type: ignore[arg-type]
            else:
                with pytest.raises(lifecycle.NoSuchMove):
                    lifecycle.move(row, after, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["supply_won", "body", "key", "write_date"])
def test_the_database_refuses_to_change_what_may_be_out(desk: Desk, field: str) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    other = {
        "supply_won": {"supply_won": 1, "total_won": 123_457},
        "body": {"body": {}},
        "key": {"key": "other-1"},
        "write_date": {"write_date": "2026-10-31"},
    }[field]

    with (
        pytest.raises(DatabaseError, match="frozen"),
        transaction.atomic(),
        rls.everyone(because="test"),
    ):
        EtaxDocument.objects.update(**other)


def test_the_database_keeps_one_that_counts(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    row = desk.one()
    row.pk, row.public_id, row.key, row.serial, row.approval = None, "etx_2", "k-2", 2, ""

    with (
        pytest.raises(DatabaseError, match="etax_one_that_counts"),
        transaction.atomic(),
        rls.everyone(because="test"),
    ):
        row.save(force_insert=True)


@pytest.mark.parametrize("model", [EtaxMove, EtaxAttempt, EtaxDocument])
def test_nothing_is_ever_deleted(desk: Desk, model: type[EtaxMove]) -> None:
    make_invoice(desk.cast.firm)
    desk.work()

    with pytest.raises(DatabaseError), transaction.atomic(), rls.everyone(because="test"):
        model.objects.all()._raw_delete("default")


def test_never_calls_inside_a_transaction(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)
    depth: list[int] = []
    outer = len(connection.savepoint_ids)

    class Watching:
        def issue(self, document: object) -> object:
            depth.append(len(connection.savepoint_ids) - outer)
            raise Unavailable("gone")

    sweep.sweep(issuer=Watching(), now=AFTER)  # type: ignore[arg-type]

    assert depth == [0]


def test_looks_rarely_at_what_takes_long(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    row = desk.one()
    waits = [
        (outcomes.next_look(row, row.state_since + passed) - row.state_since - passed)
        for passed in (timedelta(0), timedelta(hours=1), timedelta(hours=2), timedelta(days=2))
    ]

    assert all(one <= other for one, other in pairwise(waits))
    assert (waits[0], waits[-1]) == (outcomes.FIRST_LOOK, outcomes.LAST_LOOK)


def test_another_organization_sees_none(desk: Desk, cast: Cast) -> None:
    make_invoice(desk.cast.firm)
    desk.work()

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not EtaxDocument.objects.exists()
        assert not EtaxMove.objects.exists()
        assert not EtaxAttempt.objects.exists()
