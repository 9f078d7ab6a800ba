"""Who is told about a request: on the customer's side its requester and those who follow it and
may still see it; on the operator's side the staff who answer. Never what was said."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from portal.lib.periods import SEOUL
from tenants import actors, notices, rls
from tenants.models import (
    Membership,
    Organization,
    SupportFollower,
    SupportRequest,
    User,
)
from tenants.support.words import REOPENED_WITHIN


def followers(request: SupportRequest) -> list[User]:
    """Members who follow it, and would be shown it if they asked now."""
    refs = SupportFollower.objects.filter(request=request).values("person")
    rows = Membership.objects.filter(
        organization=request.organization_id, user__public_id__in=refs, user__is_active=True
    ).select_related("organization", "user")
    return [
        one.user
        for one in rows
        if SupportRequest.objects.visible_to(actors.of_membership(one))
        .filter(pk=request.pk)
        .exists()
    ]


def customer(kind: str, request: SupportRequest, *, now: datetime) -> None:
    """Tell the customer's people."""
    notices.tell(
        kind,
        organization=request.organization,
        to=followers(request),
        now=now,
        place=reverse("support_request", args=[request.public_id]),
        project=request.project,
        subject=request.subject,
        until=_clock(now + REOPENED_WITHIN),
    )


def staff(kind: str, request: SupportRequest, *, now: datetime, only: str = "") -> None:
    """Tell the operator's people who answer; ``only`` one of them (a public id)."""
    name = request.organization.name
    with rls.everyone(because="a customer's request is told to the operator's staff"):
        for operator in Organization.objects.filter(kind="operator"):
            people = notices.holders(operator, "operator.support")
            notices.tell(
                kind,
                organization=operator,
                to=[one for one in people if not only or one.public_id == only],
                now=now,
                place=reverse("desk_request", args=[request.public_id]),
                organization_name=name,
                subject=request.subject,
                due=_clock(request.due_at),
            )


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(SEOUL):%Y-%m-%d %H:%M}"
