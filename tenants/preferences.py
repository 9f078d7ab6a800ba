"""How people want to be told: read for many at once, changed by each for themselves.

A person's own setting belongs to no organization and stands in no audit log.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import rls
from tenants.models import Language, NoticePreference, User
from tenants.notice_kinds import KINDS, Group
from tenants.notice_routes import Preferences, Way

MOST_MUTED = 200


class BadPreference(ValueError):
    """The sentence says what is wrong; ``field`` names it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def groups() -> list[Group]:
    """Groups that have something to choose: security is told at once anyway."""
    open_groups = {kind.group for kind in KINDS.values() if not kind.security}
    return [group for group in Group if group in open_groups]


def _read(row: NoticePreference) -> Preferences:
    quiet = None
    if row.quiet_from is not None and row.quiet_until is not None:
        quiet = (row.quiet_from, row.quiet_until)
    return Preferences(
        language=row.language,
        mail=dict(row.mail),
        quiet=quiet,
        digest_hour=row.digest_hour,
        muted_projects=frozenset(row.muted_projects),
    )


def of(user: User) -> Preferences:
    """What one person has chosen, or the defaults."""
    row = NoticePreference.objects.filter(user=user).first()
    return _read(row) if row else Preferences()


def of_many(people: Iterable[User]) -> dict[int, Preferences]:
    """user's key → preferences, in one query; who never chose is left out."""
    with rls.everyone(because="who tells must know how each wants to be told"):
        rows = NoticePreference.objects.filter(user__in=[person.pk for person in people])
        return {row.user_id: _read(row) for row in rows}


def language_of(user: User) -> str:
    """The language of a person's mails."""
    with rls.user(user.pk):
        return of(user).language


@transaction.atomic
def change(*, user: User, wish: Preferences) -> Preferences:
    """Keep all of a person's choices. ``BadPreference``."""
    _check(wish)
    with rls.user(user.pk):
        row, _made = NoticePreference.objects.update_or_create(
            user=user,
            defaults={
                "language": wish.language,
                "mail": {str(group): str(way) for group, way in wish.mail.items()},
                "quiet_from": wish.quiet[0] if wish.quiet else None,
                "quiet_until": wish.quiet[1] if wish.quiet else None,
                "digest_hour": wish.digest_hour,
                "muted_projects": sorted(wish.muted_projects),
            },
        )
    return _read(row)


def _check(wish: Preferences) -> None:
    if wish.language not in Language.values:
        raise BadPreference("language", _("Choose Korean or English."))
    if not set(wish.mail) <= set(Group.values) or not set(wish.mail.values()) <= set(Way):
        raise BadPreference("mail", _("Choose at once, once a day or not at all."))
    if not 0 <= wish.digest_hour < 24:
        raise BadPreference("digest_hour", _("Choose an hour from 0 to 23."))
    if len(wish.muted_projects) > MOST_MUTED:
        raise BadPreference("muted_projects", _("At most 200 projects can be muted."))
    if wish.quiet is None:
        return
    if not all(0 <= hour < 24 for hour in wish.quiet) or wish.quiet[0] == wish.quiet[1]:
        raise BadPreference("quiet", _("Quiet hours need a beginning and another end."))
