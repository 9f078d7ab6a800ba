"""Invoices and top-ups paid by the card on file: wished in a row, sent outside of any transaction,
settled by what the processor says is so.

A charge's public id is its idempotency key: whoever is killed between the call and its commit, the
next sweep repeats the call and gets the same charge. ``settle`` is the only way in for facts,
whether they were asked for, told by a webhook or found while reconciling; it is harmless when
repeated, late or out of order.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import structlog
from django.db import transaction
from django.urls import reverse

from billing import shares
from billing.funding import prepaid
from billing.models import (
    CardCharge,
    CardChargeMove,
    CardOnFile,
    ChargeState,
    Invoice,
    PrepaidTopUp,
    Source,
)
from billing.models.cards import LIVE_CHARGE
from billing.models.payments import later
from billing.payments import bookings, due
from billing.payments.bookings import Receipt
from billing.payments.refusals import AlreadyUnderWay, NoCard, NothingOpen, TooLargeForCard
from billing.providers.contract import (
    CardProvider,
    Charge,
    Charged,
    ProviderRefused,
    ProviderUnavailable,
    UnknownObject,
    Wish,
)
from portal.lib import ids
from portal.lib.periods import seoul_date
from tenants import actors, audit, notices, rls
from tenants.actors import Actor
from tenants.models import Organization

log = structlog.get_logger()

CONFIRM_WITHIN = timedelta(days=7)
ASK_AGAIN = timedelta(minutes=10)  # about a charge that is on its way
LABEL = "Card payments"

_STATES = {
    Charged.PAID: ChargeState.PAID,
    Charged.PROCESSING: ChargeState.PROCESSING,
    Charged.ACTION: ChargeState.ACTION,
    Charged.FAILED: ChargeState.FAILED,
    Charged.CANCELED: ChargeState.CANCELED,
}
# From where to where. What was paid is paid, whatever we believed before; nothing leads away.
ARROWS: dict[str, frozenset[str]] = {
    ChargeState.WANTED: frozenset(ChargeState) - {ChargeState.WANTED},
    ChargeState.PROCESSING: frozenset(ChargeState) - {ChargeState.WANTED},
    ChargeState.ACTION: frozenset(ChargeState) - {ChargeState.WANTED},
    ChargeState.FAILED: frozenset({ChargeState.PAID, ChargeState.CANCELED}),
    ChargeState.CANCELED: frozenset({ChargeState.PAID}),
    ChargeState.PAID: frozenset(),
}


class Mismatch(Exception):
    """The processor answers about another charge. Nothing is booked; somebody has to look."""


@transaction.atomic
def wish(*, invoice: Invoice, most_won: int, now: datetime, by_hand: bool = False) -> CardCharge:
    """Decide to charge what is open of the payer's own share; ``by_hand`` also what programmes
    have not paid within their term. ``NoCard``, ``NothingOpen``, ``AlreadyUnderWay``,
    ``TooLargeForCard``."""
    with rls.tenant(invoice.organization_id):
        card = _card_of(invoice.organization)
        if CardCharge.objects.filter(invoice=invoice, state__in=LIVE_CHARGE).exists():
            raise AlreadyUnderWay
        own = shares.own_won(invoice)
        won = shares.due_won(invoice, seoul_date(now)) if by_hand else own
        return _made(CardCharge(invoice=invoice, card=card, won=won), most_won, now)


@transaction.atomic
def wish_ahead(*, topup: PrepaidTopUp, most_won: int, now: datetime) -> CardCharge:
    """The same for a top-up that waits for its payment. Errors of ``wish``."""
    with rls.tenant(topup.organization_id):
        card = _card_of(topup.organization)
        if CardCharge.objects.filter(topup=topup, state__in=LIVE_CHARGE).exists():
            raise AlreadyUnderWay
        waits = prepaid.waiting(topup.organization).filter(pk=topup.pk).exists()
        return _made(CardCharge(topup=topup, card=card, won=topup.won * waits), most_won, now)


def _card_of(organization: Organization) -> CardOnFile:
    """The card to charge; its organization is locked from then on."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    card = in_use(organization)
    if card is None:
        raise NoCard
    return card


def _made(charge: CardCharge, most_won: int, now: datetime) -> CardCharge:
    if charge.won <= 0:
        raise NothingOpen
    if charge.won > most_won:
        raise TooLargeForCard(most_won)
    charge.public_id = ids.mint("chg")
    charge.organization = charge.card.organization
    charge.made_at = charge.due_at = now
    charge.save(force_insert=True)
    _note(charge, "", charge.state, "", now)
    return charge


def in_use(organization: Organization) -> CardOnFile | None:
    """The card that is charged."""
    rows = CardOnFile.objects.filter(organization=organization, removed_at=None)
    return rows.exclude(added_at=None).first()


def _note(charge: CardCharge, before: str, after: str, because: str, now: datetime) -> None:
    CardChargeMove.objects.create(
        organization_id=charge.organization_id,
        charge=charge,
        from_state=before,
        to_state=after,
        because=because,
        at=now,
    )


