"""What the made-up Stripe knows and decides. No network; every method holds its lock."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
MOST, LEAST = 99_999_999, 100

# Stripe's own test payment methods → what the bank does with them.
CARDS = {
    "pm_card_visa": ("visa", "4242", "pays"),
    "pm_card_mastercard": ("mastercard", "4444", "pays"),
    "pm_card_authenticationRequired": ("visa", "3184", "asks"),
    "pm_card_chargeCustomerFail": ("visa", "0341", "declines"),
}


class Fault(Exception):
    """An answer in Stripe's form of errors."""

    def __init__(self, status: int, kind: str, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message, **more}}


def refuse(code: str, message: str, param: str = "") -> Fault:
    more = {"param": param} if param else {}
    return Fault(400, "invalid_request_error", code, message, **more)


def missing(what: str, key: str) -> Fault:
    text = f"No such {what}: '{key}'"
    return Fault(404, "invalid_request_error", "resource_missing", text, param="id")


@dataclass
class Books:
    """``clock`` gives Unix seconds; ``base`` is where its pages are."""

    base: str = ""
    clock: Callable[[], float] = time.time
    rows: dict[str, Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    slow_refunds: bool = False

    def __post_init__(self) -> None:
        self.lock = threading.RLock()

    def _make(self, prefix: str, kind: str, **fields: Any) -> Row:
        row: Row = {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "object": kind,
            "created": int(self.clock()),
            "livemode": False,
            **fields,
        }
        self.rows[row["id"]] = row
        return row

    def get(self, kind: str, key: str) -> Row:
        row = self.rows.get(key)
        if row is None or row["object"] != kind:
            raise missing(kind, key)
        return row

    def all(self, kind: str) -> list[Row]:
        """The latest first."""
        return [row for row in reversed(self.rows.values()) if row["object"] == kind]

    def _tell(self, kind: str, row: Row) -> None:
        """The event has the object as it is at this moment; it may be told much later."""
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(self.clock()),
            "livemode": False,
            "type": kind,
            "data": {"object": dict(row)},
        }
        self.events.append(event)

    # ─── payers and their cards ────────────────────────────────────────────────────────────────

    def customer(self, wish: Row) -> Row:
        return self._make("cus", "customer", name=wish.get("name", ""), metadata=_metadata(wish))

    def attach(self, token: str, customer: str) -> Row:
        self.get("customer", customer)
        if token not in CARDS:
            raise missing("payment_method", token)
        brand, last4, does = CARDS[token]
        card = {"brand": brand, "last4": last4, "exp_month": 8, "exp_year": 2031}
        return self._make(
            "pm", "payment_method", type="card", customer=customer, card=card, _does=does
        )

    def detach(self, key: str) -> Row:
        row = self.get("payment_method", key)
        if row["customer"] is None:
            raise refuse("payment_method_not_attached", "It is not attached.")
        row["customer"] = None
        return row

    def session(self, wish: Row) -> Row:
        if wish["mode"] != "setup":
            raise refuse("parameter_invalid", "This fake knows the setup mode only.", "mode")
        _require_won(wish)
        self.get("customer", wish["customer"])
        intent = self._make(
            "seti",
            "setup_intent",
            status="requires_payment_method",
            customer=wish["customer"],
            payment_method=None,
            usage="off_session",
        )
        row = self._make(
            "cs_test",
            "checkout.session",
            mode="setup",
            status="open",
            currency="krw",
            customer=wish["customer"],
            setup_intent=intent["id"],
            success_url=wish["success_url"],
            cancel_url=wish.get("cancel_url"),
            metadata=_metadata(wish),
        )
        row["url"] = f"{self.base}/pages/checkout/{row['id']}"
        return row

    def type_in(self, session: str, token: str) -> str:
        """What the payer does on the page; where they are sent back to."""
        with self.lock:
            row = self.get("checkout.session", session)
            if row["status"] == "open":
                intent = self.get("setup_intent", row["setup_intent"])
                intent["payment_method"] = self.attach(token, row["customer"])["id"]
                intent["status"], row["status"], row["url"] = "succeeded", "complete", None
                self._tell("setup_intent.succeeded", intent)
                self._tell("checkout.session.completed", row)
            return str(row["success_url"])

    def expire(self, session: str) -> None:
        with self.lock:
            row = self.get("checkout.session", session)
            row["status"], row["url"] = "expired", None
            self._tell("checkout.session.expired", row)

    # ─── charges ───────────────────────────────────────────────────────────────────────────────

    def intent(self, wish: Row) -> Row:
        _require_won(wish)
        amount = _amount(wish)
        method = self.get("payment_method", wish["payment_method"])
        if method["customer"] != self.get("customer", wish["customer"])["id"]:
            raise refuse("payment_method_unexpected_state", "The card is not this customer's.")
        row = self._make(
            "pi",
            "payment_intent",
            amount=amount,
            amount_received=0,
            currency="krw",
            customer=wish["customer"],
            payment_method=method["id"],
            description=wish.get("description"),
            metadata=_metadata(wish),
            status="requires_confirmation",
            last_payment_error=None,
            latest_charge=None,
            next_action=None,
        )
        self._tell("payment_intent.created", row)
        if wish.get("confirm") == "true":
            self._attempt(row, method, there=wish.get("off_session") != "true", back="")
        return row

    def confirm(self, key: str, wish: Row) -> Row:
        row = self.get("payment_intent", key)
        if row["status"] in {"succeeded", "canceled", "processing"}:
            raise refuse("payment_intent_unexpected_state", f"It is {row['status']}.")
        method = self.get("payment_method", wish.get("payment_method") or row["payment_method"])
        self._attempt(row, method, there=True, back=wish.get("return_url", ""))
        return row

    def _attempt(self, row: Row, method: Row, *, there: bool, back: str) -> None:
        row["next_action"] = None
        if method["_does"] == "pays":
            self._succeed(row, method)
        elif method["_does"] == "asks" and there:
            if not back:
                raise refuse("parameter_missing", "A return_url is needed.", "return_url")
            url = f"{self.base}/pages/3ds/{row['id']}"
            row |= {
                "status": "requires_action",
                "_back": back,
                "next_action": {
                    "type": "redirect_to_url",
                    "redirect_to_url": {"url": url, "return_url": back},
                },
            }
            self._tell("payment_intent.requires_action", row)
        else:
            asks = method["_does"] == "asks"
            self._fail(row, method, "authentication_required" if asks else "generic_decline")

    def _fail(self, row: Row, method: Row, decline: str) -> None:
        code = decline if decline == "authentication_required" else "card_declined"
        error = {"type": "card_error", "code": code, "decline_code": decline, "message": decline}
        charge = self._charge(row, method, "failed")
        row |= {
            "status": "requires_payment_method",
            "last_payment_error": error,
            "latest_charge": charge["id"],
            "next_action": None,
        }
        self._tell("charge.failed", charge)
        self._tell("payment_intent.payment_failed", row)
        raise Fault(402, "card_error", code, decline, decline_code=decline, payment_intent=row)

    def _charge(self, row: Row, method: Row, status: str) -> Row:
        return self._make(
            "ch",
            "charge",
            amount=row["amount"],
            amount_refunded=0,
            currency="krw",
            status=status,
            paid=status == "succeeded",
            payment_intent=row["id"],
            customer=row["customer"],
            payment_method=method["id"],
            payment_method_details={"type": "card", "card": dict(method["card"])},
        )

    def _succeed(self, row: Row, method: Row) -> None:
        charge = self._charge(row, method, "succeeded")
        row |= {
            "status": "succeeded",
            "amount_received": row["amount"],
            "latest_charge": charge["id"],
            "last_payment_error": None,
            "next_action": None,
        }
        self._move("charge", row["amount"], row["amount"] * 36 // 1000, charge["id"])
        self._tell("charge.succeeded", charge)
        self._tell("payment_intent.succeeded", row)

    def answer_bank(self, key: str, *, yes: bool) -> str:
        """What the payer does at the bank; where they are sent back to."""
        with self.lock:
            row = self.get("payment_intent", key)
            if row["status"] == "requires_action":
                method = self.get("payment_method", row["payment_method"])
                if yes:
                    self._succeed(row, method)
                else:
                    try:
                        self._fail(row, method, "payment_intent_authentication_failure")
                    except Fault:
                        row["last_payment_error"]["code"] = "payment_intent_authentication_failure"
            return str(row.get("_back", ""))

    def cancel(self, key: str) -> Row:
        row = self.get("payment_intent", key)
        if row["status"] in {"succeeded", "canceled"}:
            raise refuse("payment_intent_unexpected_state", f"It is {row['status']}.")
        row |= {"status": "canceled", "next_action": None}
        self._tell("payment_intent.canceled", row)
        return row

    # ─── back, and against ─────────────────────────────────────────────────────────────────────

    def refund(self, wish: Row) -> Row:
        intent = self.get("payment_intent", wish["payment_intent"])
        if intent["status"] != "succeeded":
            raise refuse("payment_intent_unexpected_state", "Nothing was paid.")
        charge, amount = self.get("charge", intent["latest_charge"]), _amount(wish, least=1)
        if charge["amount_refunded"] == charge["amount"]:
            raise refuse("charge_already_refunded", "It was refunded already.")
        if amount > charge["amount"] - charge["amount_refunded"]:
            raise refuse("amount_too_large", "More than what is left of the charge.", "amount")
        charge["amount_refunded"] += amount
        row = self._make(
            "re",
            "refund",
            amount=amount,
            currency="krw",
            charge=charge["id"],
            payment_intent=intent["id"],
            status="pending" if self.slow_refunds else "succeeded",
            failure_reason=None,
            metadata=_metadata(wish),
        )
        self._move("refund", -amount, 0, row["id"])
        self._tell("refund.created", row)
        self._tell("charge.refunded", charge)
        return row

    def end_refund(self, key: str, status: str, reason: str | None = None) -> None:
        """A slow refund has arrived, or came back."""
        with self.lock:
            row = self.get("refund", key)
            row |= {"status": status, "failure_reason": reason}
            self._tell("refund.failed" if status == "failed" else "refund.updated", row)

    def dispute(self, intent_key: str) -> Row:
        """The payer's bank wants the money back."""
        with self.lock:
            intent = self.get("payment_intent", intent_key)
            row = self._make(
                "du",
                "dispute",
                amount=intent["amount"],
                currency="krw",
                charge=intent["latest_charge"],
                payment_intent=intent["id"],
                reason="fraudulent",
                status="needs_response",
                evidence_details={"due_by": int(self.clock()) + 7 * 86400},
            )
            self._move("adjustment", -row["amount"], 15000, row["id"])
            self._tell("charge.dispute.created", row)
            return row

    def end_dispute(self, key: str, status: str) -> None:
        """``won`` or ``lost``."""
        with self.lock:
            row = self.get("dispute", key)
            row["status"] = status
            self._tell("charge.dispute.closed", row)

    def _move(self, kind: str, amount: int, fee: int, source: str) -> None:
        self._make(
            "txn",
            "balance_transaction",
            type=kind,
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency="krw",
            source=source,
            status="available",
        )

    def pay_out(self) -> None:
        """Everything on the balance goes to the bank."""
        with self.lock:
            net = sum(row["net"] for row in self.all("balance_transaction"))
            self._move("payout", -net, 0, f"po_{secrets.token_hex(12)}")


def _metadata(wish: Row) -> Row:
    return dict(wish.get("metadata") or {})


def _require_won(wish: Row) -> None:
    if wish["currency"] != "krw":
        raise refuse("parameter_invalid", "This account takes krw only.", "currency")


def _amount(wish: Row, least: int = LEAST) -> int:
    text = str(wish["amount"])
    if not text.isascii() or not text.isdecimal():
        raise refuse("parameter_invalid_integer", f"Invalid integer: {text}", "amount")
    if not least <= int(text) <= MOST:
        code = "amount_too_small" if int(text) < least else "amount_too_large"
        raise refuse(code, "The amount is too small or too large.", "amount")
    return int(text)
