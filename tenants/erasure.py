"""Taking a person out of the rows that stay.

Names stand copied beside what people made (keys, endpoints, orders, files, changes of a limit,
signed reviews) and in notices to others. Where such a copy is the person's, it becomes ``former
member usr_…``. A name that somebody else of the organization bears or bore too stays: it may be
that other person's. The audit log's own names are erased by ``audit.forget``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.db.models import TextField
from django.db.models.functions import Cast

from tenants import actors, audit, traces
from tenants.models import AuditPerson, Invitation, Mail, Membership, Notice, User
from tenants.traces import AtEnd

UNREACHABLE = "erased.invalid"  # RFC 2606: no mail is ever delivered there
BATCH = 500


def former(user: User) -> str:
    """How somebody without an account is named. The database lets names become only this."""
    return f"former member {user.public_id}"


def unreachable(user: User) -> str:
    """The address of somebody without an account."""
    return f"{user.public_id}@{UNREACHABLE}"


def known_as(user: User) -> dict[int, set[str]]:
    """Organization → every name that was written down there for the person, now or earlier."""
    own = {user.label, user.email}
    found = {
        pk: set(own)
        for pk in Membership.objects.filter(user=user).values_list("organization", flat=True)
    }
    for one in AuditPerson.objects.filter(ref=user.public_id):
        known = {one.label, one.email, *one.formerly} - {""}
        found.setdefault(one.organization_id, set(own)).update(known)
    return found


def addresses_of(user: User) -> set[str]:
    """Mail addresses that the person has proven."""
    rows = EmailAddress.objects.filter(user=user, verified=True)
    return {user.email, *rows.values_list("email", flat=True)}


def _addresses_ever(user: User) -> set[str]:
    """Also those of before, unless they are somebody else's by now."""
    told = {name for names in known_as(user).values() for name in names if "@" in name}
    others = User.objects.filter(email__in=told).exclude(pk=user.pk)
    return (addresses_of(user) | told) - set(others.values_list("email", flat=True))


def _borne_by_others(organization: int, user: User) -> set[str]:
    """Names of everybody else whom the organization knows or knew."""
    members = Membership.objects.filter(organization=organization).exclude(user=user)
    found = {one.user.label for one in members.select_related("user")}
    people = AuditPerson.objects.filter(organization=organization, ref__startswith="usr_")
    for one in people.exclude(ref=user.public_id):
        found |= {one.label, one.email, *one.formerly}
    return found


def own_names(user: User) -> dict[int, set[str]]:
    """Organization → names that were the person's there and nobody else's."""
    return {
        organization: names - _borne_by_others(organization, user)
        for organization, names in known_as(user).items()
    }


def erase_names(user: User) -> int:
    """Replace the copies of a person's names; how many. Runs in ``rls.everyone``, while the
    audit log still knows the names."""
    count = 0
    for organization, own in sorted(own_names(user).items()):
        count += _beside_things(organization, own, former(user))
        count += _in_notices(organization, own, former(user))
    return count


def _beside_things(organization: int, names: Iterable[str], by: str) -> int:
    count = 0
    for column in traces.COPIED_NAMES:
        found = traces.resolved(column)
        if found is not None:
            model, name = found
            rows = model._base_manager.filter(
                **{"organization": organization, f"{name}__in": list(names)}
            )
            count += rows.update(**{name: by})
    return count


def _in_notices(organization: int, names: Iterable[str], by: str) -> int:
    """What others were told of the person, in their inboxes."""
    count = 0
    for name in names:
        quoted = json.dumps(name, ensure_ascii=False)
        rows = Notice.objects.filter(organization=organization).annotate(
            text=Cast("words", TextField())
        )
        found = list(rows.filter(text__contains=quoted))
        for one in found:
            one.words = {key: by if word == name else word for key, word in one.words.items()}
        count += Notice.objects.bulk_update(found, ["words"], batch_size=BATCH)
    return count


def erase_addresses(user: User, now: datetime) -> None:
    """The outbox, and invitations to the person: the open ones end. Runs in ``rls.everyone``."""
    own = _addresses_ever(user)
    Mail.objects.filter(to__in=own).delete()
    invited = Invitation.objects.filter(email__in=own)
    for one in invited.filter(accepted_at=None, revoked_at=None).select_related("organization"):
        Invitation.objects.filter(pk=one.pk).update(revoked_at=now)
        by = actors.system(one.organization, "Account deletion")
        audit.record("invitation.revoke", by=by, now=now, subject=one.public_id)
    invited.update(email=unreachable(user))


def cut_traces(user: User) -> None:
    """Remove or unhook every row that points at the person, as the table says."""
    for trace, model, name in traces.pointing():
        rows = model._base_manager.filter(**{name: user})
        if trace.at_end == AtEnd.REMOVED:
            rows.delete()
        elif trace.at_end == AtEnd.NOBODY:
            rows.update(**{name: None})


def end_sessions(user: User) -> int:
    """Remove the person's sessions; how many. They are not listed by person, so all are read."""
    mine = [
        one.session_key
        for one in Session.objects.iterator(chunk_size=BATCH)
        if one.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    return Session.objects.filter(session_key__in=mine).delete()[0]


def anonymise(user: User) -> None:
    """The row itself: no name, no address, no way in."""
    user.email = unreachable(user)
    user.name = former(user)
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.set_unusable_password()
    user.save()


def erase(user: User, *, now: datetime) -> None:
    """All of it, in the order in which each part still finds what it needs."""
    erase_names(user)
    erase_addresses(user, now)
    cut_traces(user)
    end_sessions(user)
    anonymise(user)
    audit.forget(user, now=now)
