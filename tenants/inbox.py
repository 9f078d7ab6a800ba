"""A person's inbox: what they are told, in all their organizations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Q, QuerySet

from tenants import rls
from tenants.models import Membership, Notice, User
from tenants.notice_kinds import KINDS

KEPT = timedelta(days=365)  # notices that were read
COUNTED = 99  # the bell says “99+” beyond
_STAYS = [name for name, kind in KINDS.items() if kind.stays]


def _of_organizations(organizations: Iterable[int]) -> Q:
    """What an organization told its members is no longer shown to those who left it."""
    return Q(organization=None) | Q(organization__in=list(organizations)) | Q(kind__in=_STAYS)


def _organizations(user: User) -> list[int]:
    return list(Membership.objects.filter(user=user).values_list("organization", flat=True))


def of(user: User) -> QuerySet[Notice]:
    """All that a person may see, newest first."""
    shown = _of_organizations(_organizations(user))
    return Notice.objects.filter(shown, user=user).select_related("organization")


def filtered(
    rows: QuerySet[Notice], *, unread: bool = False, severity: str = "", organization: str = ""
) -> QuerySet[Notice]:
    """Only what is unread, of a severity, of an organization (its public id)."""
    if unread:
        rows = rows.filter(read_at=None)
    if severity:
        rows = rows.filter(
            kind__in=[name for name, one in KINDS.items() if one.severity == severity]
        )
    if organization:
        rows = rows.filter(organization__public_id=organization)
    return rows


def unread(user_id: int, organizations: Iterable[int]) -> int:
    """How many are unread, at most ``COUNTED + 1``."""
    return _unread(user_id, organizations).count()


def counted(user_id: int, organizations: Iterable[int]) -> ArraySubquery:
    """The same as an annotation: as many keys as are unread."""
    return ArraySubquery(_unread(user_id, organizations).values("pk"))


def _unread(user_id: int, organizations: Iterable[int]) -> QuerySet[Notice]:
    shown = _of_organizations(organizations)
    rows = Notice.objects.filter(shown, user=user_id, read_at=None).order_by()
    return rows[: COUNTED + 1]


def mark_read(notice: Notice, *, now: datetime) -> None:
    """The first reading counts."""
    Notice.objects.filter(pk=notice.pk, read_at=None).update(read_at=now)


def mark_all_read(user: User, *, now: datetime) -> int:
    """The number of notices that were unread."""
    return of(user).filter(read_at=None, at__lte=now).order_by().update(read_at=now)


def forget_old(*, now: datetime, limit: int = 5000) -> int:
    """Remove what was told more than a year ago and read; the number of rows."""
    with rls.everyone(because="retention covers all notices"):
        due = Notice.objects.filter(at__lt=now - KEPT, read_at__isnull=False)
        chosen = list(due.order_by("at").values_list("pk", flat=True)[:limit])
        return Notice.objects.filter(pk__in=chosen).delete()[0]
