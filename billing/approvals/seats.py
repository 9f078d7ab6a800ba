"""Who may decide one step now. Pure.

A seat is the right of one member: used by themselves, or by their deputy during a leave. A step
whose own people are too few (they left, lost the role, or are the requester) falls to the owners,
then to everybody who may decide at all, and only where nobody else is left to an owner who asked
themselves. Who has signed an earlier step signs again only if the step has nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.approvals.matrix import Step

OWNER = "owner"


class Rung(StrEnum):
    """Whose turn it is, and why."""

    STEP = "step"
    OWNER = "owner"
    OTHERS = "others"
    REQUESTER = "requester"


@dataclass(frozen=True, slots=True)
class Person:
    """A member as they are now. ``user`` names the person, ``member`` the membership; ``signs``
    says whether the role may decide approvals; ``for_members`` are those who are away and whom
    the person stands in for."""

    user: str
    member: str
    role: str
    signs: bool = True
    for_members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """``user`` decides with the right of ``of``: a person too, the same unless a deputy does."""

    user: str
    of: str


@dataclass(frozen=True, slots=True)
class Pool:
    """The seats that may be used now; ``missing`` people are not there, whoever is asked."""

    rung: Rung
    seats: tuple[Seat, ...]
    missing: int = 0

    def seat_of(self, user: str) -> Seat | None:
        """The person's seat: their own right before one that is lent to them."""
        mine = [one for one in self.seats if one.user == user]
        return next((one for one in mine if one.of == user), mine[0] if mine else None)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a step, who asked for the request, who agreed to earlier steps, and the
    seats that have agreed to this one."""

    step: Step
    requester: str
    earlier: frozenset[str] = frozenset()
    agreed: tuple[Seat, ...] = ()


def pool(question: Question, people: Sequence[Person]) -> Pool:
    """Who may decide now: the first group that is large enough."""
    need = max(1, question.step.needed - len(question.agreed))
    last: tuple[Rung, list[Seat]] = (Rung.REQUESTER, [])
    for rung, holders in _rungs(question, people):
        every = _seats(holders, people, question, alone=rung == Rung.REQUESTER)
        fresh = [one for one in every if one.user not in question.earlier]
        for seats in (fresh, every):
            if _reach(seats) >= need:
                return Pool(rung, tuple(seats))
        last = (rung, every)
    return Pool(last[0], tuple(last[1]), need - _reach(last[1]))


def _rungs(question: Question, people: Sequence[Person]) -> list[tuple[Rung, list[Person]]]:
    signing = [one for one in people if one.signs]
    others = [one for one in signing if one.user != question.requester]
    fitting = [one for one in others if _fits(question.step, one)]
    owners = [one for one in others if one.role == OWNER or one in fitting]
    asked = [one for one in signing if one.user == question.requester and one.role == OWNER]
    return [
        (Rung.STEP, fitting),
        (Rung.OWNER, owners),
        (Rung.OTHERS, others),
        (Rung.REQUESTER, others + asked),
    ]


def _fits(step: Step, person: Person) -> bool:
    return person.role in step.roles or person.member in step.members


def _seats(
    holders: list[Person], people: Sequence[Person], question: Question, *, alone: bool
) -> list[Seat]:
    """The holders' seats that are free, each for themselves and for their deputies. A deputy who
    asked for the request does not decide on it, and nobody decides for whom asked."""
    voted = {one.user for one in question.agreed}
    used = {one.of for one in question.agreed}
    found = []
    for holder in holders:
        if holder.user in used:
            continue
        for person in people:
            own = person.user == holder.user
            lent = holder.member in person.for_members and holder.user != question.requester
            asked = person.user == question.requester and not (alone and own)
            if (own or lent) and not asked and person.user not in voted:
                found.append(Seat(person.user, holder.user))
    return found


def _reach(seats: Iterable[Seat]) -> int:
    """How many can decide at most: each person once, each seat once (a matching)."""
    choices: dict[str, list[str]] = {}
    for seat in seats:
        choices.setdefault(seat.user, []).append(seat.of)
    taken: dict[str, str] = {}

    def place(user: str, tried: set[str]) -> bool:
        for of in choices[user]:
            if of not in tried:
                tried.add(of)
                if of not in taken or place(taken[of], tried):
                    taken[of] = user
                    return True
        return False

    return sum(place(user, set()) for user in choices)
