"""What the processor tells by webhook: kept once, answered at once, worked on afterwards.

A message says which object to ask about. The state is asked for, so that messages may come twice,
late and in any order. What cannot be asked about now is asked about again, at most ``MOST_TRIES``
times; what is unknown here is noted and harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import transaction

from billing.models import CardCharge, CardOnFile, Payment, ProviderEvent, Refund
from billing.models.payments import later
from billing.payments import cards, charges, disputes, refunds
from billing.payments.charges import Mismatch
from billing.providers.contract import (
    CardProvider,
    ProviderRefused,
    ProviderUnavailable,
    Told,
    UnknownObject,
)
from portal.lib.wake import wake
from tenants import rls

log = structlog.get_logger()

MOST_TRIES = 40  # with the longest pause of six hours: more than a week
BATCH = 200
UNKNOWN, NOT_OURS = "unknown object", "not of interest"


@transaction.atomic
def keep(told: Told, *, provider: str, now: datetime) -> None:
    """Write a message down, once whatever comes how often; the work is somebody else's."""
    ProviderEvent.objects.bulk_create(
        [
            ProviderEvent(
                provider=provider,
                event=told.event,
                kind=told.kind,
                about=told.about,
                told_at=told.at,
                received_at=now,
                due_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    wake("billing.tasks.read_provider_events")


def sweep(*, provider: CardProvider, now: datetime) -> int:
    """Work on what is due; how many messages are done with. One that fails stops no other."""
    rows = ProviderEvent.objects.filter(provider=provider.name, due_at__lte=now)
    done = 0
    for event in rows.order_by("received_at", "pk")[:BATCH]:
        try:
            outcome = handle(event, provider=provider, now=now)
        except ProviderUnavailable as error:
            _again(event, str(error), now)
        except Exception as error:  # a defect; the others are not to wait for it
            log.exception("provider_event.failed", provider_event=event.event)
            _again(event, type(error).__name__, now)
        else:
            ProviderEvent.objects.filter(pk=event.pk).update(due_at=None, outcome=outcome[:200])
            done += 1
    return done


def _again(event: ProviderEvent, because: str, now: datetime) -> None:
    tries = event.tries + 1
    due = later(now, tries) if tries < MOST_TRIES else None
    ProviderEvent.objects.filter(pk=event.pk).update(
        tries=tries, due_at=due, outcome=f"tried {tries} times: {because}"[:200]
    )


def handle(event: ProviderEvent, *, provider: CardProvider, now: datetime) -> str:
    """Ask about what a message is about, and take it over; what came of it, for the record."""
    for beginning, work in _WORK.items():
        if event.kind.startswith(beginning):
            try:
                return work(event.about, provider, now)
            except UnknownObject:
                return UNKNOWN
            except (Mismatch, ProviderRefused) as error:
                log.error("provider_event.mismatch", provider_event=event.event, error=str(error))
                return f"mismatch: {error}"
    return NOT_OURS


def charge_told(about: str, provider: CardProvider, now: datetime) -> str:
    """Ask about a charge and take it over."""
    found = provider.charge_found(about)
    with rls.everyone(because="a message of the processor: whose charge is it?"):
        rows = CardCharge.objects.select_related("organization", "invoice", "topup", "card")
        charge = rows.filter(public_id=found.key).first() if found.key else None
    if charge is None:
        return UNKNOWN
    return str(charges.settle(charge, found, provider=provider, now=now).state)


def _refund(about: str, provider: CardProvider, now: datetime) -> str:
    found = provider.refund_found(about)
    with rls.everyone(because="a message of the processor: whose refund is it?"):
        rows = Refund.objects.select_related("organization", "payment")
        refund = rows.filter(public_id=found.key).first() if found.key else None
    if refund is None:
        return UNKNOWN
    return str(refunds.settle(refund, found, now=now).state)


def _dispute(about: str, provider: CardProvider, now: datetime) -> str:
    found = provider.dispute_found(about)
    with rls.everyone(because="a message of the processor: whose payment is it?"):
        rows = Payment.objects.select_related("organization").filter(source=provider.name)
        payment = rows.filter(reference=found.charge).first()
    if payment is None:
        return UNKNOWN
    return disputes.settle(payment, found, now=now).state


def _setup(about: str, provider: CardProvider, now: datetime) -> str:
    with rls.everyone(because="a message of the processor: whose card is it?"):
        rows = CardOnFile.objects.select_related("organization")
        card = rows.filter(setup=about).first()
    if card is None:
        return UNKNOWN
    row = cards.finish(card, provider=provider, now=now)
    return "in use" if row.added_at else "not added"


_WORK: dict[str, Callable[[str, CardProvider, datetime], str]] = {
    "payment_intent.": charge_told,
    "refund.": _refund,
    "charge.dispute.": _dispute,
    "checkout.session.": _setup,
}
