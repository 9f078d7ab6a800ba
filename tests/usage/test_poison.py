"""Records put aside: counted, and booked once what was wrong is mended."""

from __future__ import annotations

from io import StringIO

from django.core.management import CommandError, call_command

from portal.usage import events
from portal.usage.decoding import Record
from portal.usage.models import PoisonRecord
from tenants import rls
from tenants.models import Organization
from tests import factories
from tests.cast import Cast
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


def test_books_what_was_put_aside_after_a_mend_once(cast: Cast, cell: int) -> None:  # noqa: F811
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
