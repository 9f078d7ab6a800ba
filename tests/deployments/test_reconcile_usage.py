"""``reconcile_usage``: what agrees, what is on its way, and what somebody must look at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import redis
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command

from billing import budgets
from portal.admission import keys
from portal.admission.sync import Admission
from portal.deployments.management.commands import reconcile_usage
from portal.fleet.models import EngineDay
from portal.lib.ids import cell_of
from portal.lib.periods import Month
from portal.usage import flow, intake, staging
from portal.usage.decoding import Spoilt
from portal.usage.events import UsageEvent
from portal.usage.reader import Reader
from tests import factories
from tests.admission import counters
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_intake import TOKEN, book, event, fields, record


@pytest.fixture
def firm(cast: Cast, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """A cap of ₩10, open cells, streams that are measured."""
    monkeypatch.setattr(reconcile_usage, "PAUSE_SECONDS", 0.0)
    budgets.admission.cache_clear()
    budget = factories.budget(cast.firm, limit_won=10)
    admission = Admission(valkey)
    budgets.publish(budget, cast.firm)
    admission.open_cells(1)
    intake.take_cells(owner="me", token=TOKEN, now=NOON)
    flow.measure(valkey, {cell_of(cast.firm.code): "0-0"}, token=TOKEN, now=NOON)
    return cast


def spend(cast: Cast, valkey: redis.Redis, micro: int) -> None:
    """As the counters stand after a settlement."""
    cell, subject = cell_of(cast.firm.code), cast.firm.public_id
    counters.add(valkey, cell, subject, str(Month.of(NOON)), spent=micro)


def settle(cast: Cast, valkey: redis.Redis, number: int) -> Any:
    one = fields(event(cast, number))
    spend(cast, valkey, 60)
    return valkey.xadd(keys.events(cell_of(cast.firm.code)), one, id=f"{number}-0")


def run(*words: str) -> tuple[int, str]:
    out = StringIO()
    try:
        with time_machine.travel(NOON, tick=False):
            call_command("reconcile_usage", *words, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()


def test_says_nothing_where_all_agree(firm: Cast, valkey: redis.Redis) -> None:
    settle(firm, valkey, 1)
    book(cell_of(firm.firm.code), record(cell_of(firm.firm.code), 1, event(firm, 1)))
    flow.trim(valkey, {cell_of(firm.firm.code): "1-0"})

    code, said = run()

    assert (code, said.strip()) == (0, "3 compared, 0 shown, 0 unexplained.")


def test_explains_what_is_on_its_way(firm: Cast, valkey: redis.Redis) -> None:
    settle(firm, valkey, 1)

    code, said = run()

    assert code == 0
    assert "60 waiting" in said and "1 waiting" in said


def late(cast: Cast, number: int, **changes: Any) -> UsageEvent:
    one: UsageEvent = event(cast, number, **changes)
    raw = fields(one, settled=0, written_off=60, late=True)
    redis.Redis.from_url(settings.VALKEY_URL).xadd(
        keys.events(cell_of(cast.firm.code)), raw, id=f"{number}-0"
    )
    return one


def test_explains_late_events_wherever_the_intake_died(
    firm: Cast, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Charged and not booked yet; then booked; one beside it that the ledger refuses."""
    intake.give_back_cells(TOKEN)
    late(firm, 1)
    late(firm, 2, tokens_in=-1)
    reader = Reader(settings.VALKEY_URL)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(intake, "book", raising(KeyboardInterrupt))
        reader.run(once=True)
    intake.give_back_cells(reader.token)

    code, said = run()
    assert code == 0 and "60 waiting" in said

    reader = Reader(settings.VALKEY_URL)
    reader.run(once=True)
    code, said = run()
    assert code == 0 and "1 put aside" in said
    assert [line for line in said.splitlines() if "spent" in line] == []


def test_explains_a_late_event_that_was_charged_when_it_could_not_be_replayed(
    firm: Cast, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = event(firm)
    spoilt = record(cell_of(firm.firm.code), 1, one, settled=0, written_off=60, late=True)
    intake.put_aside([Spoilt(spoilt, "mended")], NOON)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(staging, "insert", raising(KeyboardInterrupt))
        call_command("replay_poison")

    code, said = run()
    assert code == 0 and "60 put aside" in said

    call_command("replay_poison", stdout=StringIO())
    code, said = run()
    assert code == 0 and "spent" not in said


def raising(error: type[BaseException]) -> Callable[..., None]:
    def killed(*args: Any, **how: Any) -> None:
        raise error

    return killed


def test_names_a_counter_that_nothing_explains(firm: Cast, valkey: redis.Redis) -> None:
    spend(firm, valkey, 1234)

    code, said = run()

    assert code == 1
    (row,) = [line for line in said.splitlines() if firm.firm.public_id in line]
    assert row.split()[-2:] == ["1,234", "1,234"]


def test_names_events_that_were_removed_unread(firm: Cast, valkey: redis.Redis) -> None:
    settle(firm, valkey, 1)
    valkey.xtrim(keys.events(cell_of(firm.firm.code)), maxlen=0, approximate=False)

    code, said = run()

    assert code == 1 and f"c{cell_of(firm.firm.code)}" in said


def test_compares_what_engines_counted(firm: Cast, valkey: redis.Redis) -> None:
    factories.catalogue()
    site = factories.site()
    EngineDay.objects.create(
        site=site, placement="plc_x", day=NOON.date(), tokens_in=100, tokens_out=90_000
    )

    code, said = run()

    assert code == 1 and "tokens out  daegu-1 plc_x 2026-11-16" in said


def test_repairs_through_the_publisher(firm: Cast, valkey: redis.Redis) -> None:
    """The cells are closed, whoever rebuilds opens them, and then all agree."""
    spend(firm, valkey, 1234)
    admission = Admission(valkey)

    def publisher() -> None:
        while all(admission.epochs()):
            pass
        restored = admission.restore(
            firm.firm.code,
            subject=firm.firm.public_id,
            month=str(Month.of(NOON)),
            spent_micro=0,
            committed_micro=None,
        )
        assert restored
        admission.open_cells(2)

    thread = threading.Thread(target=publisher, daemon=True)
    thread.start()
    code, said = run("--repair")
    thread.join(10)

    assert code == 0 and "0 unexplained" in said


def test_says_that_nobody_opens_the_cells(
    firm: Cast, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_usage, "REOPEN_SECONDS", 0.0)

    code, said = run("--repair")

    assert code == 3 and "does the publisher run" in said


def test_names_the_user_who_may_look(firm: Cast, valkey: redis.Redis, settings: Any) -> None:
    """What waits in the streams is not the portal's to read."""
    valkey.xadd(keys.events(cell_of(firm.firm.code)), fields(event(firm)))
    settings.VALKEY_URL = settings.VALKEY_URL.replace("//operator:", "//portal:")

    with pytest.raises(CommandError, match="--as publisher") as refused:
        call_command("reconcile_usage")

    assert refused.value.returncode == 2


def test_the_publishers_user_may_look(firm: Cast, settings: Any) -> None:
    settings.VALKEY_URL = settings.VALKEY_URL.replace("//operator:", "//publisher:")

    call_command("reconcile_usage", stdout=StringIO())
