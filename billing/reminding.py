"""Unpaid invoices: people are reminded by the schedule, spending stops, and begins again."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.urls import reverse

from billing import receivables
from billing.dunning import Schedule, Step
from billing.models import Invoice, Reminder
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


def dates(invoice: Invoice) -> list[tuple[Step, date]]:
    """What will happen, and when, while the invoice stays unpaid."""
    return schedule().dates(invoice.due_date)


def sweep(*, now: datetime) -> int:
    """Remind, restrict and lift what is due today; how many steps were taken. Repeating it
    changes nothing. One organization's error stops none of the others."""
    with rls.everyone(because="sweep: unpaid invoices of all organizations"):
        due = Invoice.objects.filter(due_date__lte=seoul_date(now) + LONGEST_AHEAD, total_won__gt=0)
        concerned = set(due.values_list("organization", flat=True))
        concerned |= set(
            PaymentHold.objects.filter(lifted_at=None).values_list("organization", flat=True)
        )
        rows = list(Organization.objects.filter(pk__in=concerned).order_by("pk"))
    return sum(_organization_safely(one, now) for one in rows)


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
        rows = Invoice.objects.filter(
            organization=organization, due_date__lte=today + LONGEST_AHEAD, total_won__gt=0
        )
        found = list(rows.order_by("due_date", "pk"))
        left = receivables.open_of_many(found)
        unpaid = [one for one in found if left[one.pk]]
        taken = sum(_remind(one, left[one.pk], today, now) for one in unpaid)
    overdue = [one for one in unpaid if plan.restricts(one.due_date, today)]
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


def _remind(invoice: Invoice, open_won: int, today: date, now: datetime) -> int:
    plan = schedule()
    taken = set(Reminder.objects.filter(invoice=invoice).values_list("step", flat=True))
    step = plan.next_step(invoice.due_date, today, taken)
    if step is None:
        return 0
    _row, made = Reminder.objects.get_or_create(
        invoice=invoice,
        step=step.name,
        defaults={
            "organization_id": invoice.organization_id,
            "open_won": open_won,
            "at": now,
        },
    )
    if not made:
        return 0  # another sweep was faster
    if not step.restricts:  # the hold tells of itself
        _tell(invoice, step, plan, open_won, now)
    return 1


def _tell(invoice: Invoice, step: Step, plan: Schedule, open_won: int, now: datetime) -> None:
    last = [day for one, day in plan.dates(invoice.due_date) if one.restricts]
    notices.tell(
        "invoice.due_soon" if step.days <= 0 else "invoice.overdue",
        organization=invoice.organization,
        to=notices.holders(invoice.organization, "invoices.read"),
        now=now,
        place=reverse("invoice", args=[invoice.public_id]),
        number=invoice.number,
        open=f"{open_won:,}",
        day=invoice.due_date.isoformat(),
        restricted=last[0].isoformat() if last else "–",
    )
