"""A revoked key is refused within a second, also while the publisher is dead.

The program that revokes writes the tombstone itself, after its transaction is committed, with a
number that is newer than every snapshot taken before: an older grant is refused by Valkey. A
stream that runs ends at its next renewal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils.translation import gettext as _

from billing.budgets import admission
from portal.admission import keys as names
from portal.admission.calls import AdmissionUnavailable
from portal.admission.grants import Grant
from portal.deployments.models import Endpoint
from tenants.actions import keys, members, projects, reviews
from tenants.actions.handover import Fates
from tenants.actors import Actor
from tenants.models import AccessLine, ApiKey, Membership, Organization, Project

_log = structlog.get_logger()


class ProjectInUse(Exception):
    def __str__(self) -> str:
        return _("Endpoints of this project still run. Stop them first.")


def revoke(*, key: ApiKey, by: Actor, now: datetime) -> ApiKey:
    """End a key, here and at the gateway."""
    key = keys.revoke(key=key, by=by, now=now)
    after_commit(by.organization, [key])
    return key


def rotate(*, key: ApiKey, overlap: timedelta, by: Actor, now: datetime) -> tuple[ApiKey, str]:
    """As ``tenants.actions.keys.rotate``; without an overlap the old key ends at the gateway."""
    made, secret = keys.rotate(key=key, overlap=overlap, by=by, now=now)
    if not overlap:
        after_commit(by.organization, [key])
    return made, secret


def archive(*, project: Project, by: Actor, now: datetime) -> Project:
    """Archive a project; its keys end at the gateway. ``ProjectInUse`` while endpoints run."""
    if Endpoint.objects.visible_to(by).running().filter(project=project).exists():
        raise ProjectInUse
    project = projects.archive(project=project, by=by, now=now)
    after_commit(by.organization, ApiKey.objects.visible_to(by).filter(project=project))
    return project


def remove_member(*, membership: Membership, fates: Fates, by: Actor, now: datetime) -> None:
    """As ``tenants.actions.members.remove``; revoked keys end at the gateway."""
    ended = members.remove(membership=membership, fates=fates, by=by, now=now)
    after_commit(by.organization, ended)


def leave(*, fates: Fates, by: Actor, now: datetime) -> None:
    """As ``tenants.actions.members.leave``; revoked keys end at the gateway."""
    after_commit(by.organization, members.leave(fates=fates, by=by, now=now))


def remove_reviewed(*, line: AccessLine, by: Actor, now: datetime) -> AccessLine:
    """As ``tenants.actions.reviews.remove``; revoked keys end at the gateway."""
    line, ended = reviews.remove(line=line, by=by, now=now)
    after_commit(by.organization, ended)
    return line


def after_commit(organization: Organization, ended: Iterable[ApiKey]) -> None:
    """Tombstones for keys that this transaction ends."""
    transaction.on_commit(partial(tell, organization, list(ended)), robust=True)


def tell(organization: Organization, ended: list[ApiKey]) -> bool:
    """Write tombstones now. False if Valkey did not take them: the publisher will.

    The publisher is told which: what was ended and restored between two of its looks is to it as
    it was, and it would leave the tombstone until it tells all again. A word that is lost costs
    that half minute. It looks after it has read the word, and so with a newer number.
    """
    try:
        admission().publish_grants(
            (key.sha256, _tombstone(key, organization), True) for key in ended
        )
        admission().note_ended([key.sha256 for key in ended])
    except AdmissionUnavailable as error:
        _log.warning("tombstone.not_told", because=str(error), keys=len(ended))
        return False
    return True


def _tombstone(key: ApiKey, organization: Organization) -> Grant:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('publication_number')")
        (number,) = cursor.fetchone()
    return Grant(
        number=number,
        organization=organization.public_id,
        org_code=organization.code,
        project="",
        key=key.public_id,
        mode="live",
        models={},
        sites=(),
        data_class="",
        rpm=0,
        concurrency=0,
        budgets=(),
    )


def is_refused(key: ApiKey, organization: Organization) -> bool | None:
    """Whether the gateway refuses the key by now; ``None`` if nobody can tell."""
    try:
        told: Any = admission().read(names.grant(organization.code, key.sha256), "revoked")
    except AdmissionUnavailable:
        return None
    return told is None or told == b"1"
