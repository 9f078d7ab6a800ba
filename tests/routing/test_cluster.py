"""Publisher and intake over three primaries: the fence closes what a server may have lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from billing import budgets
from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission, connect
from portal.lib import ids
from portal.lib.ids import CELLS, cell_of
from portal.lib.money import MICRO
from portal.routing import fence, table
from portal.routing.publish import Publisher
from portal.usage import events, intake
from portal.usage.models import LedgerEntry
from portal.usage.reader import Reader
from tenants import rls
from tests import factories
from tests.admission.cluster import PRIMARIES, ClusterOfThree
from tests.factories import NOON
from tests.routing.conftest import Rows

LATER = NOON + timedelta(seconds=1)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterOfThree]:
    found = ClusterOfThree(tmp_path_factory.mktemp("cluster"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def three(started: ClusterOfThree, settings: Any) -> Iterator[ClusterOfThree]:
    """Empty, and what the programs are told to use."""
    for node in started.nodes:
        node.client.flushall()
        node.client.function_flush()
    settings.VALKEY_URL = started.url("portal")
    budgets.admission.cache_clear()
    yield started
    budgets.admission.cache_clear()


@pytest.fixture
def publisher(
    three: ClusterOfThree, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    monkeypatch.setattr(fence, "DRAIN_SECONDS", 0.1)
    client = connect(three.url("publisher"))
    yield Publisher(Admission(client))
    client.close()


def index(publisher: Publisher) -> table.TableIndex:
    raw: Any = publisher.admission.client.get(keys.ROUTE_INDEX)
    return table.decode_index(raw)


def spent(publisher: Publisher, rows: Rows) -> int:
    found = publisher.admission.standing(
        rows.firm.code, subject=rows.firm.public_id, month="2026-11"
    )
    assert found is not None
    return found.spent


def test_opens_each_cell_for_its_server(
    publisher: Publisher, three: ClusterOfThree, rows: Rows
) -> None:
    taken = publisher.turn(now=NOON)

    assert publisher.admission.epochs() == [taken.number] * CELLS
    runs = [node.run_id() for node in three.nodes]
    assert index(publisher).fences == {
        f"c{cell}": (runs[three.node_of(cell)], taken.number) for cell in range(CELLS)
    }
    assert set(index(publisher).parts) == {rows.shared.public_id, rows.own.public_id}


def test_stops_publishing_what_stopped(
    publisher: Publisher, three: ClusterOfThree, rows: Rows
) -> None:
    publisher.turn(now=NOON)
    with rls.everyone(because="test set-up"):
        type(rows.own).objects.filter(pk=rows.own.pk).update(stopped_at=NOON)

    publisher.turn(now=LATER)

    assert set(index(publisher).parts) == {rows.shared.public_id}
    with connect(three.url()) as client:
        assert client.hkeys(keys.ROUTE_PARTS) == [rows.shared.public_id.encode()]


def test_a_restart_that_no_publisher_saw_is_seen_by_the_next(
    publisher: Publisher, three: ClusterOfThree
) -> None:
    before = publisher.turn(now=NOON)
    three.nodes[1].kill()
    three.nodes[1].start()
    three.wait()
    other = Publisher(Admission(connect(three.url("publisher"))))

    after = other.turn(now=LATER)

    cells = set(three.cells_of(1))
    epochs = [after.number if cell in cells else before.number for cell in range(CELLS)]
    assert other.admission.epochs() == epochs


def test_grants_that_no_row_knows_go_where_they_may_be_of_an_older_copy(
    publisher: Publisher, three: ClusterOfThree
) -> None:
    """Elsewhere another publisher may have told them by a newer look."""
    publisher.turn(now=NOON)
    names = [f"{keys.tag(three.cells_of(number)[0])}:grant:{'f' * 64}" for number in range(2)]
    for name in names:
        publisher.admission.client.hset(name, "number", 1)
    publisher.admission.client.delete(keys.epoch(three.cells_of(0)[0]))

    publisher.turn(now=LATER)

    assert [publisher.admission.client.exists(name) for name in names] == [0, 1]


@pytest.mark.parametrize("mine", [True, False])
def test_a_restart_of_one_server_closes_its_cells_alone(
    publisher: Publisher, three: ClusterOfThree, rows: Rows, mine: bool
) -> None:
    """``mine``: the firm's own cell is there, and its counter comes back from the ledger."""
    before = publisher.turn(now=NOON)
    factories.ledger_entry(rows.project, settled_micro=5 * MICRO)
    number = (three.node_of(cell_of(rows.firm.code)) + (0 if mine else 1)) % PRIMARIES
    node = three.nodes[number]

    node.kill()
    with pytest.raises(AdmissionUnavailable):
        publisher.turn(now=LATER)
    node.start()
    three.wait()
    after = publisher.turn(now=LATER)

    cells = set(three.cells_of(number))
    epochs = [after.number if cell in cells else before.number for cell in range(CELLS)]
    assert publisher.admission.epochs() == epochs
    fences = index(publisher).fences
    assert {fences[f"c{cell}"] for cell in cells} == {(node.run_id(), after.number)}
    assert spent(publisher, rows) == (5 * MICRO if mine else 0)


