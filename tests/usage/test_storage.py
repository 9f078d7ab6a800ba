"""What is stored: pieces cut at midnight in Korea, no second twice."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from portal.lib.periods import Period, seoul_date
from portal.usage import storage
from portal.usage.models import StoredVolume
from portal.usage.storage import Volume
from tenants import rls
from tests.cast import Cast
from tests.factories import NOON

MIDNIGHT = datetime(2026, 11, 16, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
moments = st.datetimes(
    datetime(2026, 1, 1),
    datetime(2027, 2, 1),
    timezones=st.just(UTC),
)


def volume(cast: Cast, size: int = 1000) -> Volume:
    return Volume(cast.firm, cast.project.public_id, "vol_1", "standard", size, "tar_s")


def spans() -> list[tuple[datetime, datetime]]:
    return list(StoredVolume.objects.order_by("started_at").values_list("started_at", "ended_at"))


def test_cuts_at_midnight_in_korea(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        assert storage.record(volume(cast), Period(MIDNIGHT - HOUR, MIDNIGHT + HOUR)) == 2

        assert spans() == [(MIDNIGHT - HOUR, MIDNIGHT), (MIDNIGHT, MIDNIGHT + HOUR)]


def test_records_only_what_is_new(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        storage.record(volume(cast), Period(NOON, NOON + HOUR))
        assert storage.record(volume(cast), Period(NOON, NOON + HOUR)) == 0
        assert storage.record(volume(cast), Period(NOON, NOON + 2 * HOUR)) == 1

        assert spans() == [(NOON, NOON + HOUR), (NOON + HOUR, NOON + 2 * HOUR)]


def test_records_nothing_of_nothing(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        assert storage.record(volume(cast, 0), Period(NOON, NOON + HOUR)) == 0


def test_the_database_refuses_a_second_twice_and_any_change(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        storage.record(volume(cast), Period(NOON, NOON + HOUR))
        row = StoredVolume.objects.get()
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            StoredVolume.objects.update(bytes=1)
        row.pk, row.ended_at = None, NOON + 2 * HOUR
        with pytest.raises(IntegrityError, match="no_second_twice"), transaction.atomic():
            row.save(force_insert=True)


@given(st.tuples(moments, moments).map(sorted))
def test_keeps_every_second_once_and_each_piece_on_one_day(between: list[datetime]) -> None:
    start, end = between
    found = list(storage.pieces(Period(start, end)))

    whole = int((end.replace(microsecond=0) - start.replace(microsecond=0)).total_seconds())
    assert sum(piece.seconds for piece in found) == whole
    for before, after in itertools.pairwise(found):
        assert before.end == after.start
    for piece in found:
        assert seoul_date(piece.start) == seoul_date(piece.end - timedelta(seconds=1))
