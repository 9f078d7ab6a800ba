"""An organization's registration: its moves, and what each state means for ordering.

State is moved, not set: the old state stands in the WHERE clause, a move row says because.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils.translation import gettext as _

from tenants.models import (
    Consent,
    Evidence,
    EvidenceRequest,
    EvidenceState,
    Organization,
    Registration,
    RegistrationMove,
)
from tenants.models.registration_states import REGISTRATION_ARROWS, UNCONFIRMED


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


def move(
    organization: Organization, to_state: str, *, because: str, now: datetime, **seen: Any
) -> bool:
    """Move from the state that ``organization`` was loaded with; ``seen`` are columns to set.

    False if somebody else moved it first: then nothing was changed, and the next look decides
    anew. ``NoSuchMove`` if the arrow does not exist.
    """
    before = organization.registration
    if (before, to_state) not in REGISTRATION_ARROWS:
        raise NoSuchMove(f"{organization.public_id}: {before} → {to_state}")
    moved = Organization.objects.filter(pk=organization.pk, registration=before).update(
        registration=to_state, registration_since=now, **seen
    )
    if not moved:
        return False
    RegistrationMove.objects.create(
        organization=organization,
        from_state=before,
        to_state=to_state,
        because=because[:300],
        at=now,
    )
    organization.registration, organization.registration_since = to_state, now
    for name, value in seen.items():
        setattr(organization, name, value)
    return True


def shown(made: RegistrationMove) -> str:
    """Why it was moved, in the reader's language where it is a sentence of ours."""
    return str(_(made.because))


def is_unconfirmed(organization: Organization) -> bool:
    """Nobody has confirmed it yet: test keys only, nothing that costs money."""
    return organization.registration in UNCONFIRMED


def reasons(organization: Organization) -> list[str]:
    """Why the organization orders nothing at the moment, and what to do; none if it may."""
    found = {
        Registration.PENDING: _(
            "The registry of businesses has not confirmed your number yet. Test keys work; live "
            "keys and orders follow once it has."
        ),
        Registration.UNVERIFIABLE: _(
            "The registry of businesses does not know your number. Hand in your registration "
            "certificate; test keys work meanwhile."
        ),
        Registration.SUSPENDED: _(
            "The registry of businesses says that your business is suspended. Nothing new can be "
            "ordered; reading, paying and stopping go on."
        ),
        Registration.CLOSED: _(
            "The registry of businesses says that your business is closed. Nothing new can be "
            "ordered; reading, paying and stopping go on."
        ),
    }
    reason = found.get(Registration(organization.registration))
    return [reason] if reason else []


def history(organization: Organization) -> QuerySet[RegistrationMove]:
    """Its moves, the latest first."""
    return RegistrationMove.objects.filter(organization=organization)


def documents(organization: Organization) -> QuerySet[Evidence]:
    """What it handed in, with the files' names but without their content."""
    rows = Evidence.objects.filter(organization=organization).select_related("file")
    return rows.defer("file__content")


def document(public_id: str) -> Evidence | None:
    """One document of any organization, for the operator's staff."""
    rows = Evidence.objects.select_related("file", "organization")
    return rows.filter(public_id=public_id).first()


def questions(organization: Organization) -> QuerySet[EvidenceRequest]:
    """What the operator asked, the latest first."""
    return EvidenceRequest.objects.filter(organization=organization)


def consents(organization: Organization) -> QuerySet[Consent]:
    """Who agreed to what, the latest first."""
    return Consent.objects.filter(organization=organization).select_related("terms", "user")


def queue(state: str = "waiting") -> QuerySet[Organization]:
    """Customers for the operator: those with documents to read first, then the longest waiting.

    ``waiting``: a document waits to be read; ``unconfirmed``: nobody has confirmed them; ``ended``:
    the registry says suspended or closed; ``all``. The caller has the operator's rights.
    """
    waiting = Q(evidence__state=EvidenceState.WAITING)
    rows = Organization.objects.exclude(kind="operator").annotate(
        waiting=Count("evidence", filter=waiting),
        handed_in_at=Max("evidence__handed_in_at", filter=waiting),
    )
    chosen = {
        "waiting": Q(waiting__gt=0, registration__in=UNCONFIRMED),
        "unconfirmed": Q(registration__in=UNCONFIRMED),
        "ended": Q(registration__in=[Registration.SUSPENDED, Registration.CLOSED]),
    }
    return rows.filter(chosen.get(state, Q())).order_by("-waiting", "registration_since", "pk")


QUEUES = ("waiting", "unconfirmed", "ended", "all")
