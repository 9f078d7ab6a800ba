"""Random sequences of calls against a small model in Python integers.

After every call: no hard budget is over its limit, what is held is the sum of the open holds and
reservations, and there is one event for each settlement.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from portal.admission.calls import Refused
from portal.lib import ids
from tests.admission.cell import GRANT, Cell, change

YEARLY, RUNNING = "org_acme@year", "prj_b@bdg_b"
CHAINS = {
    "a" * 64: ("org_acme", "prj_a", "key_a", YEARLY),
    "b" * 64: ("org_acme", "prj_b", YEARLY, RUNNING),
}
LIMITS = {"org_acme": 1000, "prj_a": 600, "prj_b": 700, "key_a": 0, YEARLY: 1100, RUNNING: 650}
SOFT = "key_a"
CONCURRENCY = 9


@dataclass
class Hold:
    chain: tuple[str, ...]
    worst: int
    state: str = "open"
    charged: int = 0


@dataclass
class Order:
    chain: tuple[str, ...]
    amount: int
    state: str = "held"


@dataclass
class Model:
    """What must be true, in the simplest words."""

    chance: random.Random
    cell: Cell
    limits: dict[str, int] = field(default_factory=lambda: dict(LIMITS))
    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0))
    holds: dict[str, Hold] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    events: int = 0
    number: int = 1
    refused: int = 0

    def held(self, subject: str) -> int:
        return sum(
            one.worst for one in self.holds.values() if one.state == "open" and subject in one.chain
        ) + sum(
            one.amount
            for one in self.orders.values()
            if one.state == "held" and subject in one.chain
        )

    def committed(self, subject: str) -> int:
        return sum(
            one.amount
            for one in self.orders.values()
            if one.state == "committed" and subject in one.chain
        )

    def used(self, subject: str) -> int:
        return self.spent[subject] + self.committed(subject) + self.held(subject)

    def room(self, chain: tuple[str, ...]) -> int:
        return min(
            self.limits[subject] - self.used(subject) for subject in chain if subject != SOFT
        )

    def open_of(self, chain: tuple[str, ...]) -> int:
        return sum(one.state == "open" and one.chain == chain for one in self.holds.values())

    def known(self, states: tuple[str, ...]) -> str | None:
        found = [name for name, one in self.holds.items() if one.state in states]
        return self.chance.choice(found) if found else None

    def charge(self, chain: tuple[str, ...], amount: int) -> None:
        for subject in chain:
            self.spent[subject] += amount

    # Calls: each does it to the cell and to the model, and compares the answers.

    def admit(self) -> None:
        sha, chain = self.chance.choice(list(CHAINS.items()))
        worst = self.chance.choice([0, 1, 50, 200, 400])
        request = ids.mint_request_id()
        fits, place = worst <= self.room(chain), self.open_of(chain) < CONCURRENCY
        for _ in range(self.chance.choice([1, 1, 2])):  # sometimes repeated
            try:
                self.cell.admit(request_id=request, sha256=sha, tokens_in=0, tokens_out=worst)
            except Refused as refusal:
                self.refused += 1
                assert refusal.reason == ("concurrency" if not place else "budget_exceeded")
                assert not (fits and place)
                return
            assert fits
            assert place
        self.holds[request] = Hold(chain, worst)

    def settle(self) -> None:
        request = self.known(("open", "expired", "settled", "released")) or ids.mint_request_id()
        cost = self.chance.choice([0, 1, 50, 199, 300, 700])
        hold = self.holds.setdefault(request, Hold((), 0, "unknown"))
        expected = ("settled", 0)
        if hold.state == "open":
            expected = ("settled", min(cost, hold.worst))
        elif hold.state == "expired":
            expected = ("settled", min(cost, max(0, self.room(hold.chain))))
        elif hold.state == "settled":
            expected = ("repeated", hold.charged)
        else:
            expected = ("late", 0)

        assert self.cell.settle(request, cost) == expected

        if hold.state != "settled":
            hold.state, hold.charged = "settled", expected[1]
            self.charge(hold.chain, expected[1])
            self.events += 1

    def release(self) -> None:
        request = self.known(("open", "expired", "settled", "released")) or ids.mint_request_id()
        hold = self.holds.setdefault(request, Hold((), 0, "unknown"))
        expected = {"open": "released"}.get(hold.state, hold.state)

        assert self.cell.release(request) == expected

        if hold.state in ("open", "unknown"):
            hold.state = "released"

    def expire(self) -> None:
        over = [
            name
            for name, one in self.holds.items()
            if one.state == "open" and self.chance.random() < 0.3
        ]
        self.cell.lapse(*over)
        spared = over.pop() if over and self.chance.random() < 0.5 else None
        if spared:
            assert self.cell.renew(spared) == []

        assert self.cell.expire() == len(over)

        for name in over:
            self.holds[name].state = "expired"

    def renew(self) -> None:
        some = self.chance.sample(list(self.holds), min(5, len(self.holds)))
        if some:
            refused = [one for one in some if self.holds[one].state != "open"]
            assert self.cell.renew(*some) == refused

    def reserve(self) -> None:
        reference = f"ord_{self.chance.randrange(30)}"
        chain = self.chance.choice(list(CHAINS.values()))
        amount = self.chance.choice([1, 30, 150])
        fits = reference in self.orders or amount <= self.room(chain)
        try:
            self.cell.reserve(reference, amount, chain)
        except Refused as refusal:
            assert refusal.reason == "budget_exceeded"
            assert not fits
            return
        assert fits
        self.orders.setdefault(reference, Order(chain, amount))

    def commit(self) -> None:
        if not self.orders:
            return
        reference = self.chance.choice(list(self.orders))
        order = self.orders[reference]
        amount = self.chance.randrange(0, order.amount + 1)  # never more than was reserved
        self.cell.commit(reference, amount, order.chain)
        order.amount, order.state = amount, "committed"

    def unreserve(self) -> None:
        reference = f"ord_{self.chance.randrange(30)}"
        order = self.orders.get(reference)
        expected = "unknown" if order is None else order.state
        assert self.cell.unreserve(reference) == ("released" if expected == "held" else expected)
        if expected == "held":
            del self.orders[reference]

    def charge_late(self) -> None:
        request = f"late-{self.chance.randrange(40)}"
        chain = self.chance.choice(list(CHAINS.values()))
        cost = self.chance.choice([1, 100, 500])
        new = request not in self.late
        expected = min(cost, max(0, self.room(chain))) if new else self.late[request]

        assert self.cell.charge_late(request, cost, chain) == expected

        if new:
            self.late[request] = expected
            self.charge(chain, expected)

    def set_limit(self) -> None:
        subject = self.chance.choice([one for one in LIMITS if one != SOFT])
        limit = LIMITS[subject] + self.chance.randrange(-300, 2000)
        self.number += 1
        try:
            self.cell.limit(self.cell.limit_name(subject), limit, number=self.number)
        except Refused as refusal:
            assert (refusal.reason, refusal.left) == ("below_used", self.used(subject))
            assert limit < self.used(subject)
            return
        assert limit >= self.used(subject)
        self.limits[subject] = limit

    def check(self) -> None:
        opened = {name for name, one in self.holds.items() if one.state == "open"}
        for subject in LIMITS:
            now = self.cell.standing(subject)
            assert (now.spent, now.committed, now.held) == (
                self.spent[subject],
                self.committed(subject),
                self.held(subject),
            )
            assert not now.hard or now.left >= 0, "overspent"
        assert self.cell.leases() == opened
        assert len(self.cell.events()) == self.events


CALLS: list[tuple[Callable[[Model], None], int]] = [
    (Model.admit, 12),
    (Model.settle, 7),
    (Model.release, 2),
    (Model.expire, 2),
    (Model.renew, 1),
    (Model.reserve, 2),
    (Model.commit, 2),
    (Model.unreserve, 2),
    (Model.charge_late, 1),
    (Model.set_limit, 2),
]


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_calls_keeps_the_sums_right(valkey_url: str, seed: int) -> None:
    cell = Cell(valkey_url)
    for sha, chain in CHAINS.items():
        grant = change(GRANT, budgets=chain, key=f"key_{sha[0]}", concurrency=CONCURRENCY)
        cell.prepare(grant, sha=sha)
    for subject, limit in LIMITS.items():
        cell.limit(cell.limit_name(subject), limit, hard=subject != SOFT)
    model = Model(random.Random(seed), cell)
    names, weights = zip(*CALLS, strict=True)

    for _ in range(300):
        model.chance.choices(names, weights)[0](model)
        model.check()

    assert model.refused > 5
    assert model.events > 20
    for name, hold in model.holds.items():
        if hold.state == "open":
            cell.release(name)
            hold.state = "released"
    model.check()  # holds come back to zero
    assert cell.busy() == 0
    cell.close()
