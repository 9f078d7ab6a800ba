"""The check of a customer's own model: fetch its manifest, compare, admit or refuse.

Any worker may take a model that is due; it has a lease, and writes only with its token. The origin
is asked outside of every transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F

from portal.catalog import manifest, origins, own_telling
from portal.catalog.manifest import Manifest
from portal.catalog.models import Offering, OwnModel, OwnModelMove, OwnModelState, Version
from portal.catalog.own_models import OWN_MODEL_ARROWS
from portal.lib.wake import wake
from tenants import actors, audit, rls

AT_ONCE = 100  # nudges of one sweep
LEASE = timedelta(seconds=60)  # several times as long as the origin may take
PAUSES = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
MOST_ATTEMPTS = len(PAUSES) + 1


class NoSuchMove(Exception):
    """This state does not lead there. Nothing was changed."""


class _Refused(Exception):
    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code, self.details = code, details


def move(
    one: OwnModel,
    to_state: str,
    *,
    because: str,
    now: datetime,
    token: UUID | None = None,
    **seen: Any,
) -> bool:
    """Move it from the state it was loaded with; ``seen`` are columns to set with it. False if
    somebody else was first, or the lease is another's. ``NoSuchMove``."""
    if (one.state, to_state) not in OWN_MODEL_ARROWS:
        raise NoSuchMove(f"{one.public_id}: {one.state} → {to_state}")
    rows = OwnModel.objects.filter(pk=one.pk, state=one.state)
    if token is not None:
        rows = rows.filter(lease_token=token)
    if not rows.update(state=to_state, **seen):
        return False
    note(one, one.state, to_state, because=because, now=now)
    one.state = to_state
    for name, value in seen.items():
        setattr(one, name, value)
    return True


def note(one: OwnModel, before: str, after: str, *, because: str, now: datetime) -> None:
    """Write down what happened to it."""
    OwnModelMove.objects.create(
        organization_id=one.organization_id,
        own_model=one,
        from_state=before,
        to_state=after,
        because=because,
        at=now,
    )


def nudge_due(*, now: datetime) -> int:
    """How many wait for a worker. One that is nudged twice is checked once: its lease decides."""
    with rls.everyone(because="sweep: own models of all organizations"):
        rows = OwnModel.objects.due(now).order_by("check_at").values_list("organization", "pk")
        due = list(rows[:AT_ONCE])
    for organization_id, own_model_id in due:
        wake(
            "portal.deployments.tasks.check_own_model",
            organization_id=organization_id,
            own_model_id=own_model_id,
        )
    return len(due)


def check(organization: int, pk: int, *, now: datetime) -> bool:
    """One check, if it is due and nobody has it. Repeating it does no harm."""
    with rls.tenant(organization):
        one = _take(pk, now)
    if one is None or one.lease_token is None:
        return False
    try:
        found = _look(one)
    except origins.NotFetched as error:
        with rls.tenant(organization):
            if error.later and one.attempts < MOST_ATTEMPTS:
                return _again(one, error.code, now)
            return _refuse(one, _Refused(error.code), now)
    except _Refused as error:
        with rls.tenant(organization):
            return _refuse(one, error, now)
    with rls.tenant(organization):
        return _decide(one, found, now)


def _take(pk: int, now: datetime) -> OwnModel | None:
    """With a lease of its own. One whose workers have died often enough is given up."""
    one = OwnModel.objects.due(now).select_for_update(of=["self"]).filter(pk=pk).first()
    if one is None:
        return None
    token = uuid4()
    lease: dict[str, Any] = {
        "lease_token": token,
        "lease_until": now + LEASE,
        "attempts": F("attempts") + 1,
    }
    if one.state == OwnModelState.REGISTERED:
        move(one, OwnModelState.CHECKING, because="check", now=now, **lease)
    else:
        OwnModel.objects.filter(pk=pk).update(**lease)
    found = OwnModel.objects.select_related("organization", "base__model").get(pk=pk)
    if found.attempts > MOST_ATTEMPTS:
        _refuse(found, _Refused("unreachable"), now)
        return None
    return found


def _look(one: OwnModel) -> Manifest:
    """What lies there. ``origins.NotFetched``, ``_Refused``."""
    try:
        raw = origins.fetch(one.location, most=manifest.MOST_BYTES)
    except origins.NotAllowed:
        raise _Refused("not_allowed") from None
    if manifest.digest_of(raw) != one.digest:
        raise _Refused("digest_differs")
    try:
        found = manifest.read(raw)
        manifest.artifact_of(found, origins.split(one.location)[1])
    except manifest.BadManifest as error:
        raise _Refused("bad_manifest", where=error.where) from None
    return found


def _compare(found: Manifest, base: Version) -> None:
    """Whether it runs where its base runs. ``_Refused``."""
    if not base.can_be_tuned:
        raise _Refused("base_changed")
    if other := manifest.differences(found.config, base.config):
        raise _Refused("config_differs", differences=other)
    if found.context_tokens < base.model.context_tokens:
        pair = ("context_tokens", str(found.context_tokens), str(base.model.context_tokens))
        raise _Refused("context_too_short", differences=[pair])
    if not fitting(base, found.form):
        raise _Refused("no_chip")


def fitting(base: Version, form: str) -> list[Offering]:
    """The base's offerings whose servers load files of this form."""
    rows = base.offerings.select_related("chip").order_by("chip__order", "cards", "pk")
    return [one for one in rows if manifest.loaded_by(form, one.sdk)]


@transaction.atomic
def _decide(one: OwnModel, found: Manifest, now: datetime) -> bool:
    try:
        _compare(found, Version.objects.select_related("model").get(pk=one.base_id))
    except _Refused as error:
        return _refuse(one, error, now)
    path = origins.split(one.location)[1]
    admitted = move(
        one,
        OwnModelState.ADMITTED,
        because="admitted",
        now=now,
        token=one.lease_token,
        form=found.form,
        weights=manifest.weights_of(found, path, one.digest),
        artifact=manifest.artifact_of(found, path),
        bytes=found.bytes,
        context_tokens=found.context_tokens,
        languages=found.languages,
        **_ended(now),
    )
    if admitted:
        _record("own_model.admit", one, now, {"weights": one.weights})
        own_telling.tell(one, now=now)
    return admitted


@transaction.atomic
def _refuse(one: OwnModel, why: _Refused, now: datetime) -> bool:
    refused = move(
        one,
        OwnModelState.REFUSED,
        because=why.code,
        now=now,
        token=one.lease_token,
        code=why.code,
        details=why.details,
        **_ended(now),
    )
    if refused:
        _record("own_model.refuse", one, now, {"code": why.code})
        own_telling.tell(one, now=now)
    return refused


@transaction.atomic
def _again(one: OwnModel, code: str, now: datetime) -> bool:
    """Later: its origin may be back by then."""
    return move(
        one,
        OwnModelState.REGISTERED,
        because=code,
        now=now,
        token=one.lease_token,
        check_at=now + PAUSES[one.attempts - 1],
        lease_token=None,
        lease_until=None,
    )


def _ended(now: datetime) -> dict[str, Any]:
    return {"checked_at": now, "attempts": 0, "lease_token": None, "lease_until": None}


def _record(verb: str, one: OwnModel, now: datetime, changes: dict[str, Any]) -> None:
    by = actors.system(one.organization, one.public_id)
    audit.record(verb, by=by, now=now, subject=one.public_id, changes=changes)