@transaction.atomic
def pay(*, invoice: Invoice, provider: CardProvider, by: Actor, now: datetime) -> CardCharge:
    """A member wants an invoice paid by card now; ``send`` it afterwards. Errors of ``wish``."""
    by.require("payments.change")
    charge = wish(invoice=invoice, most_won=provider.most_won, now=now, by_hand=True)
    return _recorded(charge, by, now)


@transaction.atomic
def pay_ahead(
    *, topup: PrepaidTopUp, provider: CardProvider, by: Actor, now: datetime
) -> CardCharge:
    """The same of a top-up."""
    by.require("payments.change")
    charge = wish_ahead(topup=topup, most_won=provider.most_won, now=now)
    return _recorded(charge, by, now)


def _recorded(charge: CardCharge, by: Actor, now: datetime) -> CardCharge:
    with rls.tenant(charge.organization_id):
        changes = {"invoice": charge.for_number, "won": charge.won}
        audit.record("payment.charge", by=by, now=now, subject=charge.public_id, changes=changes)
    return charge


def send(charge: CardCharge, *, provider: CardProvider, now: datetime) -> CardCharge:
    """Ask the processor to charge; again and again until it has answered. Outside transactions."""
    wanted = _claimed(charge, now)
    if wanted is None:
        return _fresh(charge)
    try:
        found = provider.charge(wanted, now=now)
    except ProviderUnavailable as error:
        log.warning("charge.unavailable", charge=charge.public_id, error=str(error))
        return _fresh(charge)
    except (ProviderRefused, UnknownObject) as error:
        return _move(charge, ChargeState.FAILED, str(error), now)
    return settle(charge, found, provider=provider, now=now)


def _fresh(charge: CardCharge) -> CardCharge:
    with rls.tenant(charge.organization_id):
        rows = CardCharge.objects.select_related("organization", "invoice", "topup", "card")
        return rows.get(pk=charge.pk)


def _claimed(charge: CardCharge, now: datetime) -> Wish | None:
    """What to send, noted as a try; ``None`` where there is nothing to do any more."""
    with rls.tenant(charge.organization_id):
        row = CardCharge.objects.select_for_update().get(pk=charge.pk)
        if row.state != ChargeState.WANTED:
            return None
        paid = _is_paid(row, seoul_date(now))
        # only before the first try: later nobody knows what the processor has done
        if row.tries == 0 and (paid or row.card.removed_at is not None):
            _step(row, ChargeState.CANCELED, "paid otherwise" if paid else "card removed", now)
            return None
        row.due_at, row.tries = later(now, row.tries), row.tries + 1
        row.save(update_fields=["due_at", "tries"])
        return Wish(
            key=row.public_id,
            customer=row.card.customer,
            method=row.card.method,
            won=row.won,
            text=row.for_number,
            made_at=row.made_at,
        )


def _is_paid(row: CardCharge, today: date) -> bool:
    """Whether there is nothing left to charge for; a top-up that was withdrawn as well."""
    if row.invoice is not None:
        return shares.due_won(row.invoice, today) == 0
    return row.topup not in prepaid.waiting(row.organization)


def _move(charge: CardCharge, to: ChargeState, because: str, now: datetime) -> CardCharge:
    with rls.tenant(charge.organization_id), transaction.atomic():
        row = CardCharge.objects.select_for_update().get(pk=charge.pk)
        _step(row, to, because, now)
    return row


def _step(row: CardCharge, to: ChargeState, because: str, now: datetime) -> bool:
    """One arrow, with its move; whether there is one. The row is locked."""
    if to not in ARROWS[row.state]:
        return False
    before = row.state
    moved = CardCharge.objects.filter(pk=row.pk, state=before).update(
        state=to, refusal=because[:80] if to == ChargeState.FAILED else row.refusal
    )
    if moved and before != to:
        _note(row, before, to, because[:300], now)
    row.refresh_from_db()
    return bool(moved) and before != to


def settle(
    charge: CardCharge, found: Charge, *, provider: CardProvider, now: datetime
) -> CardCharge:
    """Take over what the processor says. A failed charge is ended there too, so that nobody can
    pay it later. ``Mismatch``."""
    row, failed = _settle(charge, found, now)
    if failed:
        try:
            late = provider.cancel(found.reference)
        except (ProviderUnavailable, ProviderRefused, UnknownObject) as error:
            log.warning("charge.not_canceled", charge=charge.public_id, error=str(error))
        else:
            if late.state is Charged.PAID:
                row, _failed = _settle(charge, late, now)
    return row


