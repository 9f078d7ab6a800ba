"""Unpaid invoices: people are reminded by the schedule, spending stops, and begins again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import DatabaseError
from django.db.models import OuterRef, QuerySet
from django.urls import reverse

from billing import shares
from billing.dunning import Schedule, Step
from billing.models import Invoice, Reminder
from billing.shares import Share
from portal.lib.periods import seoul_date
from tenants import notices, rls
from tenants.actions import payment_holds
from tenants.models import Organization, PaymentHold

log = structlog.get_logger()

LONGEST_AHEAD = timedelta(days=60)


def schedule() -> Schedule:
    """The operator's settings."""
    days = settings.DURE_RESTRICT_AFTER_DAYS
    return Schedule(tuple(settings.DURE_REMINDER_DAYS), int(days) if days else None)


def dates(invoice: Invoice) -> list[tuple[Share, Step, date, str]]:
    """What will happen, and when, while the invoice stays unpaid, for each share of what is open;
    with the name by which a step is kept once it is taken."""
    return [
        (share, step, day, _kept(share, step))
        for share in shares.of(invoice)
        for step, day in schedule().dates(share.due)
    ]


def _kept(share: Share, step: Step) -> str:
    """Both shares of an invoice go through the same steps, each on its own days."""
    return f"p-{step.name}" if share.of_programme else step.name


def sweep(*, now: datetime, after: int = 0, look: Callable[[int], None] = lambda pk: None) -> int:
    """Remind, restrict and lift what is due today; how many steps were taken. Repeating it
    changes nothing. One organization's error stops none of the others. Who owes nothing, or for
    whom nothing is due, is not looked at.

    It begins with the organization after the key ``after`` and goes around; ``look`` is told each
    before its turn, so that one that was broken off can be gone on with.
    """
    with rls.everyone(because="sweep: unpaid invoices of all organizations"):
        rows = list(Organization.objects.filter(pk__in=_concerned(now)))
    taken = 0
    for one in sorted(rows, key=lambda one: (one.pk <= after, one.pk)):
        look(one.pk)
        taken += _organization_safely(one, now)
    return taken


def _concerned(now: datetime) -> set[int]:
    """Keys of organizations for which a step is due, or which are held and should not be, or the
    other way round. Two queries, however many organizations have had an invoice."""
    today, plan = seoul_date(now), schedule()
    rows = shares.with_own(_due_soon(today)).filter(open__gt=0)
    rows = rows.annotate(
        kept=ArraySubquery(Reminder.objects.filter(invoice=OuterRef("pk")).values("step"))
    )
    told, overdue = set(), set()
    for organization, kept, *amounts in rows.values_list("organization", "kept", *shares.FIELDS):
        for share in shares.parts(*amounts):
            if _next_step(share, kept, today) is not None:
                told.add(organization)
            if plan.restricts(share.due, today):
                overdue.add(organization)
    holds = PaymentHold.objects.filter(lifted_at=None)
    return told | (overdue ^ set(holds.values_list("organization", flat=True)))


def _due_soon(today: date) -> QuerySet[Invoice]:
    return Invoice.objects.filter(due_date__lte=today + LONGEST_AHEAD, total_won__gt=0)


def _next_step(share: Share, kept: Collection[str], today: date) -> Step | None:
    """The step that is due for a share, of whose invoice these are kept as taken."""
    plan = schedule()
    taken = [step.name for step in plan.steps if _kept(share, step) in kept]
    return plan.next_step(share.due, today, taken)


def _organization_safely(organization: Organization, now: datetime) -> int:
    try:
        return settle(organization, now=now)
    except (DatabaseError, LookupError):
        log.exception("dunning.organization_failed", organization=organization.public_id)
        return 0


def settle(organization: Organization, *, now: datetime) -> int:
    """Take the steps that are due for one organization, and lift the restriction if everything
    overdue is paid: also called at once when a payment has come in."""
    today, plan = seoul_date(now), schedule()
    with rls.tenant(organization.pk):
        rows = _due_soon(today).filter(organization=organization)
        found = list(rows.order_by("due_date", "pk"))
        left = shares.of_many(found)
        unpaid = [(one, share) for one in found for share in left[one.pk]]
        taken = sum(_remind(one, share, today, now) for one, share in unpaid)
    overdue = [one for one, share in unpaid if plan.restricts(share.due, today)]
    with rls.everyone(because="a payment hold is the operator's row"):
        if overdue:
            first = overdue[0]
            payment_holds.place(
                organization=organization,
                document=first.public_id,
                number=first.number,
                place=reverse("invoice", args=[first.public_id]),
                now=now,
            )
        else:
            payment_holds.lift(organization=organization, now=now)
    return taken


def _remind(invoice: Invoice, share: Share, today: date, now: datetime) -> int:
    kept = set(Reminder.objects.filter(invoice=invoice).values_list("step", flat=True))
    step = _next_step(share, kept, today)
    if step is None:
        return 0
    _row, made = Reminder.objects.get_or_create(
        invoice=invoice,
        step=_kept(share, step),
        defaults={
            "organization_id": invoice.organization_id,
            "open_won": share.won,
            "at": now,
        },
    )
    if not made:
        return 0  # another sweep was faster
    if not step.restricts:  # the hold tells of itself
        _tell(invoice, step, share, now)
    return 1


def _tell(invoice: Invoice, step: Step, share: Share, now: datetime) -> None:
    last = [day for one, day in schedule().dates(share.due) if one.restricts]
    notices.tell(
        "invoice.due_soon" if step.days <= 0 else "invoice.overdue",
        organization=invoice.organization,
        to=notices.holders(invoice.organization, "invoices.read"),
        now=now,
        place=reverse("invoice", args=[invoice.public_id]),
        number=invoice.number,
        open=f"{share.won:,}",
        day=share.due.isoformat(),
        restricted=last[0].isoformat() if last else "–",
    )
