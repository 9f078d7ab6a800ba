"""The card on file: added on the processor's own page, removed here. One in use at a time."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from billing.models import CardOnFile
from billing.payments import charges
from billing.payments.charges import Mismatch
from billing.providers.contract import CardProvider, ProviderUnavailable, Setup
from portal.lib import ids
from tenants import actors, audit, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()


def begin(*, provider: CardProvider, back: str, by: Actor, now: datetime) -> tuple[CardOnFile, str]:
    """A row for the card to come, and the address of the page where it is typed in. ``back`` gets
    the row's public id. ``ProviderUnavailable``. Outside transactions."""
    by.require("payments.change")
    organization = by.organization
    public_id = ids.mint("card")
    with rls.tenant(organization.pk):
        known = CardOnFile.objects.filter(organization=organization, provider=provider.name)
        customer = known.values_list("customer", flat=True).first()
    customer = customer or provider.open_customer(
        key=organization.public_id, name=organization.name
    )
    setup = provider.begin_setup(key=public_id, customer=customer, back=f"{back}?card={public_id}")
    with rls.tenant(organization.pk):
        card = CardOnFile.objects.create(
            public_id=public_id,
            organization=organization,
            provider=provider.name,
            customer=customer,
            setup=setup.reference,
            asked_at=now,
        )
    return card, setup.url


def finish(card: CardOnFile, *, provider: CardProvider, now: datetime) -> CardOnFile:
    """Ask what became of the page; take the card into use. Harmless when repeated.
    ``ProviderUnavailable``, ``UnknownObject``, ``Mismatch``. Outside transactions."""
    row, former = _take(card, provider.setup(card.setup), now)
    if former:
        _forget(former, provider)
    return row


@transaction.atomic
def _take(card: CardOnFile, found: Setup, now: datetime) -> tuple[CardOnFile, str]:
    """The card in use, and the method of the one before it."""
    organization = card.organization
    with rls.tenant(organization.pk):
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        row = CardOnFile.objects.get(pk=card.pk)
        if found.customer != row.customer:
            raise Mismatch(f"{found.reference} is not {row.public_id}")
        if row.added_at is not None or found.method is None:
            return row, ""
        former = charges.in_use(organization)
        if former is not None:
            CardOnFile.objects.filter(pk=former.pk).update(removed_at=now)
        CardOnFile.objects.filter(pk=row.pk, added_at=None).update(
            added_at=now,
            method=found.method.reference,
            brand=found.method.brand,
            last4=found.method.last4,
            expires=found.method.expires,
        )
        row.refresh_from_db()
        by = actors.system(organization, charges.LABEL)
        changes = {"brand": row.brand, "last4": row.last4}
        audit.record("card.add", by=by, now=now, subject=row.public_id, changes=changes)
    return row, former.method if former else ""


def remove(card: CardOnFile, *, provider: CardProvider | None, by: Actor, now: datetime) -> None:
    """Charge it no more, and have the processor forget it. Harmless when repeated."""
    by.require("payments.change")
    with rls.tenant(card.organization_id):
        rows = CardOnFile.objects.filter(pk=card.pk, removed_at=None)
        if rows.update(removed_at=now):
            audit.record("card.remove", by=by, now=now, subject=card.public_id)
    if provider is not None and card.method:
        _forget(card.method, provider)


def _forget(method: str, provider: CardProvider) -> None:
    """The processor may keep a card that we never charge again: no reason to fail."""
    try:
        provider.forget(method)
    except ProviderUnavailable as error:
        log.warning("card.not_forgotten", error=str(error))
