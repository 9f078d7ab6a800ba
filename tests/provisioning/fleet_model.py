"""What happens to a fleet, in any order: hypothesis' state machine over ``fleet_world``."""

from __future__ import annotations

from typing import ClassVar

import hypothesis
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portal.deployments.requoting import Change
from portal.fleet.models import Condition
from tests.provisioning.fleet_checks import Tally
from tests.provisioning.fleet_world import SITES, Fleet, opened

STEPS_EACH = 50
MOST_LOSSES = 2  # of one story: each takes five minutes of its time

sites = st.sampled_from(SITES)
which = st.integers(0, 2)
replicas = st.integers(1, 3)
regions = st.sampled_from(("", "", "daegu", "busan", "gwangju"))
FAULTS = (
    "away",
    "forget",
    "forget generation",
    "older copy",
    "late report",
    "refuses",
    "slow",
    "other ports",
    "engine gone",
    "stray",
    "another's replica",
    "card lost",
    "lingers",
    "other weights",
    "answer lost",
)


class FleetMachine(RuleBasedStateMachine):
    """One story: up to ``STEPS_EACH`` steps, then the faults end and all must come to rest."""

    tally: ClassVar[Tally] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.fleet: Fleet = opened(self.tally)

    def teardown(self) -> None:
        try:
            if not self.fleet.checks.failed:
                self.fleet.settle()
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)
            self.fleet.close()

    # The workers. Rounds of one site and looks at all of them fall in any order.

    @rule(code=sites, seconds=st.sampled_from((0, 2, 6, 20)))
    def work(self, code: str, seconds: int) -> None:
        self.fleet.work(code, seconds)

    @rule(seconds=st.sampled_from((0, 2, 20, 400)))
    def look(self, seconds: int) -> None:
        self.fleet.look(seconds)

    @rule(seconds=st.sampled_from((2, 2, 16, 31, 661)))
    def round(self, seconds: int) -> None:
        self.fleet.round(seconds)
        self.fleet.checks.check_routes(self.fleet.now)

    # Customers and the operator.

    @precondition(lambda self: self.fleet.is_small)
    @rule(count=replicas, region=regions, apart=st.booleans())
    def order(self, count: int, region: str, apart: bool) -> None:
        self.fleet.order(count, region, apart=apart)

    @rule(one=which, count=replicas)
    def resize(self, one: int, count: int) -> None:
        self.fleet.change(one, Change("resize", count))

    @rule(one=which, count=replicas, region=regions, apart=st.booleans())
    def move(self, one: int, count: int, region: str, apart: bool) -> None:
        self.fleet.change(one, Change("move", count, region=region, apart=apart))

    @precondition(lambda self: not self.fleet.is_small)
    @rule(one=which)
    def stop(self, one: int) -> None:
        self.fleet.end(one, for_good=True)

    @rule(one=which)
    def pause(self, one: int) -> None:
        self.fleet.end(one, for_good=False)

    @rule(one=which, count=replicas)
    def resume(self, one: int, count: int) -> None:
        self.fleet.change(one, Change("resume", count))

    @rule(one=which, on=st.booleans())
    def hold(self, one: int, on: bool) -> None:
        self.fleet.hold(one, on=on)

    @rule(code=sites, to=st.sampled_from((*Condition.values[:4], "open", "draining")))
    def put(self, code: str, to: str) -> None:
        self.fleet.put(code, to)

    # What goes wrong.

    @rule(code=sites, fault=st.sampled_from(FAULTS))
    def fault(self, code: str, fault: str) -> None:
        site = self.fleet.checks.sites[code]
        self.tally.faults[fault] += 1
        if fault in ("away", "slow", "lingers", "other weights"):
            setattr(site, fault.replace(" ", "_"), True)
        elif fault in ("forget", "forget generation"):
            getattr(site, fault.replace(" ", "_"))()
        elif fault == "older copy":
            self.fleet.restore(code)
        elif fault == "late report":
            site.repeat(3)
        elif fault == "refuses":
            site.refuses += 2
        elif fault == "answer lost":
            site.deaf += 1
        elif fault == "other ports":
            site.restart_engines()
        elif fault in ("card lost", "engine gone"):
            site.lose_card() if fault == "card lost" else site.lose_engine()
        else:
            self._stray(code, fault)

    def _stray(self, code: str, fault: str) -> None:
        names = [name for other in SITES if other != code for name in self._running(other)]
        if fault == "another's replica" and names:
            self.fleet.checks.sites[code].take_stray(names[0])
        elif fault == "stray":
            self.fleet.checks.sites[code].take_stray(f"plc_stray{self.tally.faults[fault]}")

    def _running(self, code: str) -> list[str]:
        return sorted(self.fleet.checks.sites[code].running)

    @rule(code=sites)
    def heal(self, code: str) -> None:
        self.fleet.checks.sites[code].recover()

    @precondition(lambda self: self.fleet.losses < MOST_LOSSES)
    @rule(code=sites)
    def lose(self, code: str) -> None:
        self.tally.faults["silent until lost"] += 1
        self.fleet.lose(code)
        self.fleet.checks.check_routes(self.fleet.now)

    @rule(code=sites, call=st.sampled_from(("apply", "observe")), one=which, count=replicas)
    def overtake(self, code: str, call: str, one: int, count: int) -> None:
        self.tally.faults["two workers"] += 1
        self.fleet.overtake(code, call, lambda: self.resize(one, count))
        self.fleet.work(code)

    @invariant()
    def holds(self) -> None:
        self.tally.steps += 1
        self.fleet.checks.check()


def run(
    stories: int, *, steps: int = STEPS_EACH, seed: int | None = None, goes_on: bool = False
) -> Tally:
    """So many stories; the first one that breaks something raises, unless it ``goes_on``."""
    FleetMachine.tally = tally = Tally(goes_on=goes_on)
    if seed is not None:
        hypothesis.seed(seed)(FleetMachine)
    quiet = settings(
        max_examples=stories,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=seed is None,
        phases=(Phase.generate,),
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(FleetMachine, settings=quiet)
    return tally
