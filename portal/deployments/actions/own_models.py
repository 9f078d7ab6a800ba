"""Models of one's own: registering them, having them checked again, withdrawing them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.catalog import admitting, origins
from portal.catalog.models import CatalogModel, OwnModel, OwnModelState, Version
from portal.deployments.models import CapacityWatch, Endpoint, Order, OrderState
from portal.lib import ids
from portal.lib.wake import wake
from tenants import audit, names, quotas
from tenants.actors import Actor
from tenants.models import Organization

LONGEST_NAME = 60
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class BadLocation(ValueError):
    def __str__(self) -> str:
        return _(
            "Give the address of the manifest at a place that the operator allows: plain names of "
            "folders and a file, without a question mark, a user or an escape."
        )


class BadDigest(ValueError):
    def __str__(self) -> str:
        return _("Give the SHA-256 of the manifest: sha256: and 64 hexadecimal digits.")


class UnknownBase(ValueError):
    def __str__(self) -> str:
        return _("Choose a model of the catalogue that own models can be compared with.")


class LicenceNotConfirmed(ValueError):
    def __str__(self) -> str:
        return _("Confirm that the licences of the model and of its base allow you to run it here.")


class NameTaken(Exception):
    def __str__(self) -> str:
        return _("Another model has this name. Choose a different one.")


class RegisteredAlready(Exception):
    def __str__(self) -> str:
        return _("A model with this manifest is registered already.")


class TooManyOwnModels(Exception):
    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("The organization may have %(most)d models of its own. Withdraw one first.") % {
            "most": self.most
        }


class NotNow(Exception):
    """Its state does not allow it, or has just changed."""

    def __str__(self) -> str:
        return _("This cannot be done in its present state. Look at it again.")


class InUse(Exception):
    def __init__(self, endpoints: list[str]) -> None:
        super().__init__(endpoints)
        self.endpoints = endpoints

    def __str__(self) -> str:
        return _("Endpoints or orders use it: %(names)s. Stop or withdraw them first.") % {
            "names": ", ".join(self.endpoints)
        }


@dataclass(frozen=True, slots=True)
class Registration:
    """What a customer gives. ``base`` is a slug of the catalogue."""

    name: str
    base: str
    location: str
    digest: str
    licence_confirmed: bool


@transaction.atomic
def register(*, wish: Registration, by: Actor, now: datetime) -> OwnModel:
    """Write it down; a worker checks it. ``names.BadName``, ``BadLocation``, ``BadDigest``,
    ``UnknownBase``, ``LicenceNotConfirmed``, ``NameTaken``, ``RegisteredAlready``,
    ``TooManyOwnModels``."""
    by.require("endpoints.change")
    name, base = names.normalized(wish.name, longest=LONGEST_NAME), _base(wish.base)
    _require_shape(wish)
    # Locked: two at once must not both be the last one.
    rows = Organization.objects.select_for_update(of=["self"], no_key=True)
    rows.get(pk=by.organization.pk)
    _require_room(by, name, wish.digest)
    try:
        with transaction.atomic():
            made = OwnModel.objects.create(
                public_id=ids.mint("mdl"),
                organization=by.organization,
                name=name,
                base=base,
                location=wish.location,
                digest=wish.digest,
                registered_at=now,
                registered_by=by.label,
                check_at=now,
            )
    except IntegrityError as error:
        raise NameTaken from error
    admitting.note(made, "", OwnModelState.REGISTERED, because="registered", now=now)
    _record("own_model.register", made, by, now)
    _nudge(made)
    return made


def bases() -> list[Version]:
    """What a model of one's own can be compared with."""
    rows = Version.objects.filter(model__kind="chat", current=True).select_related("model")
    return [one for one in rows.order_by("model__slug") if one.can_be_tuned]


def _base(slug: str) -> Version:
    rows = Version.objects.filter(model__slug=slug, model__kind="chat", current=True)
    found = rows.select_related("model").first()
    if found is None or not found.can_be_tuned:
        raise UnknownBase
    return found


def _require_shape(wish: Registration) -> None:
    if not _DIGEST.fullmatch(wish.digest):
        raise BadDigest
    try:
        origins.of(wish.location)
    except origins.NotAllowed:
        raise BadLocation from None
    if not wish.licence_confirmed:
        raise LicenceNotConfirmed


def _require_room(by: Actor, name: str, digest: str) -> None:
    kept = OwnModel.objects.filter(organization=by.organization).kept()
    if CatalogModel.objects.filter(slug=name).exists() or kept.filter(name=name).exists():
        raise NameTaken
    if kept.filter(digest=digest).exists():
        raise RegisteredAlready
    most = quotas.most(by.organization, "own_models")
    if kept.count() >= most:
        raise TooManyOwnModels(most)


@transaction.atomic
def check_again(*, own: OwnModel, by: Actor, now: datetime) -> OwnModel:
    """Have one checked again that was refused; one that waits already stays so. ``NotNow``."""
    by.require("endpoints.change")
    if own.state in {OwnModelState.REGISTERED, OwnModelState.CHECKING}:
        return own
    if own.state != OwnModelState.REFUSED:
        raise NotNow
    nothing: dict[str, Any] = {"code": "", "details": {}, "attempts": 0, "check_at": now}
    if not admitting.move(own, OwnModelState.REGISTERED, because="asked_again", now=now, **nothing):
        raise NotNow
    _record("own_model.check", own, by, now)
    _nudge(own)
    return own


@transaction.atomic
def withdraw(*, own: OwnModel, by: Actor, now: datetime) -> OwnModel:
    """Take it out of the organization's catalogue; its row stays, because orders name it.
    Repeating it changes nothing. ``InUse``, ``NotNow`` while a worker checks it."""
    by.require("endpoints.change")
    own = OwnModel.objects.select_for_update(of=["self"]).get(pk=own.pk)
    if own.state == OwnModelState.WITHDRAWN:
        return own
    if own.state == OwnModelState.CHECKING:
        raise NotNow
    if using := _using(own):
        raise InUse(using)
    CapacityWatch.objects.filter(own_model=own).delete()  # nobody waits for it any more
    admitting.move(own, OwnModelState.WITHDRAWN, because="withdrawn", now=now, code="", details={})
    _record("own_model.withdraw", own, by, now)
    return own


def _using(own: OwnModel) -> list[str]:
    """Names of what runs it or is to run it."""
    running = Endpoint.objects.filter(own_model=own, stopped_at=None)
    waiting = Order.objects.filter(own_model=own, state=OrderState.AWAITING)
    found = {*running.values_list("name", flat=True), *waiting.values_list("name", flat=True)}
    return sorted(found)


def _record(verb: str, own: OwnModel, by: Actor, now: datetime) -> None:
    told = {"name": own.name, "location": own.location, "digest": own.digest}
    audit.record(verb, by=by, now=now, subject=own.public_id, changes=told)


def _nudge(own: OwnModel) -> None:
    wake(
        "portal.deployments.tasks.check_own_model",
        organization_id=own.organization_id,
        own_model_id=own.pk,
    )
