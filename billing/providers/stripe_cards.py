"""Cards by Stripe: the only module that knows its library. API version 2026-10-28.endive, pinned.

Promises: a timeout on each call, one repetition by the library with the same idempotency key,
``ProviderUnavailable`` for whatever may be otherwise next time, no foreign vocabulary outside, and
nothing believed but what Stripe answers itself when it is asked for the object.

**Pages.** Our content security policy lets no script of others run, and Stripe's Elements need
one. So cards are typed in at Stripe: Checkout in setup mode makes the SetupIntent, by a link there
and back. A charge that the bank wants confirmed (3-D Secure) is confirmed again with a
``return_url`` while the payer is there; Stripe answers with a ``redirect_to_url``, again a link.
Hosted invoices would do the same and make a second set of invoices, with numbers of Stripe's.

**Won** have no decimals at Stripe (zero-decimal currency): amounts are passed as they are. A charge
has at most eight digits.

**Idempotency.** Stripe keeps keys for at least a day. A wish that is repeated later than that is
first looked for among the payer's charges by the key that was put beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import stripe

from billing.providers import stripe_reading as reading
from billing.providers.contract import (
    Charge,
    DisputeFound,
    Forged,
    HowToPay,
    Movement,
    ProviderRefused,
    ProviderUnavailable,
    RefundFound,
    RefundWish,
    Setup,
    Told,
    UnknownObject,
    Wish,
)
from billing.providers.stripe_reading import CURRENCY, KEY

VERSION = "2026-10-28.endive"
SECONDS = (3.0, 20.0)  # to connect, and between two bytes of the answer
KEYS_ARE_KEPT = timedelta(hours=20)  # Stripe says: 24 at least
MOST_PAGES = 100


class StripeCards:
    """``secrets`` are the webhook's signing secrets: two while one is being replaced."""

    name = "stripe"
    most_won = 99_999_999

    def __init__(self, key: str, *, secrets: Sequence[str] = (), url: str = "") -> None:
        self.secrets = tuple(secrets)
        self._client = stripe.StripeClient(
            key,
            stripe_version=VERSION,
            base_addresses={"api": url} if url else None,
            max_network_retries=1,
            http_client=stripe.RequestsClient(timeout=SECONDS),
        )

    def how_to_pay(
        self, organization_code: str, virtual: tuple[str, str] | None
    ) -> HowToPay | None:
        return None

    # ─── payers and their cards ────────────────────────────────────────────────────────────────

    def open_customer(self, *, key: str, name: str) -> str:
        made = _ask(
            lambda: self._client.v1.customers.create(
                {"name": name[:200], "metadata": {KEY: key}}, {"idempotency_key": f"{key}:customer"}
            )
        )
        return str(made["id"])

    def begin_setup(self, *, key: str, customer: str, back: str) -> Setup:
        made = _ask(
            lambda: self._client.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "currency": CURRENCY,
                    "customer": customer,
                    "allowed_payment_method_types": ["card"],
                    "success_url": back,
                    "cancel_url": back,
                    "metadata": {KEY: key},
                },
                {"idempotency_key": f"{key}:setup"},
            )
        )
        return reading.setup(made)

    def setup(self, reference: str) -> Setup:
        found = _ask(
            lambda: self._client.v1.checkout.sessions.retrieve(
                reference, {"expand": ["setup_intent.payment_method"]}
            )
        )
        return reading.setup(found)

    def forget(self, method: str) -> None:
        try:
            _ask(lambda: self._client.v1.payment_methods.detach(method))
        except (UnknownObject, ProviderRefused):
            return  # it is gone already

    # ─── charges ───────────────────────────────────────────────────────────────────────────────

    def charge(self, wish: Wish, *, now: datetime) -> Charge:
        if now - wish.made_at > KEYS_ARE_KEPT and (known := self._known(wish)):
            return known
        return self._charge(
            lambda: self._client.v1.payment_intents.create(
                {
                    "amount": wish.won,
                    "currency": CURRENCY,
                    "customer": wish.customer,
                    "payment_method": wish.method,
                    "allowed_payment_method_types": ["card"],
                    "confirm": True,
                    "off_session": True,
                    "description": wish.text[:200],
                    "metadata": {KEY: wish.key},
                    "expand": ["latest_charge"],
                },
                {"idempotency_key": wish.key},
            )
        )

    def _known(self, wish: Wish) -> Charge | None:
        """The charge with the wish's key, among the payer's since the wish was made."""
        since = int((wish.made_at - timedelta(minutes=5)).timestamp())
        words = {"customer": wish.customer, "expand": ["data.latest_charge"]}
        for one in _rows(self._client.v1.payment_intents.list, since, words):
            if (one.get("metadata") or {}).get(KEY) == wish.key:
                return reading.charge(one)
        return None

    def confirm(self, reference: str, *, method: str, back: str, key: str) -> Charge:
        return self._charge(
            lambda: self._client.v1.payment_intents.confirm(
                reference,
                {"payment_method": method, "return_url": back, "expand": ["latest_charge"]},
                {"idempotency_key": key},
            )
        )

    def _charge(self, call: Callable[[], Any]) -> Charge:
        """What became of it. A refusal by the bank comes as an error that has the charge in it;
        it is asked for again, whole."""
        try:
            return reading.charge(_ask(call))
        except _CardRefused as refused:
            return self.charge_found(refused.intent)

    def charge_found(self, reference: str) -> Charge:
        return reading.charge(
            _ask(
                lambda: self._client.v1.payment_intents.retrieve(
                    reference, {"expand": ["latest_charge"]}
                )
            )
        )

    def cancel(self, reference: str) -> Charge:
        try:
            return reading.charge(_ask(lambda: self._client.v1.payment_intents.cancel(reference)))
        except ProviderRefused:  # paid or canceled already
            return self.charge_found(reference)

    # ─── back, and against ─────────────────────────────────────────────────────────────────────

    def refund(self, wish: RefundWish, *, now: datetime) -> RefundFound:
        if now - wish.made_at > KEYS_ARE_KEPT:
            page = _ask(
                lambda: self._client.v1.refunds.list({"payment_intent": wish.charge, "limit": 100})
            )
            for one in page["data"]:
                if (one.get("metadata") or {}).get(KEY) == wish.key:
                    return reading.refund(one)
        made = _ask(
            lambda: self._client.v1.refunds.create(
                {"payment_intent": wish.charge, "amount": wish.won, "metadata": {KEY: wish.key}},
                {"idempotency_key": wish.key},
            )
        )
        return reading.refund(made)

    def refund_found(self, reference: str) -> RefundFound:
        return reading.refund(_ask(lambda: self._client.v1.refunds.retrieve(reference)))

    def dispute_found(self, reference: str) -> DisputeFound:
        return reading.dispute(_ask(lambda: self._client.v1.disputes.retrieve(reference)))

    # ─── what it tells ─────────────────────────────────────────────────────────────────────────

    def read(self, raw: bytes, signature: str) -> Told:
        """The library checks signature and age (300 seconds) over the bytes as they came."""
        for secret in self.secrets:
            try:
                stripe.WebhookSignature.verify_header(raw, signature, secret, tolerance=300)
            except (stripe.SignatureVerificationError, ValueError, IndexError):
                continue
            return reading.told(raw)
        raise Forged("no signature of ours")

    def movements(self, since: datetime) -> Iterator[Movement]:
        words = {"expand": ["data.source"]}
        seconds = int(since.timestamp())
        for one in _rows(self._client.v1.balance_transactions.list, seconds, words):
            yield reading.movement(one)


