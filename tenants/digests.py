"""The daily mail: what a person wanted to hear once a day and has not read in the inbox yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, DateTimeField, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import translation

from portal.lib.periods import SEOUL, day_period, seoul_date
from tenants import inbox, mails, rls
from tenants.models import Notice, NoticePreference

SHOWN = 50
PER_SWEEP = 500


def send_due(*, now: datetime) -> int:
    """A digest for everybody whose hour has come today; the number of mails.

    It has what was told before that hour; what comes later waits for tomorrow. Each person is a
    transaction of their own, and the day of the last digest stands in their row: two sweeps at
    once make one mail. Where there is nothing to tell there is no mail.
    """
    with rls.everyone(because="digests of all people"):
        due = list(_due(now).order_by("pk").values_list("pk", flat=True)[:PER_SWEEP])
    return sum(_send(user_id, now=now) for user_id in due)


def _waiting() -> QuerySet[Notice]:
    return Notice.objects.filter(mail="digest", mailed_at=None).order_by()


def _due(now: datetime) -> QuerySet[NoticePreference]:
    """Preferences with today's ``moment`` of the digest, where it has passed and found notices."""
    today = seoul_date(now)
    midnight = day_period(today).start
    moment = Case(
        *(When(digest_hour=n, then=Value(midnight + timedelta(hours=n))) for n in range(24)),
        output_field=DateTimeField(),
    )
    return NoticePreference.objects.annotate(moment=moment).filter(
        Q(digested_date=None) | Q(digested_date__lt=today),
        Exists(_waiting().filter(user=OuterRef("pk"), at__lt=OuterRef("moment"))),
        moment__lte=now,
        user__is_active=True,
    )


def _send(user_id: int, *, now: datetime) -> int:
    with rls.everyone(because="digests of all people"):
        found = _due(now).select_for_update(skip_locked=True, of=("self",))
        row = found.select_related("user").filter(pk=user_id).first()
        if row is None:
            return 0  # another sweep has it
        moment: datetime = row.moment  # type: ignore[attr-defined]  # annotated by `_due`
        waiting = _waiting().filter(user=row.user, at__lt=moment)
        told = inbox.of(row.user).filter(pk__in=waiting.values("pk"), read_at=None)
        context = _context(list(told[:SHOWN]), told.count(), row.language)
        waiting.update(mailed_at=now)
        NoticePreference.objects.filter(pk=user_id).update(digested_date=seoul_date(now))
        if not context["count"] or not mails.is_address(row.user.email):
            return 0
        letter = mails.rendered("digest", context, row.language)
        mails.put([(row.user.email, letter)], organization=None, now=now)
    return 1


def _context(notices: list[Notice], count: int, language: str) -> dict[str, Any]:
    with translation.override(language):
        lines = [
            {
                "organization": one.organization.name if one.organization else "",
                "title": one.title,
                "body": one.body,
                "place": one.place,
                "at": f"{one.at.astimezone(SEOUL):%Y-%m-%d %H:%M}",
            }
            for one in notices
        ]
    return {"lines": lines, "count": count, "more": count - len(lines)}
