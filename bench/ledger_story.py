"""One seed's story for ``bench.simulate_ledger``: an organization, what it does, what must hold.

Everything is decided by the seed. The admission Valkey has its own clock, so holds are of the real
month; the entries are of the story's days, under request ids of those days. What should have
happened is kept beside in plain integers and fractions, and compared after every step.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bench import ledger_checks
from bench.dying import Place
from bench.ledger_checks import Broken
from billing import accruals, books, invoices, receivables
from billing.models import (
    InvoiceKind,
    Source,
    TokenTariff,
)
from billing.payments import bookings
from portal.admission import calls
from portal.admission.calls import Refused
from portal.admission.grants import Grant, ModelGrant
from portal.admission.keys import tag
from portal.admission.sync import Admission
from portal.lib import ids
from portal.lib.money import MICRO, ceil_micro, token_price_to_micro
from portal.lib.periods import Month
from portal.usage import events
from tenants import actors, rls
from tests import factories

EPOCH = 1
BEGIN = datetime(2026, 1, 5, 3, tzinfo=UTC)
MOST_TOKENS = 3_000
USES_CREDIT = 0.7  # as the sweep does after an invoice; else it is somebody's later


@dataclass
class Hold:
    """A request that was let in."""

    key: int
    worst: int
    tokens: tuple[int, int]
    at: datetime
    price: TokenTariff
    event_id: str
    state: str = "open"  # or lapsed
    event: bytes = b""  # of its settlement, once there is one
    cost: int = 0


@dataclass
class Entry:
    """What the ledger must have of one answer, once intake has come to it."""

    at: datetime
    price: TokenTariff
    tokens: tuple[int, int, int]  # fresh, cached, out
    cost: int
    written_off: int


@dataclass
class Story:
    seed: int
    admission: Admission
    place: Place
    chance: random.Random = field(init=False)
    now: datetime = BEGIN
    holds: dict[str, Hold] = field(default_factory=dict)
    ended: dict[str, Hold] = field(default_factory=dict)  # settled: asked for again later
    entries: dict[str, Entry] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    billed_to: Month = field(default_factory=lambda: Month.of(BEGIN))
    done: list[str] = field(default_factory=list)
    paid: dict[str, int] = field(default_factory=dict)  # by the bank's reference

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.firm = factories.organization(f"모의 {self.seed}", number=None)
        with rls.tenant(self.firm.pk):
            self.projects = [factories.project(self.firm, name) for name in ("하나", "둘")]
        self.model = f"sim-{ids.mint('m')}"[:60]
        self.prices = [self._price(BEGIN), self._price(BEGIN + timedelta(days=40))]
        self.cell = ids.cell_of(self.firm.code)
        self.limits: dict[str, int] = {}
        self.numbers = iter(range(1, 10_000))
        self.admission.many([calls.open_cell(self.cell, EPOCH)])
        for subject in (self.firm.public_id, *(one.public_id for one in self.projects)):
            self._limit(subject, self.chance.randint(1, 40) * MICRO)

    def _price(self, starts_at: datetime) -> TokenTariff:
        cents = [Decimal(self.chance.randint(1, 9_999_999)).scaleb(-4) for _ in range(3)]
        return TokenTariff.objects.create(
            public_id=ids.mint("tar"),
            model=self.model,
            price_in=cents[0],
            price_cached=min(cents[:2]),
            price_out=cents[2],
            starts_at=starts_at,
        )

    # ─── steps ─────────────────────────────────────────────────────────────────────────────────

    def step(self) -> None:
        """One more thing happens, and everything is looked at."""
        deeds = [
            *[self.ask] * 9,
            *[self.answer] * 7,
            *[self.take] * 4,
            *[self.rate] * 2,
            *[self.days] * 4,
            *[self.lapse] * 2,
            *[self.pay] * 2,
            *[self.use_credit] * 2,
            self.answer_again,
            self.give_back,
            self.stray,
            self.change_limit,
            self.bill_interim,
            self.bill_months,
        ]
        deed = self.chance.choice(deeds)
        self.done.append(deed.__name__)
        deed()
        ledger_checks.look(self)

    def ask(self) -> None:
        """A request with its worst case; refused only where a budget has no room for it."""
        key = self.chance.randrange(2)
        tokens = self.chance.randint(0, MOST_TOKENS), self.chance.randint(1, MOST_TOKENS)
        price = max((one for one in self.prices if one.starts_at <= self.now), key=_start)
        self._publish(key, price)
        request_id, chain = ids.mint_request_id(), self._chain(key)
        try:
            admitted = self.admission.admit(
                self.firm.code,
                epoch=EPOCH,
                sha256=self._sha(key),
                request_id=request_id,
                model=self.model,
                tokens_in=tokens[0],
                tokens_out=tokens[1],
                grant_number=0,
                kind="chat",
            )
        except Refused as refusal:
            worst = _cost(price, tokens[0], 0, tokens[1])
            if refusal.reason != "budget_exceeded" or all(self.room(one) >= worst for one in chain):
                raise Broken(f"refused without a reason: {refusal}") from None
            return
        event_id = ids.mint_request_id(int(self.now.timestamp() * 1000))
        self.holds[request_id] = Hold(key, admitted.hold_micro, tokens, self.now, price, event_id)

    def answer(self) -> None:
        """It was answered: settled with what it really cost, late if its lease has ended."""
        if self.holds:
            request_id = self.chance.choice(sorted(self.holds))
            hold = self.holds.pop(request_id)
            self._settle(request_id, hold)
            self.ended[request_id] = hold

    def answer_again(self) -> None:
        """The reply was lost, so it is told once more: nothing happens."""
        if self.ended:
            request_id = self.chance.choice(sorted(self.ended))
            hold = self.ended[request_id]
            reply = self._told(request_id, hold)
            if reply[0] != b"repeated":
                raise Broken(f"settled twice: {reply}")

    def lapse(self) -> None:
        """Its gateway died: the lease ends and the hold returns."""
        open_ones = [one for one, hold in self.holds.items() if hold.state == "open"]
        if open_ones:
            request_id = self.chance.choice(sorted(open_ones))
            self.admission.client.zadd(f"{tag(self.cell)}:leases", {request_id: 1}, xx=True)
            self.admission.many([calls.expire(self.cell)])
            self.holds[request_id].state = "lapsed"

    def give_back(self) -> None:
        """It reached no site."""
        open_ones = [one for one, hold in self.holds.items() if hold.state == "open"]
        if open_ones:
            request_id = self.chance.choice(sorted(open_ones))
            self.admission.release(self.firm.code, request_id)
            del self.holds[request_id]

    def stray(self) -> None:
        """A settlement of which Valkey knows no hold any more: intake charges it, if there is
        room. The counters of another month than the real one are its own matter."""
        tokens, price = (self.chance.randint(0, 900), self.chance.randint(1, 900)), self.prices[0]
        request_id = ids.mint_request_id(int(self.now.timestamp() * 1000))
        hold = Hold(0, 0, tokens, self.now, price, request_id)
        self._settle(request_id, hold, stray=True)

    def change_limit(self) -> None:
        """More or less; less than what is used is refused."""
        subject = self.chance.choice(sorted(self.limits))
        wish = self.chance.randint(0, 60) * MICRO
        used = self.spent[subject] + self.held(subject)
        try:
            self._limit(subject, wish)
        except Refused as refusal:
            if refusal.reason != "below_used" or wish >= used:
                raise Broken(f"limit refused without a reason: {refusal}") from None
        else:
            if wish < used:
                raise Broken(f"a limit of {wish} below {used} was taken")

    def days(self) -> None:
        self.now += timedelta(hours=self.chance.randint(1, 200))

    def take(self) -> None:
        self.place.take()

    def rate(self) -> None:
        self.place.try_until_done(
            lambda: accruals.accrue_organization(self.firm, until=self.now, now=self.now)
        )

    def bill_interim(self) -> None:
        self._bill(InvoiceKind.INTERIM, Month.of(self.now), self.now)

    def bill_months(self) -> None:
        """Every month that is over, in order, each once more than needed."""
        while self.billed_to < Month.of(self.now):
            for _ in range(2):
                self._bill(InvoiceKind.MONTH, self.billed_to, self.billed_to.period.end)
            self.billed_to = self.billed_to.next

    def pay(self) -> None:
        """By bank transfer: what is open, less, or more. The same transfer again is no other."""
        with rls.tenant(self.firm.pk):
            left = sum(one.open for one in receivables.open_invoices(self.firm))
        receipt = bookings.Receipt(
            source=Source.BANK,
            reference=f"{self.firm.public_id}-{len(self.done)}",
            won=self.chance.choice([max(1, left), self.chance.randint(1, 2 * left + 4)]),
            received_at=self.now,
        )
        self.paid[receipt.reference] = receipt.won
        by = actors.system(self.firm, "simulation")
        for _ in range(2):
            self.place.try_until_done(
                lambda: bookings.receive(
                    organization=self.firm, receipt=receipt, by=by, now=self.now
                )
            )

    def use_credit(self) -> None:
        self.place.try_until_done(lambda: bookings.use_credit(organization=self.firm, now=self.now))

    def end(self) -> None:
        """All comes to rest, and the last month is billed: what was used is what was billed."""
        while self.holds:
            self.answer()
        self.take()
        self.take()
        self.now = Month.of(self.now).period.end + timedelta(days=3)
        self.bill_months()
        ledger_checks.look(self)
        for subject in self.limits:
            if self.held(subject):
                raise Broken(f"{subject} still holds something")
        ledger_checks.all_is_billed(self)
        faults = list(books.verify(now=self.now, organization=self.firm, use=False))
        if faults:
            raise Broken("; ".join(str(one) for one in faults))

    # ─── how steps are taken ───────────────────────────────────────────────────────────────────

    def _sha(self, key: int) -> str:
        return ids.hash_api_key(f"{self.firm.public_id} {key}")

    def _chain(self, key: int) -> tuple[str, str]:
        return self.firm.public_id, self.projects[key].public_id

    def _publish(self, key: int, price: TokenTariff) -> None:
        scaled = {
            name: token_price_to_micro(getattr(price, name))
            for name in ("price_in", "price_cached", "price_out")
        }
        model = ModelGrant(
            endpoint="ep_sim",
            model=self.model,
            kind="chat",
            price_version=price.public_id,
            **scaled,
        )
        grant = Grant(
            number=next(self.numbers),
            organization=self.firm.public_id,
            org_code=self.firm.code,
            project=self.projects[key].public_id,
            key=f"key_{key}",
            mode="live",
            models={self.model: model},
            sites=("daegu-1",),
            data_class="open",
            rpm=100_000,
            concurrency=100_000,
            budgets=self._chain(key),
        )
        self.admission.publish_grants([(self._sha(key), grant, False)])

    def _settle(self, request_id: str, hold: Hold, *, stray: bool = False) -> None:
        tokens_in = self.chance.randint(0, hold.tokens[0])
        cached = self.chance.randint(0, tokens_in)
        out = self.chance.randint(0, hold.tokens[1])
        hold.cost = _cost(hold.price, tokens_in - cached, cached, out)
        event = factories.usage_event(
            organization=self.firm.public_id,
            project=self.projects[hold.key].public_id,
            key=f"key_{hold.key}",
            request_id=hold.event_id,
            model=self.model,
            tokens_in=tokens_in,
            tokens_cached=cached,
            tokens_out=out,
            admitted_at_ms=int(hold.at.timestamp() * 1000),
            ended_at_ms=int(self.now.timestamp() * 1000),
            price_version=hold.price.public_id,
            hold_micro=hold.worst,
            cost_micro=hold.cost,
        )
        hold.event = events.encode(event)
        room = min(self.room(one) for one in self._chain(hold.key))
        reply = self._told(request_id, hold)
        charged = int(reply[1])
        expected = hold.cost if hold.state == "open" else min(hold.cost, max(0, room))
        if not stray and (reply[0] != b"settled" or charged != expected):
            raise Broken(f"charged {reply} instead of {expected}")
        if not stray:
            for subject in self._chain(hold.key):
                self.spent[subject] += charged
        parts = (tokens_in - cached, cached, out)
        lost = -1 if stray else hold.cost - charged
        self.entries[hold.event_id] = Entry(hold.at, hold.price, parts, hold.cost, lost)

    def _told(self, request_id: str, hold: Hold) -> Any:
        command = calls.settle(
            self.cell, request_id=request_id, cost_micro=hold.cost, event=hold.event
        )
        return self.admission.many([command])[0]

    def _limit(self, subject: str, micro: int) -> None:
        number = next(self.numbers)
        self.admission.set_limit(
            self.firm.code, subject=subject, limit_micro=micro, hard=True, number=number
        )
        self.limits[subject] = micro

    def _bill(self, kind: str, month: Month, until: datetime) -> None:
        by = actors.system(self.firm, "simulation")
        self.place.try_until_done(
            lambda: invoices.issue(
                organization=self.firm, kind=kind, month=month, until=until, by=by, now=self.now
            )
        )
        if self.chance.random() < USES_CREDIT:
            self.use_credit()

    def held(self, subject: str) -> int:
        return sum(
            one.worst
            for one in self.holds.values()
            if one.state == "open" and subject in self._chain(one.key)
        )

    def room(self, subject: str) -> int:
        return self.limits[subject] - self.spent[subject] - self.held(subject)


def _start(price: TokenTariff) -> datetime:
    return price.starts_at


def scaled(price: TokenTariff, fresh: int, cached: int, out: int) -> int:
    return (
        fresh * token_price_to_micro(price.price_in)
        + cached * token_price_to_micro(price.price_cached)
        + out * token_price_to_micro(price.price_out)
    )


def _cost(price: TokenTariff, fresh: int, cached: int, out: int) -> int:
    """As the gateway does: rounded up once, micro-won."""
    return ceil_micro(scaled(price, fresh, cached, out))
