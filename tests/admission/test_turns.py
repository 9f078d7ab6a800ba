"""Random sequences of calls over turns of months and of the year, against a model in integers.

The functions are run as text, by a clock of the test's own. After every call each counter is what
the model says, and no call has brought a hard budget above the amount that held at that call.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from portal.admission import calls, chain
from portal.lib import ids
from tests.admission.cell import CELL, GRANT, TAG, Cell, change, command_of_admit, month_in_seoul
from tests.admission.test_arithmetic import SEOUL, TEXT

YEARLY, RUNNING = "org_acme@year", "prj_one@bdg_one"
NAMES = ("org_acme", YEARLY, RUNNING)
LEASE_MS = 60_000


def at(*date_and_time: int) -> int:
    return int(datetime(*date_and_time, tzinfo=SEOUL).timestamp() * 1000)  # type: ignore[misc,arg-type]


TURNS = [at(2026, 12, 1), at(2027, 1, 1), at(2027, 2, 1)]
FALLS = at(2026, 12, 31, 23, 59, 58)  # the running budget's raise ends


@dataclass
class Limit:
    amount: int
    later: list[tuple[int, int]] = field(default_factory=list)
    number: int = 1

    def now(self, ms: int) -> int:
        found = self.amount
        for moment, amount in self.later:
            if ms >= moment:
                found = amount
        return found


@dataclass
class Hold:
    month: str
    worst: int
    until: int
    state: str = "open"
    charged: int = 0


@dataclass
class Model:
    chance: random.Random
    cell: Cell
    ms: int = at(2026, 11, 30, 23, 58)
    limits: dict[str, Limit] = field(
        default_factory=lambda: {
            "org_acme": Limit(1500),
            "org_acme@2026": Limit(2500),
            "org_acme@2027": Limit(1200),
            RUNNING: Limit(4500, [(FALLS, 3000)]),
        }
    )
    spent: dict[tuple[str, str], int] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    refused: int = 0
    admitted: int = 0

    def run(self, function: str, command: calls.Command) -> Any:
        """At the test's moment, which stands in a second key."""
        code = f"now_ms = function() return tonumber(KEYS[2]) end\nreturn {function}(KEYS, ARGV)"
        return self.cell.client.eval(f"{TEXT}\n{code}", 2, TAG, self.ms, *command[4:])

    def limit(self, name: str, month: str) -> Limit:
        return self.limits[chain.limit_name(name, int(month[:4]))]

    def held(self, name: str, period: str) -> int:
        kind = chain.kind_of(name)
        return sum(
            one.worst
            for one in self.holds.values()
            if one.state == "open" and chain.period_in(kind, one.month) == period
        )

    def used(self, name: str, period: str) -> int:
        return self.spent.get((name, period), 0) + self.held(name, period)

    def room(self, month: str) -> int:
        return min(
            self.limit(name, month).now(self.ms)
            - self.used(name, chain.period_in(chain.kind_of(name), month))
            for name in NAMES
        )

    def charge(self, month: str, amount: int) -> None:
        for name in NAMES:
            place = (name, chain.period_in(chain.kind_of(name), month))
            self.spent[place] = self.spent.get(place, 0) + amount

    # Calls: each does it to the cell and to the model, and compares the answers.

    def wait(self) -> None:
        """A moment, or up to the next turn: a millisecond before it, or on it."""
        ahead = [turn for turn in (*TURNS, FALLS) if turn > self.ms]
        if ahead and self.chance.random() < 0.3:
            self.ms = max(self.ms, min(ahead) - self.chance.choice([0, 1, 900]))
        else:
            self.ms += self.chance.choice([1, 500, 20_000, 70_000])

    def admit(self) -> None:
        worst, month = self.chance.choice([0, 1, 120, 300, 700]), month_in_seoul(self.ms)
        born, minted = f"{self.ms:012x}", ids.mint_request_id()
        request = f"{born[:8]}-{born[8:]}{minted[13:]}"
        command = command_of_admit(
            request_id=request, tokens_in=0, tokens_out=worst, grant_number=11
        )

        reply = self.run("admit", command)

        if worst > self.room(month):
            self.refused += 1
            assert reply[:2] == [b"no", b"budget_exceeded"]
            return
        assert reply[0] == b"ok"
        assert reply[1].split(b" ")[1].decode() == month
        self.admitted += 1
        self.holds[request] = Hold(month, worst, self.ms + LEASE_MS)
        assert self.room(month) >= 0  # nothing is above what holds now

    def settle(self) -> None:
        known = [name for name, one in self.holds.items() if one.state in ("open", "expired")]
        if not known:
            return
        request = self.chance.choice(known)
        hold, cost = self.holds[request], self.chance.choice([0, 1, 100, 300, 900])
        charged = min(cost, hold.worst)
        if hold.state == "expired":
            charged = min(cost, max(0, self.room(hold.month)))

        reply = self.run(
            "settle", calls.settle(CELL, request_id=request, cost_micro=cost, event=b"e")
        )

        assert reply == [b"settled", b"%d" % charged]
        hold.state, hold.charged = "settled", charged
        self.charge(hold.month, charged)

    def release(self) -> None:
        known = [name for name, one in self.holds.items() if one.state == "open"]
        if known:
            request = self.chance.choice(known)
            assert self.run("release", calls.release(CELL, request)) == b"released"
            self.holds[request].state = "released"

    def expire(self) -> None:
        over = [one for one in self.holds.values() if one.state == "open" and one.until <= self.ms]

        assert self.run("expire", calls.expire(CELL)) == len(over)

        for one in over:
            one.state = "expired"

    def set_limit(self) -> None:
        name = self.chance.choice(list(self.limits))
        before, amount = self.limits[name], self.chance.randrange(0, 4000)
        later = [(self.ms + 50_000, amount // 2)] if self.chance.random() < 0.3 else []
        after = Limit(amount, later, before.number + 1)
        used = self.most_used(name)

        reply = self.run(
            "set_limit",
            calls.set_limit(
                CELL,
                subject=name,
                limit_micro=amount,
                hard=True,
                number=after.number,
                later=later,
            ),
        )

        lowers = after.now(self.ms) < used and after.now(self.ms) < before.now(self.ms)
        assert reply[:2] == ([b"no", b"below_used"] if lowers else [b"ok", b"set"])
        if not lowers:
            self.limits[name] = after

    def most_used(self, limit_name: str) -> int:
        if limit_name == "org_acme":
            month = month_in_seoul(self.ms)
            return max(
                [self.used(limit_name, one) for one in self.months() if one >= month], default=0
            )
        if limit_name == RUNNING:
            return self.used(RUNNING, "running")
        return self.used(YEARLY, limit_name.rpartition("@")[2])

    def months(self) -> set[str]:
        return {one.month for one in self.holds.values()}

    def check(self) -> None:
        for month in self.months():
            for name in NAMES:
                period = chain.period_in(chain.kind_of(name), month)
                now = self.cell.standing(name, month)
                assert (now.spent, now.held) == (
                    self.spent.get((name, period), 0),
                    self.held(name, period),
                ), (name, period)


DEEDS = [
    (Model.admit, 10),
    (Model.settle, 6),
    (Model.wait, 4),
    (Model.release, 1),
    (Model.expire, 3),
    (Model.set_limit, 2),
]


@pytest.mark.parametrize("seed", range(6))
def test_no_sequence_over_turns_exceeds_a_limit(valkey_url: str, seed: int) -> None:
    cell = Cell(valkey_url).prepare(change(GRANT, number=11, budgets=("org_acme",)))
    cell.publish(change(GRANT, number=12, budgets=NAMES))
    model = Model(random.Random(seed), cell)
    for name, limit in model.limits.items():
        cell.admission.set_limit(
            "acme0000",
            subject=name,
            limit_micro=limit.amount,
            hard=True,
            number=1,
            later=limit.later,
        )
    names, weights = zip(*DEEDS, strict=True)

    for _ in range(200):
        model.chance.choices(names, weights)[0](model)
        model.check()

    assert model.admitted > 20
    assert model.refused > 5
    assert len(model.months()) >= 2
    for request, hold in model.holds.items():
        if hold.state == "open":
            cell.release(request)
            hold.state = "released"
    model.check()  # holds come back to zero, each in its own period
    cell.close()
