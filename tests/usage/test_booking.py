"""What a booked batch leaves behind: counts by cell, orphans, records aside, leases."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from structlog.testing import capture_logs

from portal.lib import ids
from portal.usage import decoding, intake, poison
from portal.usage.decoding import Record
from portal.usage.intake import Booked
from portal.usage.models import OrphanedEvent, PoisonRecord, Watermark
from tenants import rls
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_flow import is_free
from tests.usage.test_intake import TOKEN, cell, event, fields, ledger, record

__all__ = ["cell"]  # a fixture

OTHER = UUID(int=2)
ORDER = r'ORDER BY (1|"usage_watermark"."cell") ASC'  # the cell, which may be the first column


def booked(*records: Record, at: Any = NOON) -> Booked:
    return intake.book(decoding.read(records), token=TOKEN, now=at)


def counts(cell: int) -> tuple[int, int, int]:
    mark = Watermark.objects.get(cell=cell)
    return mark.read, mark.booked, mark.put_aside


@pytest.mark.parametrize("place", range(5))
def test_counts_what_became_of_every_record(cast: Cast, cell: int, place: int) -> None:
    """The bad one stands anywhere: it is found, and it alone."""
    batch = [record(cell, n + 1, event(cast, n)) for n in range(5)]
    batch[place] = record(cell, place + 1, event(cast, place, tokens_in=-1))
    batch.append(record(cell, 6, event(cast, 6, organization="org_unknown")))
    batch.append(Record(cell, "7-0", {}))

    assert booked(*batch) == Booked(new=4, repeated=0, put_aside=3)
    assert counts(cell) == (7, 4, 3)

    assert booked(*batch) == Booked(new=0, repeated=4, put_aside=3)
    assert counts(cell) == (14, 4, 6)
    assert len(ledger(cast)) == 4


def test_counts_every_organization_of_a_cell(cast: Cast, cell: int) -> None:
    """Some are known from a batch before, some are not."""
    other = cast.mallory.may.organization.public_id
    booked(record(cell, 1, event(cast, 1)))

    found = booked(
        record(cell, 2, event(cast, 2)),
        record(cell, 3, event(cast, 3, organization=other)),
        record(cell, 4, event(cast, 4)),
    )

    assert found == Booked(new=3, repeated=0, put_aside=0)
    assert counts(cell) == (4, 4, 0)


def test_keeps_counts_of_cells_apart(cast: Cast, cell: int) -> None:
    other = (cell + 1) % ids.CELLS
    elsewhere = cast.mallory.may.organization.public_id
    booked(
        record(cell, 1, event(cast, 1)),
        record(other, 5, event(cast, 2, organization=elsewhere)),
        record(other, 6, event(cast, 3, tokens_in=-1, organization=elsewhere)),
    )

    assert (counts(cell), counts(other)) == ((1, 1, 0), (2, 1, 1))
    assert intake.watermarks([cell, other]) == {cell: "1-0", other: "6-0"}


def test_puts_aside_with_the_bytes_and_as_much_of_the_reason_as_fits(cast: Cast, cell: int) -> None:
    strange = fields(event(cast, organization="o" * 1000))
    with capture_logs() as said:
        booked(Record(cell, "1-0", strange))

    row = PoisonRecord.objects.get()
    assert (row.cell, row.stream_id, row.seen_at) == (cell, "1-0", NOON)
    assert len(row.reason) == 300
    assert poison.record_of(row) == Record(cell, "1-0", strange)
    assert [(one["event"], one["count"]) for one in said] == [("intake.poison", 1)]


def test_says_nothing_where_nothing_is_wrong(cast: Cast, cell: int) -> None:
    with capture_logs() as said:
        booked(record(cell, 1, event(cast)))

    assert said == []


# ─── orphans ───────────────────────────────────────────────────────────────────────────────────


def orphans(cast: Cast) -> dict[str, Any]:
    with rls.tenant(cast.firm.pk):
        rows = OrphanedEvent.objects.all()
        return {str(row.request_id): row.resolved_at for row in rows}


def test_resolves_the_orphans_of_what_was_booked_and_no_others_once(cast: Cast, cell: int) -> None:
    settled, lapsed = event(cast, 1), event(cast, 2)
    told = [(one.request_id, cast.firm.public_id, 100) for one in (settled, lapsed)]
    assert intake.book_orphans(cell, told, now=NOON) == 2

    for minutes in (1, 2):
        booked(record(cell, minutes, settled), at=NOON + timedelta(minutes=minutes))

    first = NOON + timedelta(minutes=1)
    assert orphans(cast) == {settled.request_id: first, lapsed.request_id: None}


def test_books_orphans_of_others_beside_one_that_nobody_knows(cast: Cast, cell: int) -> None:
    booked(record(cell, 1, event(cast, 1)))
    lapsed = event(cast, 2).request_id
    told = [(lapsed, cast.firm.public_id, 100), (event(cast, 3).request_id, "org_unknown", 1)]

    assert intake.book_orphans(cell, told, now=NOON) == 2

    assert orphans(cast) == {lapsed: None}


# ─── leases ────────────────────────────────────────────────────────────────────────────────────


def take(token: UUID, seconds: float) -> int:
    at = NOON + timedelta(seconds=seconds)
    return len(intake.take_cells(owner="somebody", token=token, now=at))


def test_keeps_a_lease_to_its_last_moment_and_renews_it_by_taking_again(
    cast: Cast, cell: int
) -> None:
    assert take(OTHER, 30) == 0
    assert take(TOKEN, 20) == ids.CELLS
    assert take(OTHER, 30.000001) == 0
    assert take(OTHER, 50) == 0
    assert take(OTHER, 50.000001) == ids.CELLS
    assert take(TOKEN, 51) == 0


def test_gives_back_and_rewinds_no_cell_of_anothers(cast: Cast, cell: int) -> None:
    booked(record(cell, 1, event(cast)))
    with rls.everyone(because="test: another intake took the cell"):
        Watermark.objects.filter(cell=cell).update(lease_token=OTHER)

    intake.rewind(cell, token=TOKEN)
    intake.give_back_cells(TOKEN)

    assert intake.watermarks([cell]) == {cell: "1-0"}
    assert list(Watermark.objects.filter(lease_token=OTHER).values_list("cell")) == [(cell,)]
    assert take(TOKEN, 0) == ids.CELLS - 1


@pytest.mark.django_db(transaction=True)
def test_what_it_owns_stays_its_own_to_the_end_of_the_transaction(cast: Cast, cell: int) -> None:
    """Late events are charged in between: nobody may take the cell or count it meanwhile."""
    with rls.everyone(because="test"), transaction.atomic():
        assert cell in intake.owned(TOKEN)

        assert not is_free(cell)

    assert is_free(cell)


def test_locks_cells_in_one_order(cast: Cast, cell: int) -> None:
    """Two that lock in different orders wait for each other, until PostgreSQL ends one."""
    for deed in (lambda: intake.owned(TOKEN), lambda: intake.end_leases(range(ids.CELLS))):
        with connection.execute_wrapper(asked := Asked()), rls.everyone(because="test"):
            deed()

        locks = [one for one in asked.found if "FOR UPDATE" in one]
        assert len(locks) == 1 and re.search(ORDER, locks[0])


class Asked:
    """The statements that are executed."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.found.append(sql)
        return execute(sql, *rest)
