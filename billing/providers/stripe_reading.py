"""Stripe's answers, read. Pure: its JSON in, the contract's values out.

Another currency, an amount that does not fit or an event without its parts is refused here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from billing.providers.contract import (
    Charge,
    Charged,
    DisputeFound,
    Forged,
    Method,
    Movement,
    ProviderRefused,
    Refunded,
    RefundFound,
    Setup,
    Told,
)

CURRENCY = "krw"
KEY = "dure_key"  # in metadata, beside charges and refunds

_CHARGED = {
    "succeeded": Charged.PAID,
    "processing": Charged.PROCESSING,
    "requires_confirmation": Charged.PROCESSING,
    "requires_capture": Charged.PROCESSING,
    "requires_action": Charged.ACTION,
    "canceled": Charged.CANCELED,
}
_REFUNDED = {
    "succeeded": Refunded.DONE,
    "failed": Refunded.FAILED,
    "canceled": Refunded.FAILED,
}
_DISPUTE_OVER = {"won", "lost", "warning_closed", "prevented"}


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _won(found: dict[str, Any], name: str = "amount") -> int:
    """Whole won; anything in another currency is none of ours."""
    if found.get("currency") != CURRENCY or type(found.get(name)) is not int:
        raise ProviderRefused("currency")
    return int(found[name])


def method_of(found: Any) -> Method | None:
    card = found.get("card") if isinstance(found, dict) else None
    if not card:
        return None
    return Method(
        reference=str(found["id"]),
        brand=str(card.get("brand") or "")[:24],
        last4=str(card.get("last4") or "")[:4],
        expires=f"{card['exp_year']:04d}-{card['exp_month']:02d}",
    )


def charge(found: dict[str, Any]) -> Charge:
    status, error = str(found["status"]), found.get("last_payment_error") or {}
    state = _CHARGED.get(status, Charged.FAILED)
    if status == "requires_payment_method" and error.get("code") == "authentication_required":
        state = Charged.ACTION  # the payer's bank wants to see the payer
    action = (found.get("next_action") or {}).get("redirect_to_url") or {}
    paid = state is Charged.PAID
    asked, received = _won(found), found.get("amount_received") or 0
    if paid and received != asked:
        raise ProviderRefused("amount")
    return Charge(
        reference=str(found["id"]),
        state=state,
        key=str((found.get("metadata") or {}).get(KEY) or ""),
        won=received if paid else asked,
        method=_words_of(found.get("latest_charge")),
        refusal=str(error.get("decline_code") or error.get("code") or "")[:80],
        url=str(action.get("url") or ""),
        at=moment(_paid_at(found)) if paid else None,
    )


def _paid_at(found: dict[str, Any]) -> int:
    latest = found.get("latest_charge")
    return int((latest if isinstance(latest, dict) else found)["created"])


def _words_of(latest: Any) -> str:
    details = latest.get("payment_method_details") if isinstance(latest, dict) else None
    card = (details or {}).get("card") or {}
    if not card:
        return ""
    return f"{str(card.get('brand') or '').title()} •••• {card.get('last4') or ''}"[:60]


def refund(found: dict[str, Any]) -> RefundFound:
    return RefundFound(
        reference=str(found["id"]),
        state=_REFUNDED.get(str(found["status"]), Refunded.PENDING),
        key=str((found.get("metadata") or {}).get(KEY) or ""),
        won=_won(found),
        refusal=str(found.get("failure_reason") or "")[:80],
    )


def told(raw: bytes) -> Told:
    try:
        body = json.loads(raw)
        about = body["data"]["object"]
        return Told(
            event=str(body["id"])[:80],
            kind=str(body["type"])[:80],
            about=str(about.get("id") or "")[:80],
            at=moment(int(body["created"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Forged("signed, and no event") from error


def movement(found: dict[str, Any]) -> Movement:
    source = found.get("source")
    about = str(source or "")
    if isinstance(source, dict):
        charge = source.get("object") == "charge"
        about = str(source["payment_intent"] if charge else source["id"])
    return Movement(
        reference=str(found["id"]),
        kind=str(found["type"])[:40],
        won=_won(found),
        fee_won=int(found.get("fee") or 0),
        about=about[:80],
        at=moment(int(found["created"])),
    )


def setup(found: dict[str, Any]) -> Setup:
    """A Checkout session, with its SetupIntent and card where they were asked for."""
    intent = found.get("setup_intent")
    method = None
    if isinstance(intent, dict) and intent.get("status") == "succeeded":
        method = method_of(intent.get("payment_method"))
    return Setup(
        reference=str(found["id"]),
        customer=str(found["customer"]),
        url=str(found.get("url") or ""),
        done=method is not None,
        over=found.get("status") == "expired",
        method=method,
    )


def dispute(found: dict[str, Any]) -> DisputeFound:
    due = (found.get("evidence_details") or {}).get("due_by")
    state = str(found["status"])
    return DisputeFound(
        reference=str(found["id"]),
        charge=str(found["payment_intent"]),
        won=_won(found),
        reason=str(found.get("reason") or ""),
        state=state,
        lost=state == "lost",
        over=state in _DISPUTE_OVER,
        answer_by=moment(due) if due else None,
        opened_at=moment(found["created"]),
    )
