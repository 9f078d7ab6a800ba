"""Doors for the workers: who is told about money, and what comes by card and bank."""

from celery import shared_task
from django.utils import timezone

from billing import alerts
from billing.payments import bookings, charges, events, reconciliation, refunds
from billing.providers.chosen import card_provider


@shared_task
def tell_budgets() -> None:
    """Each minute: budgets that are nearly used, and those that are."""
    alerts.sweep(now=timezone.now())


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
