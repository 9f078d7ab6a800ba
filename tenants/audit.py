"""Who did what to what. Written in the same transaction as the deed.

The log names people, keys and workers by opaque ids; their names stand in ``AuditPerson`` and are
erased there (``forget``) without touching a sealed row.

Reading what is personal is an event too, kept by the doors that show it (``seen``): once for each
person, thing and hour, so that the log says who looked and still can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from portal.lib import ids
from tenants import rls
from tenants.actors import Actor
from tenants.audit_groups import group_of
from tenants.models import AuditEvent, AuditPerson, Organization, User

HIDDEN = "•••"
# Words that make a field a secret's, wherever they stand in its name.
SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "otp"}
    | {"totp", "pin", "seed", "private", "recovery", "cookie", "session", "authorization"}
    | {"sealed", "sha256"}
)
SEEN_AGAIN_AFTER = timedelta(hours=1)


def record(
    verb: str,
    *,
    by: Actor,
    now: datetime,
    subject: str,
    changes: dict[str, Any] | None = None,
    organization: Organization | None = None,
    because: str = "",
) -> None:
    """Keep one event in the actor's organization, or in the one whose thing was touched.

    ``subject`` is a public id. ``changes`` names fields with what they were and are; what looks
    like a secret is hidden. ``because`` is the reason that a person gave, where one is due.
    """
    organization = organization or by.organization
    AuditEvent.objects.create(
        organization=organization,
        at=now,
        actor_kind=by.kind,
        actor=actor_ref(by),
        on_behalf=_on_behalf(by, organization),
        verb=verb,
        group=group_of(verb),
        subject=subject[:120],
        changes=without_secrets(changes or {}),
        because=because[:300],
        address=by.origin.address,
        request_id=by.origin.request_id,
    )
    _remember(organization, by, subject)


def record_of_many(
    verb: str, *, by: str, now: datetime, deeds: Sequence[tuple[int, str, dict[str, Any]]]
) -> None:
    """Keep what a worker (named ``by``) did to things of many organizations: for each the
    organization's row, the thing's public id, and the changes."""
    AuditEvent.objects.bulk_create(
        AuditEvent(
            organization_id=organization,
            at=now,
            actor_kind="system",
            actor=f"system:{by}"[:60],
            verb=verb,
            group=group_of(verb),
            subject=subject[:120],
            changes=without_secrets(changes),
        )
        for organization, subject, changes in deeds
    )


def seen(verb: str, *, by: Actor, now: datetime, subject: str) -> None:
    """Keep that somebody looked at what is personal; again after an hour."""
    known = AuditEvent.objects.filter(
        organization=by.organization,
        actor=actor_ref(by),
        at__gt=now - SEEN_AGAIN_AFTER,
        verb=verb,
        subject=subject,
    )
    if not known.exists():
        record(verb, by=by, now=now, subject=subject)


def actor_ref(by: Actor) -> str:
    """``usr_…``, ``key_…`` or ``system:…``."""
    if by.user is not None:
        return by.user.public_id
    return f"system:{by.label}"[:60] if by.kind == "system" else by.ref[:60]


def _on_behalf(by: Actor, organization: Organization) -> str:
    """A key acts for its maker; a deputy for who is away; the operator's people in a customer's
    house for the operator."""
    if organization.pk != by.organization.pk:
        return by.organization.public_id
    if by.key is not None and by.key.made_by is not None:
        return by.key.made_by.public_id
    return by.behalf_of[0] if by.behalf_of else ""


def _remember(organization: Organization, by: Actor, subject: str) -> None:
    """Write down whom the event names, where that is not known yet or has changed."""
    names: dict[str, tuple[str, str]] = {}
    if by.user is not None:
        names[by.user.public_id] = (by.user.label[:120], by.user.email)
    elif by.kind == "key":
        names[by.ref] = (by.label[:120], "")
    if subject.startswith("usr_"):
        names.setdefault(subject, ("", ""))
    known = {one.ref: one for one in _people(organization).filter(ref__in=names)}
    for ref, (label, email) in names.items():
        one = known.get(ref)
        if one is None:
            _introduce(organization, ref, label, email)
        elif label and one.erased_at is None and (one.label, one.email) != (label, email):
            former = {*one.formerly, one.label, one.email} - {label, email, ""}
            _people(organization).filter(ref=ref).update(
                label=label, email=email, formerly=sorted(former)
            )


def _people(organization: Organization) -> Any:
    return AuditPerson.objects.filter(organization=organization)


def _introduce(organization: Organization, ref: str, label: str, email: str) -> None:
    if not label:
        person = User.objects.filter(public_id=ref).first()
        if person is None:
            return
        label, email = person.label[:120], person.email
    AuditPerson.objects.bulk_create(
        [AuditPerson(organization=organization, ref=ref, label=label, email=email)],
        ignore_conflicts=True,
    )


def forget(person: User, *, now: datetime) -> int:
    """Erase a person's name behind every organization's log; how many knew it. The log stays."""
    with rls.everyone(because="a deleted account's name goes from every log"):
        rows = AuditPerson.objects.filter(ref=person.public_id, erased_at=None)
        return rows.update(label="", email="", formerly=[], erased_at=now)


def without_secrets(value: Any) -> Any:
    """``changes`` with everything hidden that a name or its shape gives away as a secret."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if is_secret(str(name)) and one else without_secrets(one)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(one) for one in value]
    if isinstance(value, str) and (ids.parse_api_key(value) or "PRIVATE KEY" in value):
        return HIDDEN
    return value


def is_secret(name: str) -> bool:
    """Whether a field of this name holds what nobody may read again."""
    return not SECRET_WORDS.isdisjoint(name.lower().replace("-", "_").split("_"))
