"""Credit that is paid for in advance: topped up, drawn by invoices, given back, expired.

A top-up is a wish; once so much credit is there it becomes a funding source, and its won leave
*credit* for *prepaid*. What is left of a source is the sum of its entries, each of which names the
payment that the won came with. All deeds run with the organization locked and post to the journal
in the same transaction. Paid back is only credit: who ends a source before its last day has what
is left as credit again; what expires is not paid back.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import journal, receivables
from billing.journal import transfer
from billing.models import (
    Account,
    FundingKind,
    FundingSource,
    Invoice,
    Payment,
    PaymentAllocation,
    PrepaidBecause,
    PrepaidEntry,
    PrepaidReminder,
    PrepaidTopUp,
)
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants import actors, audit, notices, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()

EVER = date(2000, 1, 1)  # prepaid credit pays for use of any day
LEAST_WON, MOST_WON = 10_000, 10**10
MOST_WAITING = 20
REMIND_BEFORE = (30, 7)  # days
LAST_PLACE = 32_767
LABEL = "Prepaid credit"


class BadTopUp(ValueError):
    """The sentence says what is wrong with the amount."""


class TopUpOver(Exception):
    def __str__(self) -> str:
        return _("This top-up is paid or withdrawn already.")


def lock(organization: Organization) -> None:
    """Money of one organization moves one deed after the other; use may point at it meanwhile."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


# ─── topped up ─────────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def ask(*, won: int, by: Actor, now: datetime) -> PrepaidTopUp:
    """Wish to pay ``won`` in advance. Credit that is there is taken at once. ``BadTopUp``."""
    by.require("payments.change")
    if not LEAST_WON <= won <= MOST_WON:
        raise BadTopUp(_("A top-up is ₩10,000 to ₩10,000,000,000."))
    organization = by.organization
    lock(organization)
    if waiting(organization).count() >= MOST_WAITING:
        raise BadTopUp(_("Too many top-ups wait for their payment. Withdraw some."))
    wish = PrepaidTopUp.objects.create(
        public_id=ids.mint("top"), organization=organization, won=won, asked_at=now
    )
    audit.record("topup.ask", by=by, now=now, subject=wish.public_id, changes={"won": won})
    fill(organization, now=now)
    wish.refresh_from_db()
    return wish


@transaction.atomic
def withdraw(*, wish: PrepaidTopUp, by: Actor, now: datetime) -> None:
    """Wait for it no more. ``TopUpOver`` if it was paid meanwhile."""
    by.require("payments.change")
    lock(wish.organization)  # against a payment that fills it at this moment
    rows = PrepaidTopUp.objects.filter(pk=wish.pk, source=None, withdrawn_at=None)
    if not rows.update(withdrawn_at=now):
        raise TopUpOver
    audit.record("topup.withdraw", by=by, now=now, subject=wish.public_id)


def waiting(organization: Organization) -> QuerySet[PrepaidTopUp]:
    """Wishes that are not paid yet, the oldest first."""
    rows = PrepaidTopUp.objects.filter(organization=organization, source=None, withdrawn_at=None)
    return rows.order_by("asked_at", "pk")


def meant(organization: Organization, *, won: int, first: str) -> PrepaidTopUp | None:
    """The wish that a payment is for: the one that it names, or the oldest of exactly this amount
    if it names nothing. Other payments go to invoices first."""
    rows = waiting(organization)
    return (rows.filter(public_id=first) if first else rows.filter(won=won)).first()


def fill(organization: Organization, *, now: datetime, first: PrepaidTopUp | None = None) -> int:
    """Wishes that credit is enough for become sources; how many. The organization is locked."""
    wishes = sorted(waiting(organization), key=lambda one: one != first)
    filled = 0
    for wish in wishes:
        free = list(receivables.free_payments(organization))
        if wish.won <= sum(one.free for one in free):
            _fill(wish, free, now)
            filled += 1
    return filled


def _fill(wish: PrepaidTopUp, free: list[Payment], now: datetime) -> None:
    organization = wish.organization
    source = _source(wish, now)
    left = wish.won
    for payment in free:
        part = min(left, payment.free)  # type: ignore[attr-defined]
        if part:
            _entry(source, payment, part, PrepaidBecause.TOPUP, now)
        left -= part
    PrepaidTopUp.objects.filter(pk=wish.pk).update(source=source)
    _post(
        source, "topup", source.public_id, transfer(Account.CREDIT, Account.PREPAID, wish.won), now
    )
    audit.record(
        "topup.fill",
        by=actors.system(organization, LABEL),
        now=now,
        subject=source.public_id,
        changes={"won": wish.won},
        organization=organization,
    )


