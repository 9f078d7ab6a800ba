"""Taking a person out of the rows that stay.

Names stand copied beside what people made (keys, endpoints, orders, files, changes of a limit).
Where such a copy is the person's, it becomes ``former member usr_…``. A name that another member
of the organization bears too stays: it names that member.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.sessions.models import Session
from django.db.models import Q

from tenants import traces
from tenants.models import AuditEvent, Membership, User
from tenants.traces import AtEnd

UNREACHABLE = "erased.invalid"  # RFC 2606: no mail is ever delivered there


def former(user: User) -> str:
    """How somebody without an account is named. The database lets names become only this."""
    return f"former member {user.public_id}"


def known_as(user: User) -> set[str]:
    """Every name that was ever written down for the person: now, and in the audit log."""
    told = AuditEvent.objects.filter(
        Q(actor_ref=user.email) | Q(actor_ref=user.public_id), actor_kind="user"
    )
    return {user.label, user.email, *told.order_by().values_list("actor_label", flat=True)}


def organizations_of(user: User) -> set[int]:
    """Where the person is a member, or has ever done something."""
    told = AuditEvent.objects.filter(
        Q(actor_ref=user.email) | Q(actor_ref=user.public_id), actor_kind="user"
    )
    members = Membership.objects.filter(user=user)
    return {
        *members.values_list("organization_id", flat=True),
        *told.order_by().values_list("organization_id", flat=True).distinct(),
    }


def erase_names(user: User) -> int:
    """Replace the copies of a person's names; how many. Runs in ``rls.everyone``, before the
    memberships end and the address is replaced."""
    names, count = known_as(user), 0
    for organization in sorted(organizations_of(user)):
        others = Membership.objects.filter(organization=organization).exclude(user=user)
        borne = {one.user.label for one in others.select_related("user")}
        count += _replace(organization, names - borne, former(user))
    return count


def _replace(organization: int, names: Iterable[str], by: str) -> int:
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
        for one in Session.objects.iterator(chunk_size=500)
        if one.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    return Session.objects.filter(session_key__in=mine).delete()[0]


def anonymise(user: User) -> None:
    """The row itself: no name, no address, no way in."""
    user.email = f"{user.public_id}@{UNREACHABLE}"
    user.name = former(user)
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.set_unusable_password()
    user.save()
