"""That the operator's staff may look at a customer's pages for a request: given by a person of the
customer, for some days, until the request is closed or the consent is withdrawn.

A view that was begun on it ends with it. Views without a request (``tenants.viewing``) are not
concerned.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from tenants import audit, rls, viewing
from tenants.actors import Actor, NotAllowed
from tenants.models import Membership, StaffView, SupportConsent, SupportRequest

MOST_DAYS = 14
USUAL_DAYS = 7


class BadDays(ValueError):
    def __str__(self) -> str:
        return _("Choose between 1 and %(most)d days.") % {"most": MOST_DAYS}


class NotOpen(Exception):
    def __str__(self) -> str:
        return _("This request is not open any more.")


class NoConsent(Exception):
    def __str__(self) -> str:
        return _("The customer has not consented to a look at its pages for this request.")


def live(request: SupportRequest, *, now: datetime) -> SupportConsent | None:
    """The consent that holds now: of a person who is still a member."""
    members = Membership.objects.filter(
        organization=request.organization_id, user__public_id=OuterRef("given_by")
    )
    given = SupportConsent.objects.filter(Exists(members), request=request, ended_at=None)
    found = given.first()
    return found if found is not None and found.is_live_at(now) else None


@transaction.atomic
def give(*, request: SupportRequest, days: int, by: Actor, now: datetime) -> SupportConsent:
    """Let the operator look for ``days``; an earlier consent is replaced. ``BadDays``, ``NotOpen``.

    Only a person of the customer gives it, never the operator for them.
    """
    by.require("support.write")
    if by.user is None or by.key is not None or by.organization.pk != request.organization_id:
        raise NotAllowed("support.write")
    if not 1 <= days <= MOST_DAYS:
        raise BadDays
    request = SupportRequest.objects.visible_to(by).select_for_update().get(pk=request.pk)
    if not request.is_open:
        raise NotOpen
    SupportConsent.objects.filter(request=request, ended_at=None).update(
        ended_at=now, ended_because="replaced"
    )
    made = SupportConsent.objects.create(
        organization_id=request.organization_id,
        request=request,
        given_by=by.user.public_id,
        given_at=now,
        until=now + timedelta(days=days),
    )
    changes = {"until": made.until.isoformat()}
    audit.record("support.consent", by=by, now=now, subject=request.public_id, changes=changes)
    return made


@transaction.atomic
def withdraw(*, request: SupportRequest, by: Actor, now: datetime) -> None:
    """Take it back: whoever looks is out at the next request. Repeating it changes nothing."""
    by.require("support.write")
    request = SupportRequest.objects.visible_to(by).select_for_update().get(pk=request.pk)
    if end(request, because="withdrawn", now=now):
        audit.record("support.withdraw", by=by, now=now, subject=request.public_id)


def end(request: SupportRequest, *, because: str, now: datetime) -> bool:
    """End the consent and every view that was begun on it; whether there was one."""
    open_ones = SupportConsent.objects.filter(request=request, ended_at=None)
    ended = bool(open_ones.update(ended_at=now, ended_because=because))
    with rls.everyone(because="a view of the operator's staff ends with the customer's consent"):
        views = StaffView.objects.filter(request=request.public_id, ended_at=None)
        views.update(ended_at=now)
    return ended


def look(*, request: SupportRequest, by: Actor, now: datetime) -> StaffView:
    """Begin the read-only view with the request as its reason. ``NoConsent``, and what
    ``viewing.begin`` refuses."""
    by.require("operator.support")
    with transaction.atomic():
        request = SupportRequest.objects.select_for_update().get(pk=request.pk)
        consent = live(request, now=now)
        if consent is None:
            raise NoConsent
        return viewing.begin(
            organization=request.organization,
            because=f"{request.subject} ({request.public_id})",
            by=by,
            now=now,
            consent=consent,
        )
