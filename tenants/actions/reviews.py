"""Access reviews: opened once a quarter, decided line by line, signed, and then kept as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL, Quarter
from tenants import actors, audit, notices, rls
from tenants.actions import keys, members
from tenants.actions.handover import REVOKE, Fates
from tenants.actors import Actor
from tenants.models import (
    AccessLine,
    AccessReview,
    ApiKey,
    LineDecision,
    LineKind,
    Membership,
    Organization,
)

DAYS = timedelta(days=30)  # to decide


class ReviewSigned(Exception):
    def __str__(self) -> str:
        return _("This review is signed. It does not change any more.")


class LinesOpen(Exception):
    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count

    def __str__(self) -> str:
        return _("%(count)d lines are not decided. Confirm or remove each, then sign.") % {
            "count": self.count
        }


class LineDecided(Exception):
    def __str__(self) -> str:
        return _("This was removed already; a removal is not taken back here.")


@transaction.atomic
def open_now(*, by: Actor, now: datetime) -> AccessReview:
    """The review of this quarter in Korea; opened with a snapshot if nobody has done so."""
    by.require("access.sign")
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    quarter = Quarter.of(now)
    found = AccessReview.objects.filter(organization=by.organization, quarter=str(quarter)).first()
    if found is not None:
        return found
    review = AccessReview.objects.create(
        public_id=ids.mint("arv"),
        organization=by.organization,
        quarter=str(quarter),
        opened_at=now,
        due_date=now.astimezone(SEOUL).date() + DAYS,
    )
    AccessLine.objects.bulk_create(_snapshot(review, now))
    audit.record("review.open", by=by, now=now, subject=review.public_id)
    _tell("review.opened", review, now)
    return review


def _snapshot(review: AccessReview, now: datetime) -> Iterator[AccessLine]:
    rows = Membership.objects.filter(organization=review.organization).select_related("user")
    for one in rows.order_by("pk"):
        rights = {
            "role": one.role,
            "email": one.user.email,
            "projects": None if one.all_projects else one.projects,
        }
        yield _line(
            review, LineKind.MEMBER, (one.public_id, one.user.label), rights, one.user.last_login
        )
    live = Q(expires_at=None) | Q(expires_at__gt=now)
    found = ApiKey.objects.filter(live, organization=review.organization, revoked_at=None)
    for key in found.select_related("project").order_by("pk"):
        yield _line(review, LineKind.KEY, (key.public_id, key.name), _rights_of(key), key.used_at)


def _rights_of(key: ApiKey) -> dict[str, Any]:
    return {
        "scopes": key.scopes,
        "projects": [key.project.public_id],
        "made_by": key.created_by,
        "ends": key.expires_at.isoformat() if key.expires_at else None,
    }


def _line(
    review: AccessReview,
    kind: str,
    subject: tuple[str, str],
    rights: dict[str, Any],
    last_used_at: datetime | None,
) -> AccessLine:
    public_id, label = subject
    return AccessLine(
        public_id=ids.mint("arl"),
        organization=review.organization,
        review=review,
        kind=kind,
        subject=public_id,
        label=label[:120],
        rights=rights,
        last_used_at=last_used_at,
    )


def _locked(line: AccessLine, by: Actor) -> AccessLine:
    """The line, with its review locked: nobody signs while somebody decides."""
    members.lock(by)
    review = AccessReview.objects.visible_to(by).select_for_update().get(pk=line.review_id)
    if review.signed_at is not None:
        raise ReviewSigned
    return AccessLine.objects.visible_to(by).select_for_update(of=("self",)).get(pk=line.pk)


def _decide(line: AccessLine, decision: str, by: Actor, now: datetime) -> None:
    line.decision, line.decided_at, line.decided_by = decision, now, by.label[:120]
    line.save(update_fields=["decision", "decided_at", "decided_by"])
    changes = {"subject": line.subject, "decision": decision}
    audit.record("review.decide", by=by, now=now, subject=line.public_id, changes=changes)


@transaction.atomic
def confirm(*, line: AccessLine, by: Actor, now: datetime) -> AccessLine:
    """What it has is right. ``LineDecided`` after a removal, ``ReviewSigned``."""
    by.require("access.sign")
    line = _locked(line, by)
    if line.decision == LineDecision.REMOVED:
        raise LineDecided
    if line.decision != LineDecision.CONFIRMED:
        _decide(line, LineDecision.CONFIRMED, by, now)
    return line


@transaction.atomic
def remove(*, line: AccessLine, by: Actor, now: datetime) -> tuple[AccessLine, list[ApiKey]]:
    """Take away what it has: the member goes with the keys that they answer for, or the key is
    revoked. Gone already is removed too. The revoked keys, which the gateway has to be told;
    what ``members.remove`` and ``keys.revoke`` refuse is refused here."""
    by.require("access.sign")
    line = _locked(line, by)
    if line.decision == LineDecision.REMOVED:
        return line, []
    if line.kind == LineKind.MEMBER:
        ended = _remove_member(line.subject, by, now)
    else:
        rows = ApiKey.objects.filter(organization=by.organization, public_id=line.subject)
        ended = [keys.revoke(key=key, by=by, now=now) for key in rows]
    _decide(line, LineDecision.REMOVED, by, now)
    return line, ended


def _remove_member(subject: str, by: Actor, now: datetime) -> list[ApiKey]:
    found = Membership.objects.visible_to(by).filter(public_id=subject).first()
    if found is None:
        return []
    return members.remove(membership=found, fates=Fates(rest=REVOKE), by=by, now=now)


@transaction.atomic
def sign(*, review: AccessReview, by: Actor, now: datetime) -> AccessReview:
    """Sign and keep. ``LinesOpen`` while one is undecided. Repeating it changes nothing."""
    by.require("access.sign")
    members.lock(by)
    review = AccessReview.objects.visible_to(by).select_for_update().get(pk=review.pk)
    if review.signed_at is not None:
        return review
    if count := AccessLine.objects.filter(review=review, decision="").count():
        raise LinesOpen(count)
    review.signed_at, review.signed_by = now, by.label[:120]
    review.signed_ref = by.user.public_id if by.user else ""
    review.save(update_fields=["signed_at", "signed_by", "signed_ref"])
    audit.record("review.sign", by=by, now=now, subject=review.public_id)
    return review


# ─── what the sweep does ───────────────────────────────────────────────────────────────────────


def without_review(*, now: datetime) -> list[Organization]:
    """Organizations of before this quarter that have no review of it yet."""
    quarter = Quarter.of(now)
    began = datetime.combine(quarter.first_day, time(), SEOUL)
    with rls.everyone(because="the sweep looks for organizations without this quarter's review"):
        done = AccessReview.objects.filter(quarter=str(quarter)).values("organization")
        rows = Organization.objects.filter(created_at__lt=began, closed_at=None).exclude(
            pk__in=done
        )
        return list(rows.order_by("pk"))


def open_due(*, now: datetime) -> int:
    """Open the reviews that are due; how many organizations had none."""
    due = without_review(now=now)
    for organization in due:
        with rls.tenant(organization.pk):
            open_now(by=actors.system(organization, "access-review"), now=now)
    return len(due)


def announce_overdue(*, now: datetime) -> int:
    """Tell once of each review that is due and not signed; how many were told of."""
    today = now.astimezone(SEOUL).date()
    with rls.everyone(because="the sweep looks for reviews that are due"):
        rows = AccessReview.objects.filter(
            signed_at=None,
            told_overdue_at=None,
            due_date__lte=today,
            organization__closed_at=None,
        )
        due = list(rows.select_related("organization").order_by("pk"))
    for review in due:
        with rls.tenant(review.organization_id):
            told = AccessReview.objects.filter(pk=review.pk, told_overdue_at=None, signed_at=None)
            if told.update(told_overdue_at=now):
                _tell("review.overdue", review, now)
    return len(due)


def _tell(kind: str, review: AccessReview, now: datetime) -> None:
    notices.tell(
        kind,
        organization=review.organization,
        to=notices.holders(review.organization, "access.sign"),
        now=now,
        place=reverse("access_review", args=[review.public_id]),
        quarter=review.quarter,
        due=review.due_date.isoformat(),
    )
