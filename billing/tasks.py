"""Doors for the workers: what use has cost, who is told about money, bank, card, tax service."""

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.core.cache import cache
from django.utils import timezone

from billing import accruals, alerts, price_notices, reminding
from billing.closing import delivery
from billing.etax import certificates, chosen, credited, preparing
from billing.etax import sweep as etax
from billing.fiscal import enforcement, late, usage
from billing.funding import prepaid
from billing.payments import bookings, charges, events, reconciliation, refunds
from billing.providers.chosen import card_provider
from portal.lib.periods import day_period, seoul_date
from tenants import rls
from tenants.models import Organization

log = structlog.get_logger()

REMINDED = "billing.reminded"  # key of the firm at which the reminders were broken off


@shared_task
def accrue() -> None:
    """Hourly: the days that are over, and what came late. An invoice looks at today by itself."""
    now = timezone.now()
    accruals.accrue(until=day_period(seoul_date(now)).start, now=now)


@shared_task
def tell_budgets() -> None:
    """Each minute: budgets that are nearly used, and those that are."""
    alerts.sweep(now=timezone.now())


@shared_task
def tell_of_prices() -> None:
    """Each minute: customers of prices that will change."""
    price_notices.sweep(now=timezone.now())


@shared_task
def sweep_etax() -> None:
    """Each minute: invoices and credit notes become e-tax documents, and those that are due are
    issued or asked about."""
    now = timezone.now()
    preparing.prepare_due(now=now)
    credited.amend_due(now=now)
    preparing.rebuild_due(now=now)
    issuer = chosen.issuer()
    if issuer is not None:
        etax.sweep(issuer=issuer, now=now)


@shared_task
def look_at_etax_certificate() -> None:
    """Hourly: whether the supplier can sign, and until when."""
    issuer = chosen.issuer()
    if issuer is not None:
        certificates.look(issuer=issuer, now=timezone.now())


@shared_task
def raise_lines() -> None:
    """Each minute: budget lines whose quarter has begun, and what a day has changed."""
    enforcement.refresh(now=timezone.now())


@shared_task
def book_usage() -> None:
    """Hourly: what public institutions used becomes expenditure of their lines; what was found
    after a year's close, of the present one's."""
    now = timezone.now()
    usage.book_all(now=now)
    late.pay_all(now=now)


@shared_task
def read_provider_events() -> None:
    """Woken by a webhook, and each minute: what the card processor has told."""
    if (provider := card_provider()) is not None:
        events.sweep(provider=provider, now=timezone.now())


@shared_task
def sweep_payments() -> None:
    """Each minute: credit onto open invoices, due invoices to cards, refunds on their way."""
    now = timezone.now()
    bookings.sweep(now=now)
    if (provider := card_provider()) is not None:
        charges.sweep(provider=provider, now=now)
        refunds.sweep(provider=provider, now=now)


@shared_task
def reconcile_cards() -> None:
    """Hourly: the card processor's balance against our books."""
    if (provider := card_provider()) is not None:
        reconciliation.sweep(provider=provider, now=timezone.now())


@shared_task
def sweep_prepaid() -> None:
    """Hourly: prepaid credit that ends, and telling those who may still use it."""
    prepaid.sweep(now=timezone.now())


@shared_task
def deliver_invoices() -> None:
    """Each minute: PDFs of issued invoices, and telling those who read them."""
    delivery.deliver(now=timezone.now())


@shared_task
def settle_reminders(organization_id: int) -> None:
    """Woken by a payment: what was restricted for being late is lifted at once."""
    with rls.everyone(because="a payment has come in for an organization"):
        organization = Organization.objects.get(pk=organization_id)
    reminding.settle(organization, now=timezone.now())


@shared_task
def remind_of_invoices() -> None:
    """Each hour: reminders, restrictions and what lifts them. Days are days in Korea. Where there
    are more firms than its time is enough for, the next hour goes on with the next one."""
    last = cache.get(REMINDED, 0)

    def look(pk: int) -> None:
        nonlocal last
        last = pk

    try:
        reminding.sweep(now=timezone.now(), after=last, look=look)
    except SoftTimeLimitExceeded:
        cache.set(REMINDED, last, timeout=None)
        log.warning("dunning.goes_on_next_hour")
    else:
        cache.delete(REMINDED)