def _rows(
    call: Callable[[Any], Any], since: int, words: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """All rows of a list made since then, page by page, the latest first."""
    asked = words | {"created": {"gte": since}, "limit": 100}
    for _page in range(MOST_PAGES):
        page = _ask(partial(call, asked))
        yield from page["data"]
        if not page.get("has_more") or not page["data"]:
            return
        asked["starting_after"] = page["data"][-1]["id"]
    raise ProviderUnavailable("The list has more rows than can be looked through.")


class _CardRefused(Exception):
    """The bank said no; Stripe has a charge that says so."""

    def __init__(self, intent: str) -> None:
        super().__init__(intent)
        self.intent = intent


def _ask(call: Callable[[], Any]) -> dict[str, Any]:
    """One call as plain values; Stripe's errors as ours. Their texts may have customers' words and
    stay here."""
    try:
        found = call()
    except stripe.CardError as error:
        intent = _intent_of(error)
        if intent:
            raise _CardRefused(intent) from None
        raise ProviderRefused(error.code or "card_declined") from None
    except stripe.InvalidRequestError as error:
        if error.http_status == 404 or error.code == "resource_missing":
            raise UnknownObject(error.code or "resource_missing") from None
        if error.http_status == 409:
            raise ProviderUnavailable("The same call is under way.") from None
        raise ProviderRefused(error.code or "invalid_request") from None
    except stripe.IdempotencyError as error:
        if error.http_status == 409:
            raise ProviderUnavailable("The same call is under way.") from None
        raise ProviderRefused("idempotency") from None
    except stripe.StripeError as error:
        raise ProviderUnavailable(type(error).__name__) from None
    plain: dict[str, Any] = json.loads(json.dumps(found.to_dict(), default=str))
    return plain


def _intent_of(error: stripe.CardError) -> str:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    intent = (body.get("error") or {}).get("payment_intent") or {}
    return str(intent.get("id") or "")
