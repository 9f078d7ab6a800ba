"""A site in memory that misbehaves in every way that the contract allows, and some that it forbids.

It speaks the drivers' contract (``tests/contracts`` holds it to the rest of it while nothing is
wrong). What it really runs is ``running``; what it says may be late, lost or refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from portal.fleet.drivers.contract import (
    CardReport,
    LogPage,
    ReplicaReport,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)

DIGEST = "sha256:wild"
Dropped = Callable[["WildSite", set[str]], None]


@dataclass
class Engine:
    """One that runs, or would if it had its cards."""

    epoch: int
    cards: tuple[str, ...] = ()
    port: int = 0
    restarts: int = 0
    ending: bool = False
    digest: str = ""


@dataclass
class WildSite:
    """``heard``: told of what it stops, before it does. ``meanwhile``: what happens while a call is
    under way, by its name, once."""

    code: str
    cards: list[str]
    heard: Dropped
    wanted: SiteSpec | None = None
    epochs: dict[str, int] = field(default_factory=dict)
    running: dict[str, Engine] = field(default_factory=dict)
    strays: dict[str, Engine] = field(default_factory=dict)
    earlier: list[SiteSpec] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    asleep: set[str] = field(default_factory=set)  # it does not run them until it is told again
    missing: list[str] = field(default_factory=list)  # cards that it has lost
    late: list[SiteReport] = field(default_factory=list)  # told in the place of the next reports
    last: SiteReport | None = None
    away: bool = False
    slow: bool = False  # engines stay in their start
    other_weights: bool = False  # none of its engines runs the ordered ones
    lingers: bool = False  # what has to stop is told as stopping once
    deaf: int = 0  # so many applies are carried out, and their answers lost
    refuses: int = 0
    next_port: int = 9000

    # The contract.

    def apply(self, wanted: SiteSpec) -> None:
        self._answer("apply")
        if self.refuses:
            self.refuses -= 1
            raise WishRefused("refused for no reason")
        have = self.wanted
        if have is not None and wanted.generation < have.generation:
            raise WishRefused("older_generation")
        if have is not None and wanted.generation == have.generation and wanted != have:
            raise WishRefused("same_generation_differs")
        if any(self.epochs.get(one.id, 0) > one.epoch for one in wanted.placements):
            raise WishRefused("older_epoch")
        if have is not None and have != wanted:
            self.earlier.append(have)
        self.wanted = wanted
        self.epochs |= {one.id: one.epoch for one in wanted.placements}
        for one in self.strays.values():
            one.ending = True
        self.asleep = set()
        self.converge()
        if self.deaf:
            self.deaf -= 1
            raise SiteUnavailable("The answer was lost on its way.")

    def observe(self) -> SiteReport:
        self._answer("observe")
        if self.late:
            return self.late.pop(0)
        self.converge()
        self.last = self._report()
        self.strays = {name: one for name, one in self.strays.items() if not one.ending}
        self.running = {name: one for name, one in self.running.items() if not one.ending}
        return self.last

    def logs(self, placement: str, since: int) -> LogPage:
        self._answer("logs")
        return LogPage(lines=(), next=since)

    def _answer(self, call: str) -> None:
        deed = self.meanwhile.pop(call, None)
        if deed is not None:
            deed()
        if self.away:
            raise SiteUnavailable("The site is away.")

    # What it does by itself.

    def converge(self) -> None:
        """Run what is wanted, as far as there are cards; stop the rest."""
        wanted = {one.id: one for one in self.wanted.placements} if self.wanted else {}
        gone = {name for name in self.running if name not in wanted}
        if fresh := {name for name in gone if not self.running[name].ending}:
            self.heard(self, fresh)
        for name in gone:
            self.running[name].ending = True
        if not self.lingers:
            self.running = {name: one for name, one in self.running.items() if not one.ending}
        for one in wanted.values():
            if one.id in self.asleep:
                continue
            engine = self.running.setdefault(one.id, Engine(one.epoch, digest=one.model_digest))
            engine.epoch = one.epoch
            self._give_cards(engine, one.cards)

    def _give_cards(self, engine: Engine, count: int) -> None:
        engine.cards = tuple(card for card in engine.cards if card in self.cards)
        held = {card for one in self._all() for card in one.cards}
        free = [card for card in self.cards if card not in held]
        if len(engine.cards) == count:
            return
        if len(engine.cards) + len(free) < count:
            engine.cards, engine.port = (), 0
            return
        engine.cards += tuple(free[: count - len(engine.cards)])
        engine.port, self.next_port = self.next_port, self.next_port + 1

    def _all(self) -> list[Engine]:
        return [*self.running.values(), *self.strays.values()]

    def _report(self) -> SiteReport:
        known = self.running | self.strays
        holder = {card: name for name, one in known.items() for card in one.cards}
        return SiteReport(
            site=self.code,
            at_ms=0,
            generation=self.wanted.generation if self.wanted else 0,
            simulated=True,
            cards=tuple(
                CardReport(
                    id=card,
                    chip="rngd",
                    state="used" if card in holder else "free",
                    placement=holder.get(card),
                    simulated=True,
                )
                for card in self.cards
            ),
            replicas=tuple(self._replica(name, one) for name, one in known.items()),
            version="wild 1",
        )

    def _replica(self, name: str, one: Engine) -> ReplicaReport:
        ready = bool(one.port) and not self.slow
        state = "stopping" if one.ending else "ready" if ready else "starting"
        if not one.port and not one.ending:
            state = "failed"
        return ReplicaReport(
            placement=name,
            epoch=one.epoch,
            state=state,  # type: ignore[arg-type]
            url=self.url(one) if state == "ready" else None,
            cards=one.cards,
            model_digest=DIGEST if self.other_weights else one.digest,
            restarts=one.restarts,
            because="No rngd card is free." if state == "failed" else "",
        )

    def url(self, one: Engine) -> str:
        return f"http://127.0.0.1:{one.port}"

    # What goes wrong.

    def forget(self) -> None:
        """It starts again from nothing: no wish, no epochs, no engines."""
        self.wanted, self.epochs, self.running, self.strays = None, {}, {}, {}
        self.late = []

    def forget_generation(self) -> None:
        """What runs goes on, and who wanted it is forgotten."""
        if self.wanted is not None:
            self.wanted = SiteSpec(site=self.code, generation=0, placements=self.wanted.placements)

    def restore(self) -> None:
        """Its disk is replaced by a copy from before the last wish."""
        if self.earlier:
            self.wanted = self.earlier.pop()
            self.epochs = {one.id: one.epoch for one in self.wanted.placements}
            self.running, self.strays = {}, {}
            self.converge()

    def lose_engine(self) -> None:
        """One has gone, and the site does not know that it is wanted."""
        if self.running:
            name = min(self.running)
            self.asleep.add(name)
            del self.running[name]

    def restart_engines(self) -> None:
        """On other ports."""
        for one in self.running.values():
            if one.port:
                one.port, self.next_port = self.next_port, self.next_port + 1
                one.restarts += 1

    def take_stray(self, name: str) -> None:
        """Something runs that nobody asked for here; it takes a card if one is free."""
        if name in self.running or name in self.strays:
            return
        held = {card for one in self._all() for card in one.cards}
        free = tuple(card for card in self.cards if card not in held)[:1]
        port, self.next_port = self.next_port, self.next_port + 1
        self.strays[name] = Engine(1, free, port)

    def lose_card(self) -> None:
        if len(self.cards) > 1:
            self.missing.append(self.cards.pop(0))

    def repeat(self, times: int) -> None:
        """The next answers are those of now, however much happens until then."""
        if self.last is not None:
            self.late = [self.last] * times

    def recover(self) -> None:
        """Nothing is wrong from now on."""
        self.away = self.slow = self.lingers = self.other_weights = False
        self.deaf = self.refuses = 0
        self.late, self.meanwhile = [], {}
        self.cards += self.missing
        self.missing = []
