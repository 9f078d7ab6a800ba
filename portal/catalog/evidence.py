"""How far each offering was shown to run, moved from state to state with a reason.

Only what was *measured here* can be ordered at a real site. The embedded engines prove nothing
about a chip: their offerings are *simulated* where others are *measured*, and never the reverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.catalog.models import Evidence, Offering, OfferingMove
from tenants import audit, reasons
from tenants.actors import Actor

EMBEDDED = "embedded"
_PROOF = "proof"  # measured or simulated: what the SDK can show
ARROWS: Mapping[str, tuple[str, ...]] = {
    Evidence.CLAIMED: (_PROOF, Evidence.FAILING),
    Evidence.MEASURED: (Evidence.REVERIFY, Evidence.FAILING),
    Evidence.SIMULATED: (Evidence.REVERIFY, Evidence.FAILING),
    Evidence.REVERIFY: (_PROOF, Evidence.FAILING),
    Evidence.FAILING: (Evidence.REVERIFY,),
}


class NoSuchMove(Exception):
    """There is no way from this state to that one."""

    def __str__(self) -> str:
        return _("The evidence cannot be changed like this from its present state.")


class AlreadyMoved(Exception):
    """The offering is no longer in the state that the caller saw."""

    def __str__(self) -> str:
        return _("Somebody has changed the evidence meanwhile. Look at it again.")


class NoWeights(Exception):
    """What has no digest was never run."""

    def __str__(self) -> str:
        return _("Enter the digest of the weights first: without it nobody knows what was run.")


def targets(offering: Offering) -> tuple[str, ...]:
    """The states that may follow the present one."""
    proof = Evidence.SIMULATED if offering.sdk == EMBEDDED else Evidence.MEASURED
    return tuple(proof.value if to == _PROOF else str(to) for to in ARROWS[offering.evidence])


@transaction.atomic
def move(*, offering: Offering, to: str, because: str, by: Actor, now: datetime) -> Offering:
    """``NoSuchMove``, ``AlreadyMoved``, ``NoWeights``, ``reasons.BadReason``. New orders follow at
    once; what runs goes on."""
    reason, before = reasons.normalized(because), offering.evidence
    if to not in targets(offering):
        raise NoSuchMove
    if to == Evidence.MEASURED and not offering.version.digest:
        raise NoWeights
    moved = Offering.objects.filter(pk=offering.pk, evidence=before)
    if not moved.update(evidence=to, evidence_since=now):
        raise AlreadyMoved
    OfferingMove.objects.create(
        offering=offering, from_state=before, to_state=to, because=reason, at=now
    )
    audit.record(
        "operator.evidence",
        by=by,
        now=now,
        subject=offering.public_id,
        changes={"evidence": {"from": before, "to": to}},
        because=reason,
    )
    offering.evidence, offering.evidence_since = to, now
    return offering