def test_a_cell_without_epoch_closes_all_of_its_server(
    publisher: Publisher, three: ClusterOfThree, rows: Rows
) -> None:
    """Who lost one may have lost others' holds."""
    before = publisher.turn(now=NOON)
    cells = three.cells_of(1)
    publisher.admission.client.delete(keys.epoch(cells[0]))

    after = publisher.turn(now=LATER)

    epochs = publisher.admission.epochs()
    assert {epochs[cell] for cell in cells} == {after.number}
    assert {epochs[cell] for cell in three.cells_of(2)} == {before.number}


def test_keeps_cells_open_when_only_the_publisher_restarts(
    publisher: Publisher, three: ClusterOfThree
) -> None:
    publisher.turn(now=NOON)
    other = Publisher(Admission(connect(three.url("publisher"))))

    other.turn(now=LATER)

    assert other.fences == publisher.fences


# ─── intake ────────────────────────────────────────────────────────────────────────────────────


def settled(rows: Rows, number: int) -> dict[Any, Any]:
    at_ms = int(NOON.timestamp() * 1000)
    event = factories.event_of(
        rows.key,
        request_id=ids.mint_request_id(at_ms + number),
        admitted_at_ms=at_ms,
        hold_micro=10,
        cost_micro=10,
    )
    told = {"settled_micro": 10, "written_off_micro": 0, "late": 0}
    return {"event": events.encode(event), **told}


def booked(rows: Rows) -> int:
    with rls.tenant(rows.firm.pk):
        return LedgerEntry.objects.count()


def run(three: ClusterOfThree) -> None:
    reader = Reader(three.url("intake"))
    reader.run(once=True)
    intake.give_back_cells(reader.token)


def waiting(three: ClusterOfThree) -> list[int]:
    streams = [keys.events(three.cells_of(number)[0]) for number in range(PRIMARIES)]
    return [three.nodes[number].client.xlen(name) for number, name in enumerate(streams)]


def test_intake_books_from_all_servers(three: ClusterOfThree, rows: Rows) -> None:
    for number in range(PRIMARIES):
        name = keys.events(three.cells_of(number)[0])
        for one in range(3):
            three.nodes[number].client.xadd(name, settled(rows, 10 * number + one))

    run(three)

    assert booked(rows) == 9
    assert waiting(three) == [0, 0, 0]


def test_intake_books_the_others_while_a_server_is_away(three: ClusterOfThree, rows: Rows) -> None:
    for number in range(PRIMARIES):
        name = keys.events(three.cells_of(number)[0])
        three.nodes[number].client.xadd(name, settled(rows, number))
    three.nodes[2].kill()
    try:
        run(three)
        assert booked(rows) == 2
    finally:
        three.nodes[2].start()
        three.wait()

    run(three)

    assert booked(rows) == 3
    assert waiting(three) == [0, 0, 0]
