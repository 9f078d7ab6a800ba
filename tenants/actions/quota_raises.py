"""Asking for a larger quota, and deciding it: both in the logs, and both told."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import audit, notices, quotas, reasons, rls
from tenants.actions import quotas as changing
from tenants.actions.quotas import QuotaOutOfRange, UnknownQuota
from tenants.actors import Actor
from tenants.models import Organization, QuotaRaise, RaiseState
from tenants.notice_shapes import source


class NotMore(Exception):
    def __str__(self) -> str:
        return _("Ask for more than the organization may have now.")


class AskedAlready(Exception):
    def __str__(self) -> str:
        return _("More of this was asked for already. Wait for the answer, or withdraw it first.")


class Decided(Exception):
    def __str__(self) -> str:
        return _("This was decided or withdrawn already. Look at it again.")


def ask(*, name: str, to_most: int, because: str, by: Actor, now: datetime) -> QuotaRaise:
    """``UnknownQuota``, ``QuotaOutOfRange``, ``NotMore``, ``AskedAlready``, ``BadReason``."""
    by.require("orders.create")
    limit = quotas.QUOTAS.get(name)
    if limit is None:
        raise UnknownQuota
    if to_most > limit.highest:
        raise QuotaOutOfRange(limit.highest)
    before = quotas.most(by.organization, name)
    if to_most <= before:
        raise NotMore
    because = reasons.normalized(because)
    try:
        with transaction.atomic():
            made = QuotaRaise.objects.create(
                public_id=ids.mint("qra"),
                organization=by.organization,
                name=name,
                from_most=before,
                to_most=to_most,
                because=because,
                asked_at=now,
                asked_by=by.label,
            )
            changes = {"name": name, "from": before, "to": to_most}
            audit.record(
                "quota.ask",
                by=by,
                now=now,
                subject=made.public_id,
                changes=changes,
                because=because,
            )
            _tell_staff(made, now)
    except IntegrityError as error:
        raise AskedAlready from error
    return made


@transaction.atomic
def withdraw(*, asked: QuotaRaise, by: Actor, now: datetime) -> None:
    """No longer ask. Repeating it changes nothing."""
    by.require("orders.create")
    rows = QuotaRaise.objects.visible_to(by).filter(pk=asked.pk, state=RaiseState.OPEN)
    if rows.update(state=RaiseState.WITHDRAWN, decided_at=now):
        audit.record("quota.withdraw", by=by, now=now, subject=asked.public_id)


@transaction.atomic
def decide(
    *, asked: QuotaRaise, most: int | None, because: str, by: Actor, now: datetime
) -> QuotaRaise:
    """Grant ``most`` (as asked, or another number), or refuse it: ``None``. ``Decided``,
    ``QuotaOutOfRange``, ``BadReason``."""
    by.require("operator.quotas")
    because = reasons.normalized(because)
    rows = QuotaRaise.objects.select_for_update(of=["self"]).select_related("organization")
    row = rows.get(pk=asked.pk)
    if row.state != RaiseState.OPEN:
        raise Decided
    if most is not None:
        changing.change(
            organization=row.organization,
            name=row.name,
            most=most,
            because=because,
            by=by,
            now=now,
        )
        row.to_most = most
    row.state = RaiseState.REFUSED if most is None else RaiseState.GRANTED
    row.decided_at, row.decided_by, row.decided_because = now, by.label, because
    row.save()
    verb = "operator.quota_refuse" if most is None else "operator.quota_grant"
    audit.record(verb, by=by, now=now, subject=row.public_id, because=because)
    _tell_customer(row, now)
    return row


def _label(row: QuotaRaise) -> str:
    return source(quotas.QUOTAS[row.name].label)


def _tell_staff(row: QuotaRaise, now: datetime) -> None:
    with rls.everyone(because="a customer's wish is told to the operator's staff"):
        for operator in Organization.objects.filter(kind="operator"):
            notices.tell(
                "quota.asked",
                organization=operator,
                to=notices.holders(operator, "operator.quotas"),
                now=now,
                place=reverse("quota_raises"),
                customer=row.organization.name,
                what=_label(row),
                most=str(row.to_most),
            )


def _tell_customer(row: QuotaRaise, now: datetime) -> None:
    granted = row.state == RaiseState.GRANTED
    with rls.everyone(because="the decision is told to the customer's members"):
        notices.tell(
            "quota.granted" if granted else "quota.refused",
            organization=row.organization,
            to=notices.holders(row.organization, "orders.create"),
            now=now,
            place=reverse("quotas"),
            what=_label(row),
            most=str(row.to_most),
            because=row.decided_because,
        )