def _source(wish: PrepaidTopUp, now: datetime) -> FundingSource:
    """The last in the order; its owner moves it."""
    today = seoul_date(now)
    until = today + timedelta(days=settings.DURE_PREPAID_DAYS)
    rows = FundingSource.objects.filter(organization=wish.organization, ended_at=None)
    last = rows.aggregate(place=Max("place"))["place"] or 0
    return FundingSource.objects.create(
        public_id=ids.mint("fund"),
        organization=wish.organization,
        kind=FundingKind.PREPAID,
        place=min(last + 1, LAST_PLACE),
        name=today.isoformat(),
        cap_won=wish.won,
        starts=EVER,
        last_day=until,
        usable_until=until,
        added_at=now,
    )


def _entry(
    source: FundingSource,
    payment: Payment,
    won: int,
    because: PrepaidBecause,
    now: datetime,
    invoice: Invoice | None = None,
) -> None:
    PrepaidEntry.objects.create(
        organization_id=source.organization_id,
        source=source,
        payment=payment,
        invoice=invoice,
        won=won,
        because=because,
        at=now,
    )


def _post(
    source: FundingSource,
    kind: str,
    reference: str,
    transfers: list[journal.Transfer],
    now: datetime,
) -> None:
    journal.post(
        organization=source.organization,
        kind=kind,
        reference=reference,
        transfers=transfers,
        at=now,
        now=now,
    )


# ─── used, and given back ──────────────────────────────────────────────────────────────────────


def left_won(source: FundingSource) -> int:
    """What is still there."""
    return source.entries.aggregate(total=Sum("won"))["total"] or 0


def is_over(source: FundingSource, now: datetime) -> bool:
    """Ended, or its last day is past."""
    return source.ended_at is not None or source.usable_until < seoul_date(now)


def _held(rows: QuerySet[PrepaidEntry], by: str) -> list[tuple[int, int]]:
    """What is left by payment or source, in the order in which it came."""
    sums: dict[int, int] = {}
    for key, won in rows.order_by("at", "pk").values_list(by, "won"):
        sums[key] = sums.get(key, 0) + won
    return [(key, won) for key, won in sums.items() if won > 0]


def pay(source: FundingSource, invoice: Invoice, won: int, *, now: datetime) -> None:
    """What an invoice drew: it is paid by that. The organization is locked."""
    for payment, has in _held(PrepaidEntry.objects.filter(source=source), "payment"):
        part = min(won, has)
        if part:
            allocation = _allocation(source, payment, invoice, part, "prepaid", now)
            _entry(source, allocation.payment, -part, PrepaidBecause.DRAWN, now, invoice)
            transfers = transfer(Account.PREPAID, Account.RECEIVABLE, part)
            _post(source, "prepaid_use", allocation.public_id, transfers, now)
        won -= part


def _allocation(
    source: FundingSource, payment: int, invoice: Invoice, won: int, because: str, now: datetime
) -> PaymentAllocation:
    return PaymentAllocation.objects.create(
        public_id=ids.mint("alloc"),
        organization_id=source.organization_id,
        payment_id=payment,
        invoice=invoice,
        prepaid=source,
        won=won,
        because=because,
        at=now,
    )


def put_back(source: FundingSource, invoice: Invoice, won: int, *, now: datetime) -> None:
    """What a credit note gives back: prepaid again, or credit if the source is over. Never more
    than what still stands on the invoice. The organization is locked."""
    over = is_over(source, now)
    rows = PaymentAllocation.objects.filter(prepaid=source, invoice=invoice)
    sums: dict[int, int] = {}
    for payment, part in rows.order_by("-at", "-pk").values_list("payment", "won"):
        sums[payment] = sums.get(payment, 0) + part
    for payment, stands in sums.items():
        part = min(won, stands)
        if part <= 0:
            continue
        won -= part
        allocation = _allocation(source, payment, invoice, -part, "credit_note", now)
        account = Account.CREDIT if over else Account.PREPAID
        if not over:
            _entry(source, allocation.payment, part, PrepaidBecause.RETURNED, now, invoice)
        transfers = transfer(Account.RECEIVABLE, account, part)
        _post(source, "prepaid_return", allocation.public_id, transfers, now)


