"""Records put aside: counted, and booked once what was wrong is mended."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command

from portal.admission.sync import Admission
from portal.lib.periods import Month
from portal.usage import events, intake, poison, staging
from portal.usage.decoding import Record, Spoilt
from portal.usage.models import PoisonRecord
from tenants import rls
from tenants.models import Organization
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_flow import is_free
from tests.usage.test_intake import (  # noqa: F401 - the fixture is used by its name
    book,
    cell,
    event,
    fields,
    ledger,
    record,
)


def replay() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("replay_poison", stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def test_books_what_was_put_aside_after_a_mend_once(
    cast: Cast,
    cell: int,  # noqa: F811
) -> None:
    early = event(cast, organization="org_late0000000000000")
    book(cell, record(cell, 1, early), Record(cell, "2-0", {}))
    assert ledger(cast) == []
    assert replay()[0] == 1

    factories.organization("늦은 회사", number=None)
    with rls.everyone(because="test: the organization is there now"):
        firm = Organization.objects.get(name="늦은 회사")
        Organization.objects.filter(pk=firm.pk).update(public_id="org_late0000000000000")

    for _ in range(2):
        code, said = replay()
        assert code == 1 and "2-0: KeyError" in said  # nothing mends this one

    with rls.tenant(firm.pk):
        from portal.usage.models import LedgerEntry

        assert [str(one.request_id) for one in LedgerEntry.objects.all()] == [early.request_id]
    assert PoisonRecord.objects.filter(replayed_at=None).count() == 1


def test_replays_nothing_that_is_in_the_ledger_already(cast: Cast, cell: int) -> None:  # noqa: F811
    one = event(cast)
    bad = fields(one) | {b"settled_micro": b"many"}
    book(cell, Record(cell, "1-0", bad), record(cell, 2, one))
    PoisonRecord.objects.update(raw=events.msgspec.msgpack.encode(fields(one)))

    assert replay() == (0, "1 booked.\n")
    assert len(ledger(cast)) == 1


# ─── late ones: nothing was charged when they were put aside ───────────────────────────────────


def spent(cast: Cast, valkey: redis.Redis) -> int:
    standing = Admission(valkey).standing(
        cast.firm.code, subject=cast.firm.public_id, month=str(Month.of(NOON))
    )
    assert standing is not None
    return standing.spent


def put_aside(cell: int, number: int, **how: Any) -> None:  # noqa: F811
    """As if it had been refused for something that is mended by now."""
    spoilt = [Spoilt(record(cell, number, **how), "mended")]
    intake.put_aside(spoilt, NOON)


@pytest.fixture
def room(cast: Cast, valkey: redis.Redis, cell: int) -> int:  # noqa: F811
    """The firm has ₩1 left this month."""
    admission = Admission(valkey)
    admission.open_cells(1)
    admission.set_limit(
        cast.firm.code, subject=cast.firm.public_id, limit_micro=1_000_000, hard=True, number=1
    )
    return cell


def test_charges_late_ones_as_far_as_there_is_room(
    cast: Cast, valkey: redis.Redis, room: int
) -> None:
    for number in (1, 2):
        one = event(cast, number, cost_micro=600_000)
        put_aside(room, number, one=one, settled=0, written_off=600_000, late=True)

    for _ in range(2):
        assert replay()[0] == 0

    rows = ledger(cast)
    assert [(one.settled_micro, one.written_off_micro) for one in rows] == [
        (600_000, 0),
        (400_000, 200_000),
    ]
    assert spent(cast, valkey) == 1_000_000


def test_charges_no_late_one_that_was_charged_already(
    cast: Cast, valkey: redis.Redis, room: int
) -> None:
    put_aside(room, 1, one=event(cast, 1), settled=20, written_off=40, late=True)
    put_aside(room, 2, one=event(cast, 2), settled=50, written_off=10)

    assert replay()[0] == 0

    assert [one.settled_micro for one in ledger(cast)] == [20, 50]
    assert spent(cast, valkey) == 0


def test_charges_no_late_one_that_still_cannot_be_booked(
    cast: Cast, valkey: redis.Redis, room: int
) -> None:
    put_aside(room, 1, one=event(cast, tokens_in=-1), settled=0, written_off=60, late=True)

    code, said = replay()

    assert code == 1 and "1-0: " in said and "ledger_tokens_positive" in said
    assert spent(cast, valkey) == 0


def test_books_no_late_one_while_the_counters_are_being_checked(
    cast: Cast, valkey: redis.Redis, room: int
) -> None:
    put_aside(room, 1, one=event(cast), settled=0, written_off=60, late=True)
    Admission(valkey).close_cells()

    assert replay()[0] == 2

    assert ledger(cast) == []
    Admission(valkey).open_cells(2)
    assert replay()[0] == 0
    assert [one.settled_micro for one in ledger(cast)] == [60]


def test_the_portals_user_may_replay(
    cast: Cast, valkey: redis.Redis, room: int, settings: Any
) -> None:
    put_aside(room, 1, one=event(cast), settled=0, written_off=60, late=True)
    settings.VALKEY_URL = settings.VALKEY_URL.replace("//operator:", "//portal:")

    assert replay()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_counts_stand_still_while_late_ones_are_booked(
    cast: Cast,
    valkey: redis.Redis,
    room: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The charge and the entry lie on one side of a fence's count, which locks the watermark."""
    put_aside(room, 1, one=event(cast), settled=0, written_off=60, late=True)
    free: list[bool] = []
    deed = staging.insert

    def look(*args: Any) -> Any:
        free.append(is_free(room))
        return deed(*args)

    monkeypatch.setattr(staging, "insert", look)

    assert replay()[0] == 0
    assert free == [False]


# ─── pages of records ──────────────────────────────────────────────────────────────────────────


def test_goes_through_all_of_them_page_by_page(
    cast: Cast,
    cell: int,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two a page: those that cannot be booked stay, are told, and stand in nobody's way."""
    monkeypatch.setattr(poison, "SOME", 2)
    other = (cell + 1) % 64
    bad = {1: {"tokens_in": -1}, 4: {"organization": "org_unknown"}}
    for number in range(1, 7):
        put_aside(cell, number, one=event(cast, number, **bad.get(number, {})))
    put_aside(other, 1, one=event(cast, 7))  # the id of a bad one, of another stream

    booked, still = poison.replay(Admission(redis.Redis()), now=NOON)

    assert booked == 5
    assert [(row.cell, row.stream_id) for row, _ in still] == [(cell, "1-0"), (cell, "4-0")]
    assert "no organization org_unknown" in still[1][1]
    left = PoisonRecord.objects.filter(replayed_at=None).order_by("pk")
    assert [(row.cell, row.stream_id) for row in left] == [(cell, "1-0"), (cell, "4-0")]
    assert set(PoisonRecord.objects.values_list("replayed_at", flat=True)) == {None, NOON}
    assert sorted((one.cell, one.stream_id) for one in poison.left()) == [
        (cell, "1-0"),
        (cell, "4-0"),
    ]
    assert len(ledger(cast)) == 5
    again = poison.replay(Admission(redis.Redis()), now=NOON + timedelta(days=1))
    assert (again[0], len(again[1])) == (0, 2)
    assert not PoisonRecord.objects.filter(replayed_at__gt=NOON).exists()
