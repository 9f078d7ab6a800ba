"""A copy of one's own data: asked for, made by a worker, fetched within 7 days by that person."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import SEOUL
from portal.lib.wake import wake
from tenants import exports, notices, rls
from tenants.actions import accounts
from tenants.models import PersonalExport, User
from tenants.models.personal import MOST_ATTEMPTS
from tenants.origins import NOWHERE, Origin

KEPT = timedelta(days=7)
APART = timedelta(hours=1)


class AskedLately(Exception):
    def __str__(self) -> str:
        return _("You asked for a copy within the last hour. Fetch that one, or ask again later.")


@transaction.atomic
def ask(*, user: User, now: datetime, origin: Origin = NOWHERE) -> PersonalExport:
    """Have a copy made. ``AskedLately`` within an hour of the last wish."""
    User.objects.select_for_update().get(pk=user.pk)
    with rls.user(user.pk):
        mine = PersonalExport.objects.filter(user=user)
        if mine.filter(asked_at__gt=now - APART).exists():
            raise AskedLately
        # One that could not be made makes room for a new attempt.
        mine.filter(made_at=None).delete()
        made = PersonalExport.objects.create(
            public_id=ids.mint("exp"), user=user, language=get_language() or "ko", asked_at=now
        )
    accounts.record("account.export_ask", user=user, now=now, origin=origin, subject=made.public_id)
    wake("tenants.tasks.make_exports")
    return made


def waiting() -> list[int]:
    """Wishes that no worker has fulfilled, and that did not fail too often."""
    with rls.everyone(because="sweep: copies that are to be made"):
        rows = PersonalExport.objects.filter(made_at=None, attempts__lt=MOST_ATTEMPTS)
        return list(rows.order_by("asked_at").values_list("pk", flat=True)[:20])


def make(export: int, *, now: datetime) -> None:
    """Make one copy. Another worker's turn, or one that is made already: nothing happens."""
    with rls.everyone(because="the copy reads all organizations of the person"):
        PersonalExport.objects.filter(pk=export, made_at=None).update(attempts=_one_more(export))
    with rls.everyone(because="the copy reads all organizations of the person"):
        row = (
            PersonalExport.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("user")
            .filter(pk=export, made_at=None)
            .first()
        )
        if row is None:
            return
        row.content = exports.packed(row.user, language=row.language, now=now)
        row.size = len(row.content)
        row.made_at, row.expires_at = now, now + KEPT
        row.save(update_fields=["content", "size", "made_at", "expires_at"])
        notices.tell(
            "account.export_ready",
            organization=None,
            to=[row.user],
            now=now,
            place="/me/",
            day=f"{row.expires_at.astimezone(SEOUL):%Y-%m-%d}",
        )


def _one_more(export: int) -> int:
    found = PersonalExport.objects.filter(pk=export).values_list("attempts", flat=True).first()
    return (found or 0) + 1


def _ready(user: User, public_id: str, now: datetime) -> QuerySet[PersonalExport]:
    return PersonalExport.objects.filter(user=user, public_id=public_id, expires_at__gt=now)


def there_is(*, user: User, public_id: str, now: datetime) -> bool:
    """Whether the person can fetch this copy."""
    with rls.user(user.pk):
        return _ready(user, public_id, now).exists()


@transaction.atomic
def fetch(*, user: User, public_id: str, now: datetime, origin: Origin = NOWHERE) -> bytes | None:
    """The copy, for the person alone; ``None`` if there is none (any more)."""
    with rls.user(user.pk):
        row = _ready(user, public_id, now).first()
    if row is None:
        return None
    accounts.record(
        "account.export_fetch", user=user, now=now, origin=origin, subject=row.public_id
    )
    return bytes(row.content)
