"""How far a chain of steps has come, and whether a person may take the next one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.approvals.matrix import Step
from billing.approvals.seats import OWNER, Person, Pool, Question, Rung, Seat, pool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One person's word on one step (from 0), said with a seat of the rung that it fell to."""

    step: int
    seat: Seat
    agrees: bool
    rung: Rung = Rung.STEP


@dataclass(frozen=True, slots=True)
class Chain:
    """The steps of a request, and what was said so far."""

    steps: tuple[Step, ...]
    requester: str
    verdicts: tuple[Verdict, ...] = ()

    @property
    def refused(self) -> bool:
        return any(not one.agrees for one in self.verdicts)

    def agreed(self, step: int) -> tuple[Seat, ...]:
        return tuple(one.seat for one in self.verdicts if one.step == step and one.agrees)

    @property
    def current(self) -> int | None:
        """The first step that is not complete; None once all are, or somebody refused."""
        if self.refused:
            return None
        for number, step in enumerate(self.steps):
            if len(self.agreed(number)) < step.needed:
                return number
        return None

    @property
    def approved(self) -> bool:
        return not self.refused and self.current is None


class NotYourTurn(Exception):
    """The person may not decide this step now; nothing is changed."""


def pool_now(chain: Chain, people: Sequence[Person]) -> Pool | None:
    """Who may take the current step; None if there is none."""
    step = chain.current
    if step is None:
        return None
    earlier = frozenset(one.seat.user for one in chain.verdicts if one.agrees and one.step < step)
    question = Question(chain.steps[step], chain.requester, earlier, chain.agreed(step))
    return pool(question, people)


def decide(chain: Chain, people: Sequence[Person], *, user: str, agrees: bool) -> Verdict:
    """The person's verdict on the current step. ``NotYourTurn``."""
    step, found = chain.current, pool_now(chain, people)
    seat = found.seat_of(user) if found is not None else None
    if step is None or found is None or seat is None:
        raise NotYourTurn
    return Verdict(step, seat, agrees, _rung(chain, step, seat, people))


def _rung(chain: Chain, step: int, seat: Seat, people: Sequence[Person]) -> Rung:
    """Why this seat counts: a step that fell further is still signed by its own people too."""
    if seat.user == chain.requester:
        return Rung.REQUESTER
    holder = next(one for one in people if one.user == seat.of)
    wanted = chain.steps[step]
    if holder.role in wanted.roles or holder.member in wanted.members:
        return Rung.STEP
    return Rung.OWNER if holder.role == OWNER else Rung.OTHERS
