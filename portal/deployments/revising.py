"""An endpoint's revisions, and what each changed of the one before. Pure over loaded rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.deployments.models import Revision

FIELDS = ("replicas", "least", "chip", "sdk", "version", "region", "apart")


@dataclass(frozen=True, slots=True)
class Difference:
    """``field`` is one of ``FIELDS``; both sides as they are shown, empty where nothing is set."""

    field: str
    before: str
    after: str


def form(revision: Revision) -> dict[str, str]:
    """What a revision asks for, in words that can be compared."""
    offering = revision.offering
    return {
        "replicas": str(revision.replicas),
        "least": "" if revision.least is None else str(revision.least),
        "chip": offering.chip.code if offering else "",
        "sdk": offering.sdk if offering else "",
        "version": offering.version.label if offering else "",
        "region": ", ".join(revision.regions),
        "apart": "✓" if revision.apart else "",
    }


def differences(before: Revision, after: Revision) -> list[Difference]:
    """Empty if both ask for the same."""
    old, new = form(before), form(after)
    return [Difference(one, old[one], new[one]) for one in FIELDS if old[one] != new[one]]


def history(revisions: Sequence[Revision]) -> list[tuple[Revision, list[Difference]]]:
    """Newest first as given; each with what it changed of the one before it."""
    older: list[Revision | None] = [*revisions[1:], None][: len(revisions)]
    return [
        (one, differences(last, one) if last else [])
        for one, last in zip(revisions, older, strict=True)
    ]
