"""What is done for all at once is done in pieces, and for all of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portal.admission import calls
from portal.admission.calls import AdmissionUnavailable
from portal.gateway import leases, upstream
from portal.gateway.exchange import Deadlines, Exchange, SiteFailed
from portal.gateway.gateway import Gateway
from portal.gateway.leases import EXPIRE_AT_ONCE, RENEW_AT_ONCE
from portal.gateway.outbox import Outbox
from portal.gateway.upstream import LOOK_AT_ONCE, Pool
from portal.lib.ids import CELLS


class Asked:
    """A Valkey that remembers what it was asked, and how much of it at once."""

    def __init__(self, *, fails: bool = False) -> None:
        self.commands: list[Any] = []
        self.most = self._now = 0
        self._fails = fails

    async def ask(self, command: Any, seconds: float) -> list[bytes]:
        self.commands.append(command)
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if self._fails:
            raise AdmissionUnavailable("away")
        return []


@pytest.mark.parametrize("fails", [False, True])
async def test_leases_of_every_cell_are_ended_a_few_cells_at_a_time(fails: bool) -> None:
    valkey = Asked(fails=fails)

    await leases.expire(cast(Gateway, SimpleNamespace(valkey=valkey)))

    assert valkey.commands == [calls.expire(cell) for cell in range(CELLS)]
    assert valkey.most == EXPIRE_AT_ONCE


async def test_a_server_that_hangs_holds_up_the_second_s_work_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Demand is told by the same loop: it may not wait a second for each few cells."""
    monkeypatch.setattr(leases, "EXPIRE_SECONDS", 0.02)
    monkeypatch.setattr(leases, "LEAST_SECONDS", 0.001)
    given: list[float] = []

    async def hang(command: Any, seconds: float) -> None:
        given.append(seconds)
        await asyncio.sleep(seconds)
        raise AdmissionUnavailable("hangs")

    await leases.expire(cast(Gateway, SimpleNamespace(valkey=SimpleNamespace(ask=hang))))

    assert len(given) == CELLS
    assert max(given[:EXPIRE_AT_ONCE]) > 0.001
    assert set(given[2 * EXPIRE_AT_ONCE :]) == {0.001}


async def test_what_ended_in_a_turn_between_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "LOOK_SECONDS", 0)
    loop = asyncio.get_running_loop()
    pool = Pool(Outbox())
    past = Deadlines(1, 1, 1, loop.time() - 1)
    looked_at = [Exchange(loop, past, pool._live) for _ in range(2 * LOOK_AT_ONCE)]
    keeping = asyncio.create_task(pool.keep_time())
    while len(pool._live) > LOOK_AT_ONCE:  # noqa: ASYNC110 - turn by turn
        await asyncio.sleep(0)
    left = [one for one in looked_at if one in pool._live]

    for one in left:
        one.close()
    for _ in range(5):
        await asyncio.sleep(0)
    keeping.cancel()

    assert len(left) == LOOK_AT_ONCE and all(one._failure is None for one in left)


async def test_every_hold_is_renewed_a_few_at_a_time() -> None:
    valkey = Asked()
    count = 2 * RENEW_AT_ONCE + 1
    held = {f"req_{n}": SimpleNamespace(cell=n % 2, leased_ms=0) for n in range(count)}

    await leases.renew(cast(Gateway, SimpleNamespace(valkey=valkey, open=held)))

    assert all(one.leased_ms > 0 for one in held.values())
    assert len(valkey.commands) == 3 and valkey.most == 1


async def test_every_exchange_is_ended_in_time_and_others_have_their_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream, "LOOK_SECONDS", 0)
    loop = asyncio.get_running_loop()
    pool = Pool(Outbox())
    past = Deadlines(1, 1, 1, loop.time() - 1)
    ended: list[int] = []
    looked_at = [Exchange(loop, past, pool._live) for _ in range(3 * LOOK_AT_ONCE)]
    keeping = asyncio.create_task(pool.keep_time())

    while pool._live:
        await asyncio.sleep(0)
        ended.append(len(looked_at) - len(pool._live))
    keeping.cancel()

    assert {LOOK_AT_ONCE, 2 * LOOK_AT_ONCE} <= set(ended)
    with pytest.raises(SiteFailed):
        await looked_at[-1].head()
