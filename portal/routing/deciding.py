"""What takes two people, carried out where the gateway hears of it.

A suspended organization's keys end at the gateway within a second, also while the publisher is
dead: tombstones are written once the decision is committed. Afterwards the publisher keeps its
grants out, and brings them back within seconds once the hold is lifted.
"""

from __future__ import annotations

from datetime import datetime

from billing import agreements, credit_notes, price_changes, renewals
from billing.payments import refunds
from portal.routing import revoking
from tenants import reasons
from tenants.actions import holds, proposals
from tenants.actors import Actor
from tenants.models import ApiKey, Organization, Proposal
from tenants.proposal_kinds import (
    AGREEMENT,
    AGREEMENT_END,
    CREDIT_NOTE,
    PRICE_OF_CARDS,
    PRICE_OF_STORAGE,
    PRICE_OF_TOKENS,
    PRICE_TERM,
    REFUND,
    RENEWAL,
    SUSPEND,
)


def propose_suspension(
    *, organization: Organization, because: str, by: Actor, now: datetime
) -> Proposal:
    """Ask a second person to suspend. The customer will read the reason."""
    by.require("operator.suspend")
    holds.require_free(organization)
    because = reasons.normalized(because)
    return proposals.propose(
        kind=SUSPEND,
        subject=organization.public_id,
        payload={"name": organization.name},
        because=because,
        by=by,
        now=now,
    )


def approve(*, proposal: Proposal, by: Actor, now: datetime) -> Proposal:
    """The second person's yes, and the deed with it."""
    execute = _EXECUTE[proposal.kind]
    return proposals.approve(proposal=proposal, execute=execute, by=by, now=now)


def _suspend(proposal: Proposal, by: Actor, now: datetime) -> None:
    organization = Organization.objects.get(public_id=proposal.subject)
    holds.place(organization=organization, because=proposal.because, by=by, now=now)
    keys = ApiKey.objects.filter(organization=organization, revoked_at=None)
    revoking.after_commit(organization, keys)


_EXECUTE: dict[str, proposals.Execute] = {
    SUSPEND: _suspend,
    PRICE_OF_TOKENS: price_changes.carry_out,
    PRICE_OF_CARDS: price_changes.carry_out,
    PRICE_OF_STORAGE: price_changes.carry_out,
    PRICE_TERM: price_changes.carry_out,
    AGREEMENT: agreements.carry_out,
    AGREEMENT_END: agreements.carry_out_end,
    REFUND: refunds.carry_out,
    CREDIT_NOTE: credit_notes.carry_out,
    RENEWAL: renewals.carry_out,
}