@transaction.atomic
def _settle(charge: CardCharge, found: Charge, now: datetime) -> tuple[CardCharge, bool]:
    organization = charge.organization
    with rls.tenant(organization.pk):
        Organization.objects.select_for_update(no_key=True).get(
            pk=organization.pk
        )  # first, as everywhere
        row = CardCharge.objects.select_for_update().get(pk=charge.pk)
        wrong = found.key != row.public_id or found.won != row.won
        if wrong or row.reference not in {"", found.reference}:
            raise Mismatch(f"{found.reference} is not {row.public_id}")
        if not row.reference:
            CardCharge.objects.filter(pk=row.pk).update(reference=found.reference)
        state = _STATES[found.state]
        moved = _step(row, state, found.refusal or found.state, now)
        if row.state in LIVE_CHARGE:
            CardCharge.objects.filter(pk=row.pk).update(due_at=now + ASK_AGAIN)
        if moved and state == ChargeState.PAID:
            _book(row, found, now)
        if moved and state in {ChargeState.FAILED, ChargeState.ACTION}:
            _tell(row, state, now)
    return row, moved and state == ChargeState.FAILED


def _book(row: CardCharge, found: Charge, now: datetime) -> None:
    receipt = Receipt(
        source=Source.STRIPE,
        reference=found.reference,
        won=found.won,
        received_at=found.at or now,
        method=found.method,
        first=row.for_id,
    )
    by = actors.system(row.organization, LABEL)
    bookings.receive(organization=row.organization, receipt=receipt, by=by, now=now)


def _tell(row: CardCharge, state: ChargeState, now: datetime) -> None:
    kind = "card.refused" if state == ChargeState.FAILED else "card.confirm"
    notices.tell(
        kind,
        organization=row.organization,
        to=notices.holders(row.organization, "payments.change"),
        now=now,
        place=reverse("charge", args=[row.public_id]),
        number=row.for_number,
        total=f"{row.won:,}",
    )


def ask(charge: CardCharge, *, provider: CardProvider, now: datetime) -> CardCharge:
    """How a charge stands at the processor. Outside transactions."""
    if not charge.reference:
        return send(charge, provider=provider, now=now)
    try:
        found = provider.charge_found(charge.reference)
    except (ProviderUnavailable, UnknownObject) as error:
        log.warning("charge.unavailable", charge=charge.public_id, error=str(error))
        return _fresh(charge)
    return settle(charge, found, provider=provider, now=now)


def confirm(
    charge: CardCharge, *, provider: CardProvider, back: str, by: Actor, now: datetime
) -> tuple[CardCharge, str]:
    """The payer is there: the charge, and where to go on if the bank asks for it.
    ``ProviderUnavailable``."""
    by.require("payments.change")
    with rls.tenant(charge.organization_id):
        row = CardCharge.objects.select_related("organization", "card").get(pk=charge.pk)
        if row.state != ChargeState.ACTION:
            return row, ""
        CardCharge.objects.filter(pk=row.pk).update(tries=row.tries + 1)
    key = f"{row.public_id}:confirm:{row.tries + 1}"
    try:
        found = provider.charge_found(row.reference)
        if found.state is Charged.ACTION and not found.url:
            found = provider.confirm(row.reference, method=row.card.method, back=back, key=key)
    except (ProviderRefused, UnknownObject) as error:
        return _move(row, ChargeState.FAILED, str(error), now), ""
    return settle(row, found, provider=provider, now=now), found.url


# ─── sweeps ────────────────────────────────────────────────────────────────────────────────────


def sweep(*, provider: CardProvider, now: datetime) -> int:
    """Charge what is due, and ask about what is on its way; how many charges were touched."""
    touched = 0
    for organization, invoice in due.invoices(now):
        try:
            with rls.tenant(organization):
                row = Invoice.objects.select_related("organization").get(pk=invoice)
            wish(invoice=row, most_won=provider.most_won, now=now)
        except (NoCard, NothingOpen, AlreadyUnderWay, TooLargeForCard):
            continue
        except Exception:  # one organization's trouble stops no other's
            log.exception("charge.not_wished", invoice=invoice)
    with rls.everyone(because="sweep: card charges of all organizations"):
        rows = CardCharge.objects.filter(state__in=LIVE_CHARGE, due_at__lte=now)
        rows = rows.select_related("organization", "invoice", "topup", "card")
        waiting = list(rows.order_by("due_at")[:500])
    for charge in waiting:
        try:
            _pursue(charge, provider, now)
        except Mismatch as error:
            log.error("charge.mismatch", charge=charge.public_id, error=str(error))
        except Exception:  # one organization's trouble stops no other's
            log.exception("charge.failed", charge=charge.public_id)
        touched += 1
    return touched


def _pursue(charge: CardCharge, provider: CardProvider, now: datetime) -> None:
    if charge.state == ChargeState.WANTED:
        send(charge, provider=provider, now=now)
    elif charge.state == ChargeState.ACTION and now - charge.made_at > CONFIRM_WITHIN:
        try:
            found = provider.cancel(charge.reference)
        except (ProviderUnavailable, ProviderRefused, UnknownObject):
            return
        settle(charge, found, provider=provider, now=now)
    else:
        ask(charge, provider=provider, now=now)
