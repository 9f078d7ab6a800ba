"""Telling people. One call from an action; who gets it by which way is decided here.

The inbox has everything. What else a person gets is ``notice_routes.route``'s word. A further
channel is one more function in ``CHANNELS``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation

from portal.lib import ids
from tenants import mails, preferences, rls
from tenants.models import Membership, Notice, Organization, User
from tenants.notice_kinds import KINDS, Kind
from tenants.notice_routes import Preferences, Route, route

_BATCH = 1000


class BadNotice(ValueError):
    """A word that the kind's sentence needs is missing, or a place that is no path of ours."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person, and the way that the notice takes to them."""

    user: User
    language: str
    route: Route


@dataclass(frozen=True, slots=True)
class Told:
    """One notice on its way to all whom it concerns."""

    name: str
    kind: Kind
    organization: Organization | None
    words: dict[str, str]
    place: str
    project: str
    now: datetime
    recipients: tuple[Recipient, ...]


Channel = Callable[[Told], None]


def holders(organization: Organization, verb: str, *, project: str = "") -> list[User]:
    """The members whose role has a verb: those whom something concerns. ``project`` (a public id)
    leaves out those who work in other projects only."""
    return [
        one.user
        for one in Membership.objects.filter(organization=organization).select_related("user")
        if verb in organization.verbs_of(one.role)
        and (not project or one.all_projects or project in one.projects)
    ]


def tell(
    kind: str,
    *,
    organization: Organization | None,
    to: Iterable[User],
    now: datetime,
    place: str = "",
    project: str = "",
    **words: str,
) -> None:
    """Tell each person once. ``place`` is the path of the page where they can act on it;
    ``project`` (a public id) lets them mute it; without an organization it concerns themselves.

    Written in the transaction of the deed: what is rolled back was never told.
    """
    found = KINDS[kind]
    _check(found, place, words)
    people = {person.pk: person for person in to}
    if not people:
        return
    with rls.everyone(because="a person is told whatever organization they work in now"):
        chosen = preferences.of_many(people.values())
        told = Told(
            name=kind,
            kind=found,
            organization=organization,
            words={name: str(word) for name, word in words.items()},
            place=place,
            project=project,
            now=now,
            recipients=tuple(
                _recipient(person, found, chosen.get(pk, Preferences()), now, project)
                for pk, person in people.items()
            ),
        )
        for carry in CHANNELS:
            carry(told)


def _check(kind: Kind, place: str, words: dict[str, str]) -> None:
    if missing := kind.placeholders - set(words):
        raise BadNotice(f"missing words: {', '.join(sorted(missing))}")
    if place and (not place.startswith("/") or place.startswith(("//", "/\\"))):
        raise BadNotice(f"not a path of ours: {place}")


def _recipient(
    person: User, kind: Kind, chosen: Preferences, now: datetime, project: str
) -> Recipient:
    return Recipient(person, chosen.language, route(kind, chosen, now, project=project))


def in_app(told: Told) -> None:
    """A row in everybody's inbox; one that was muted is read from the start."""
    Notice.objects.bulk_create((_notice(told, one) for one in told.recipients), batch_size=_BATCH)


def _notice(told: Told, one: Recipient) -> Notice:
    return Notice(
        public_id=ids.mint("ntc"),
        organization=told.organization,
        user=one.user,
        kind=told.name,
        words=told.words,
        place=told.place,
        project=told.project,
        mail=one.route.mail,
        mailed_at=told.now if one.route.at else None,
        at=told.now,
        read_at=told.now if one.route.muted else None,
    )


def by_mail(told: Told) -> None:
    """One mail each, rendered once a language. Those of a digest wait for ``tenants.digests``."""
    addresses: dict[tuple[str, datetime], list[str]] = defaultdict(list)
    for one in told.recipients:
        if one.route.at is not None and one.user.is_active and mails.is_address(one.user.email):
            addresses[one.language, one.route.at].append(one.user.email)
    letters: dict[str, mails.Letter] = {}
    for (language, at), people in addresses.items():
        letter = letters.setdefault(language, _letter(told, language))
        mails.put(
            [(address, letter) for address in people],
            organization=told.organization,
            now=told.now,
            at=at,
        )


def _letter(told: Told, language: str) -> mails.Letter:
    with translation.override(language):
        context: dict[str, Any] = {
            "organization": told.organization.name if told.organization else "",
            # a subject is one line, whatever a word brings along
            "title": " ".join(told.kind.said(told.kind.title, told.words).split()),
            "body": told.kind.said(told.kind.body, told.words),
            "place": told.place,
            "security": told.kind.security,
            "severity": told.kind.severity,
        }
    return mails.rendered("notice", context, language)


CHANNELS: tuple[Channel, ...] = (in_app, by_mail)
