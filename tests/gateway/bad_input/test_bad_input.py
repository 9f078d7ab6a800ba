"""Bad input over a real socket: the right words, no site is asked, no money moves, nothing leaks.

Every row is sent as bytes to one gateway that goes on living. After each: the status and code in
OpenAI's form; the connection closed or not; the gateway alive; no request at the site and no usage
event but those that are due; every hold back at zero; no traceback, and the key in neither the log
nor the answer.
"""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.gateway.bad_input import authority, bodies, framing, own_fields, own_framing
from tests.gateway.bad_input.conftest import Scene
from tests.gateway.bad_input.row import ANY, Row
from tests.gateway.bad_input.wire import Wire
from tests.gateway.world import wait_until

CATALOGUE = [*framing.FRAMING, *bodies.JSON, *bodies.FIELDS, *authority.AUTHORITY]
OWN = [
    *own_framing.LINES,
    *own_framing.PATHS,
    *own_framing.HEADERS,
    *own_framing.CHUNKS,
    *own_framing.BEHIND,
    *own_fields.KINDS,
    *own_fields.TEXTS,
    *own_fields.NUMBERS,
    *own_fields.NAMES,
    *own_fields.TOOLS,
    *own_fields.EMBEDDINGS,
    *own_fields.OTHERS,
    *own_fields.IDEMPOTENCY,
]
ROWS = [*CATALOGUE, *OWN]

# Cases that are stories: what they are shown by.
STORIES = {
    17: "tests.gateway.test_failing.test_cuts_off_a_client_that_takes_nothing",
    18: "tests.gateway.test_failing.test_charges_nothing_when_the_client_leaves_first",
    19: "tests.gateway.test_keys.test_believes_no_address_that_the_client_writes",
    30: "tests.gateway.bad_input.test_sites.test_passes_on_what_only_looks_like_the_end",
    31: "tests.gateway.bad_input.test_sites.test_passes_on_letters_that_come_in_halves",
    52: "tests.gateway.bad_input.test_sites.test_refuses_a_revoked_key_on_a_kept_connection",
}


def test_has_every_case_of_the_catalogue() -> None:
    in_table = {int(found[0]) for row in CATALOGUE if (found := re.match(r"\d+", row.number))}

    assert in_table | STORIES.keys() == set(range(1, 56))
    assert len({row.number for row in ROWS}) == len(ROWS)
    assert len(OWN) >= 30
    for place in STORIES.values():
        module, _, name = place.rpartition(".")
        assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.number} {row.what}" for row in ROWS])
def test_refuses_bad_input(scene: Scene, row: Row) -> None:
    scene.note()

    with Wire(scene.gateway.port) as wire:
        row.play(wire, scene.world.key)
        statuses, found = [], None
        for last in (*[False] * len(row.before), True):
            found = wire.answer(head=row.head and last)
            statuses.append(found and found.status)
        is_open = wire.is_open()

    assert statuses == [*row.before, row.status], wire.all[:2000]
    assert found is not None
    if row.status >= 400 and not row.head:
        assert found.headers["content-type"] == "application/json"
        assert row.code in (ANY, found.error["code"]), found.error
        assert row.param in (None, found.error["param"]), found.error
    assert is_open is not row.closed
    _check_nothing_else(scene, row, wire)


def _check_nothing_else(scene: Scene, row: Row, wire: Wire) -> None:
    """What must hold after every row, whatever it was."""
    world, engine = scene.world, scene.site.engine
    assert scene.gateway.get("/health")[0] == 200
    wait_until(lambda: world.held() == 0 and len(world.events()) >= scene.events + row.events)
    assert len(world.events()) == scene.events + row.events
    assert len(engine.heard) == scene.heard + row.heard
    if row.site is not None:
        assert engine.heard[-1].body.items() >= row.site.items()
    log = scene.log()
    assert "Traceback" not in log and "request.failed" not in log, log
    secret = world.key.rpartition("_")[2]
    assert secret not in log
    assert secret.encode() not in wire.all
    assert secret not in str([heard.headers for heard in engine.heard[scene.heard :]])
