"""One organization's cell in a real Valkey, with a key that may call one model.

Prices are one micro-won per token, so that a worst case of 300 tokens holds 300 micro-won.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from portal.admission import calls, chain, keys, sync
from portal.admission.calls import Admitted, BudgetStanding
from portal.admission.grants import Grant, ModelGrant
from portal.admission.pipelined import Connection
from portal.lib import ids
from tests.admission import counters

ORG_CODE = "acme0000"
CELL = ids.cell_of(ORG_CODE)
TAG = keys.tag(CELL)
EPOCH = 7
SHA = "a" * 64
ONE_MICRO = 1_000_000  # price of a token: one micro-won
WON = 1_000_000

MODEL = ModelGrant(
    endpoint="ep_one",
    model="smollm2",
    kind="chat",
    price_in=ONE_MICRO,
    price_cached=ONE_MICRO,
    price_out=ONE_MICRO,
    price_version="price_one",
)
GRANT = Grant(
    number=10,
    organization="org_acme",
    org_code=ORG_CODE,
    project="prj_one",
    key="key_one",
    mode="live",
    models={"smollm2": MODEL},
    sites=("daegu-1",),
    data_class="open",
    rpm=100_000,
    concurrency=100_000,
    budgets=("org_acme", "prj_one"),
)


def change(grant: Grant, **changes: Any) -> Grant:
    """The grant with other fields."""
    return msgspec.structs.replace(grant, **changes)


def command_of_admit(**changes: Any) -> calls.Command:
    """An admit of 100 tokens in and 200 out, worst case 300 micro-won."""
    arguments: dict[str, Any] = {
        "epoch": EPOCH,
        "sha256": SHA,
        "request_id": ids.mint_request_id(),
        "model": "smollm2",
        "tokens_in": 100,
        "tokens_out": 200,
        "grant_number": 10,
        "kind": "chat",
    } | changes
    return calls.admit(CELL, **arguments)


class Cell:
    """Calls with their answers read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: Any = sync.connect(url, timeout_seconds=2)
        self.admission = sync.Admission(self.client)

    def prepare(self, grant: Grant = GRANT, limit: int = 1000, sha: str = SHA) -> Cell:
        """Open the cell, publish the grant, and give each budget of its chain a hard limit."""
        self.admission.load_functions()
        self.ask(calls.open_cell(CELL, EPOCH))
        self.publish(grant, sha=sha)
        for name in grant.budgets:
            self.limit(self.limit_name(name), limit)
        return self

    def ask(self, command: calls.Command) -> Any:
        return self.client.execute_command(*command)

    def publish(self, grant: Grant, *, sha: str = SHA, revoked: bool = False) -> bytes:
        reply: bytes = self.ask(calls.publish_grant(CELL, sha256=sha, grant=grant, revoked=revoked))
        return reply

    def limit(self, subject: str, micro: int, *, hard: bool = True, number: int = 1) -> None:
        self.admission.set_limit(
            ORG_CODE, subject=subject, limit_micro=micro, hard=hard, number=number
        )

    def limit_name(self, name: str) -> str:
        """Of a budget's limit now."""
        return chain.limit_name(name, int(self.month()[:4]))

    def admit(self, **changes: Any) -> Admitted:
        return calls.read_admitted(self.ask(command_of_admit(**changes)))

    def hold(self, worst: int, **changes: Any) -> str:
        """Admit this worst case; the request's id."""
        request_id = ids.mint_request_id()
        self.admit(request_id=request_id, tokens_in=0, tokens_out=worst, **changes)
        return request_id

    def settle(self, request_id: str, cost: int, event: bytes = b"event") -> tuple[str, int]:
        """(settled, late or repeated; what was charged)."""
        reply = self.ask(calls.settle(CELL, request_id=request_id, cost_micro=cost, event=event))
        return reply[0].decode(), int(reply[1])

    def release(self, request_id: str) -> str:
        return str(self.ask(calls.release(CELL, request_id)).decode())

    def renew(self, *request_ids: str) -> list[str]:
        """Those that were refused."""
        return [raw.decode() for raw in self.ask(calls.renew(CELL, request_ids))]

    def lapse(self, *request_ids: str) -> None:
        """Let leases run out now, as if a minute had passed."""
        for request_id in request_ids:
            self.client.zadd(f"{TAG}:leases", {request_id: 1}, xx=True)

    def expire(self) -> int:
        return int(self.ask(calls.expire(CELL)))

    def reserve(
        self, reference: str, amount: int, subjects: Sequence[str] = GRANT.budgets, month: str = ""
    ) -> None:
        calls.read_reserved(
            self.ask(
                calls.reserve(
                    CELL,
                    reference=reference,
                    month=month or self.month(),
                    amount_micro=amount,
                    subjects=subjects,
                )
            )
        )

    def commit(
        self, reference: str, amount: int, subjects: Sequence[str] = GRANT.budgets, month: str = ""
    ) -> None:
        self.admission.commit(
            ORG_CODE,
            reference=reference,
            month=month or self.month(),
            amount_micro=amount,
            subjects=list(subjects),
        )

    def unreserve(self, reference: str) -> str:
        command = calls.unreserve(CELL, reference=reference, month=self.month())
        return str(self.ask(command).decode())

    def charge_late(
        self, request_id: str, cost: int, subjects: Sequence[str] = GRANT.budgets
    ) -> int:
        return self.admission.charge_late(
            CELL,
            request_id=request_id,
            cost_micro=cost,
            month=self.month(),
            subjects=list(subjects),
        )

    def month(self) -> str:
        seconds, _ = self.client.time()
        return month_in_seoul(seconds * 1000)

    def standing(self, subject: str = "org_acme", month: str = "") -> BudgetStanding:
        found = self.admission.standing(ORG_CODE, subject=subject, month=month or self.month())
        assert found is not None
        return found

    def used(self, subject: str = "org_acme") -> tuple[int, int, int]:
        """(spent, committed, held)."""
        now = self.standing(subject)
        return now.spent, now.committed, now.held

    def events(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.client.xrange(keys.events(CELL))]

    def orphans(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.client.xrange(keys.orphans(CELL))]

    def busy(self) -> int:
        return counters.use(self.client, CELL, "key_one", self.month())[3]

    def window(self) -> tuple[int, int, int]:
        """(minute, its requests, its tokens) of the key."""
        return counters.use(self.client, CELL, "key_one", self.month())[:3]

    def set_window(self, minute: int, *, requests: int = 0, tokens: int = 0) -> None:
        """As if the key had been used in this minute."""
        use = (minute, requests, tokens, self.busy())
        counters.set_use(self.client, CELL, "key_one", self.month(), use)

    def minute(self) -> int:
        """The server's clock minute."""
        return int(self.client.time()[0]) // 60

    def leases(self) -> set[str]:
        return {raw.decode() for raw in self.client.zrange(f"{TAG}:leases", 0, -1)}

    def close(self) -> None:
        self.client.close()


async def connected(connection: Connection, *, start: bool = True) -> Connection:
    """Started, and connected within ten seconds."""
    if start:
        await connection.start()
    async with asyncio.timeout(10):
        while not connection.connected:  # noqa: ASYNC110 - seen from outside, as a gateway sees it
            await asyncio.sleep(0.01)
    return connection


def month_in_seoul(ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.astimezone(ZoneInfo("Asia/Seoul")).strftime("%Y-%m")