def take_away(payment: Payment, won: int, *, now: datetime) -> int:
    """A payment is taken back: what is left of its prepaid won goes first; how many went. The
    caller posts."""
    taken = 0
    for key, has in _held(PrepaidEntry.objects.filter(payment=payment), "source"):
        part = min(won - taken, has)
        if part > 0:
            source = FundingSource.objects.get(pk=key)
            _entry(source, payment, -part, PrepaidBecause.REVERSED, now)
            taken += part
    return taken


# ─── over ──────────────────────────────────────────────────────────────────────────────────────


def give_up(source: FundingSource, *, now: datetime) -> int:
    """Its owner has ended it: what is left is credit again, or expires if it was too late. The
    organization is locked."""
    late = source.usable_until < seoul_date(now)
    because = PrepaidBecause.EXPIRED if late else PrepaidBecause.CREDITED
    left = _empty(source, because, now)
    account = Account.EXPIRED if late else Account.CREDIT
    kind = "prepaid_expiry" if late else "prepaid_end"
    if left:
        _post(source, kind, source.public_id, transfer(Account.PREPAID, account, left), now)
    return left


def _empty(source: FundingSource, because: PrepaidBecause, now: datetime) -> int:
    held = _held(PrepaidEntry.objects.filter(source=source), "payment")
    payments = Payment.objects.in_bulk([key for key, _won in held])
    for key, won in held:
        _entry(source, payments[key], -won, because, now)
    return sum(won for _key, won in held)


@transaction.atomic
def expire(source: FundingSource, *, now: datetime) -> int:
    """After its last day what is left is lost; the won. Again, or too early, it changes nothing."""
    with rls.tenant(source.organization_id):
        lock(source.organization)
        if source.usable_until >= seoul_date(now):
            return 0
        left = give_up(source, now=now)
        if left:
            _tell(source, "prepaid.expired", left, now)
            audit.record(
                "topup.expire",
                by=actors.system(source.organization, LABEL),
                now=now,
                subject=source.public_id,
                changes={"won": left},
                organization=source.organization,
            )
    return left


def _tell(source: FundingSource, kind: str, left: int, now: datetime) -> None:
    notices.tell(
        kind,
        organization=source.organization,
        to=notices.holders(source.organization, "payments.read"),
        now=now,
        place=reverse("funding_source", args=[source.public_id]),
        left=f"{left:,}",
        day=source.usable_until.isoformat(),
    )


@transaction.atomic
def remind(source: FundingSource, *, now: datetime) -> bool:
    """Tell people that it ends soon, once for each of ``REMIND_BEFORE``; whether they were told.
    Days that were missed are not made up for."""
    with rls.tenant(source.organization_id):
        lock(source.organization)
        days = (source.usable_until - seoul_date(now)).days
        steps = [step for step in REMIND_BEFORE if 0 <= days <= step]
        left = left_won(source)
        if not steps or not left or is_over(source, now):
            return False
        _row, made = PrepaidReminder.objects.get_or_create(
            source=source,
            days=min(steps),
            defaults={"organization_id": source.organization_id, "at": now},
        )
        if made:
            _tell(source, "prepaid.expires", left, now)
    return made


def sweep(*, now: datetime) -> int:
    """Expire and remind; how many sources were changed or told of. One organization's trouble
    stops no other's; the next sweep tries again."""
    soon = seoul_date(now) + timedelta(days=max(REMIND_BEFORE))
    with rls.everyone(because="sweep: prepaid credit of all organizations"):
        rows = FundingSource.objects.filter(kind=FundingKind.PREPAID, usable_until__lte=soon)
        full = rows.annotate(left=Sum("entries__won")).filter(left__gt=0)
        due = list(full.select_related("organization").order_by("pk"))
    return sum(_swept(one, now) for one in due)


def _swept(source: FundingSource, now: datetime) -> bool:
    try:
        return bool(expire(source, now=now)) or remind(source, now=now)
    except Exception:
        log.exception("prepaid.failed", source=source.public_id)
        return False
