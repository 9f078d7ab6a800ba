"""How far a rollout is: both forms with their figures, what comes next and when. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portal.deployments import rollouts, sides
from portal.deployments.models import Placement, Revision, Rollout, RolloutState
from portal.deployments.rollouts import Upcoming
from portal.deployments.sides import Look, Replica, Sample, Strategy

OPEN = (RolloutState.RUNNING, RolloutState.BACK)


@dataclass(frozen=True, slots=True)
class Form:
    """One of both forms. ``share``: percent of the requests; answers are those of the time since
    the rollout began, and of the new form since its share was changed last."""

    new: bool
    revision: int
    wished: int
    replicas: int
    ready: int
    share: int
    ended: int
    failed: int
    first_token_ms: int | None  # median; ``None``: nobody was heard


@dataclass(frozen=True, slots=True)
class Progress:
    """``small_sample``: too few answers of the new form to judge by, so that only time counts."""

    forms: tuple[Form, Form]  # old, new
    upcoming: Upcoming | None  # ``None``: it is over
    held: bool
    small_sample: bool
    can_hold: bool
    can_go_on: bool

    @property
    def share(self) -> int:
        """Percent of the requests that reach the new form."""
        return self.forms[1].share


@dataclass(frozen=True, slots=True)
class Watched:
    """A rollout with how far it is."""

    rollout: Rollout
    progress: Progress


def look_of(rollout: Rollout, living: Iterable[Placement], *, swaps: bool = False) -> Look:
    """What ``rollouts`` decides by. ``living``: the endpoint's. ``swaps``: as in ``Look``; it
    decides nothing of what is shown."""
    strategy: Strategy = rollout.strategy  # type: ignore[assignment]  # the database checks it
    return Look(
        back=rollout.state == RolloutState.BACK,
        started_at=rollout.started_at,
        before=rollout.from_revision.replicas,
        after=rollout.to_revision.replicas,
        replicas=tuple(
            Replica(
                one.public_id,
                one.revision_id == rollout.to_revision_id,
                one.state,
                one.state_since,
                one.leaving_at,
                one.weight,
            )
            for one in living
            if one.wanted
        ),
        old=sample_of(rollout, new=False),
        new=sample_of(rollout, new=True),
        no_room_since=rollout.no_room_since,
        strategy=strategy,
        stage=rollout.stage,
        stage_since=rollout.stage_since,
        held=rollout.held,
        hurried=rollout.hurried,
        swaps=swaps,
    )


def sample_of(rollout: Rollout, *, new: bool) -> Sample:
    """What the gateways saw of one form."""
    return Sample(**rollout.seen.get("new" if new else "old", {}))


def of(rollout: Rollout, living: Iterable[Placement], now: datetime) -> Progress:
    """With the revisions of ``rollout`` at hand nothing is asked of the database."""
    look = look_of(rollout, living)
    running = rollout.state == RolloutState.RUNNING
    staged = running and rollout.strategy in sides.SHARES
    small = staged and look.stage > 0 and look.new.ended < sides.MIN_SAMPLE
    return Progress(
        forms=(
            _form(look, rollout.from_revision, new=False),
            _form(look, rollout.to_revision, new=True),
        ),
        upcoming=rollouts.upcoming(look, now) if rollout.state in OPEN else None,
        held=staged and rollout.held,
        small_sample=small,
        can_hold=staged and not rollout.held,
        can_go_on=staged and rollouts.can_go_on(look),
    )


def _form(look: Look, revision: Revision, *, new: bool) -> Form:
    sample = look.new if new else look.old
    return Form(
        new=new,
        revision=revision.number,
        wished=revision.replicas,
        replicas=len(look.side(new=new)),
        ready=len(look.ready(new=new)),
        share=_share(look, new=new),
        ended=sample.ended,
        failed=sample.failed,
        first_token_ms=sample.median_ms,
    )


def _share(look: Look, *, new: bool) -> int:
    """By the weights that the gateways have been told."""
    told = {side: sum(one.weight for one in look.ready(new=side)) for side in (False, True)}
    every = sum(told.values())
    return round(100 * told[new] / every) if every else 0
