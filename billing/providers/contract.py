"""What a payment provider promises.

Every provider can say how to pay (``PaymentProvider``). One that keeps cards can also charge them
(``CardProvider``): each call may be repeated with the same key without harm, ends in time, and
either answers with the provider's own state of the thing, or raises

- ``ProviderUnavailable``: nothing is known; ask again later with the same key;
- ``ProviderRefused``: it will not do it, whatever is repeated. ``code`` is its word for why.

Amounts are whole won. Ids are the provider's own texts; we read nothing out of them. No card
number ever passes here: cards are typed in on the provider's own pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ProviderUnavailable(Exception):
    """No answer that can be used. The sentence is for the log."""


class ProviderRefused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code[:80]


class UnknownObject(Exception):
    """The provider has nothing of that name."""


class Forged(Exception):
    """A message that is not the provider's, or too old to be believed."""


@dataclass(frozen=True, slots=True)
class HowToPay:
    """What a payer needs to know. ``reference`` goes into the transfer's text."""

    bank: str
    account: str
    holder: str
    reference: str


@dataclass(frozen=True, slots=True)
class Method:
    """A card as the provider keeps it. ``expires`` is ``2028-09``."""

    reference: str
    brand: str
    last4: str
    expires: str


@dataclass(frozen=True, slots=True)
class Setup:
    """A page of the provider's where somebody adds a card; afterwards the card."""

    reference: str
    customer: str
    url: str = ""
    done: bool = False
    over: bool = False  # it ended without a card
    method: Method | None = None


class Charged(StrEnum):
    PAID = "paid"
    PROCESSING = "processing"
    ACTION = "action"  # the payer has to confirm; ``url`` leads there
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Wish:
    """One charge. ``key`` is ours, kept by the provider beside it; the same key charges once."""

    key: str
    customer: str
    method: str
    won: int
    text: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as the provider has it now. ``key`` is the wish's; ``won`` what was received."""

    reference: str
    state: Charged
    key: str
    won: int
    method: str = ""  # in a reader's words, such as Visa •••• 4242
    refusal: str = ""
    url: str = ""
    at: datetime | None = None


class Refunded(StrEnum):
    DONE = "done"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RefundWish:
    """A part of a charge, to go back. The same key goes back once."""

    key: str
    charge: str
    won: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class RefundFound:
    reference: str
    state: Refunded
    key: str
    won: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class DisputeFound:
    """``state`` is the provider's word; ``lost`` and ``over`` say what it comes to."""

    reference: str
    charge: str
    won: int
    reason: str
    state: str
    lost: bool
    over: bool
    answer_by: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """A message, proven to be the provider's. It names what to ask about; no more is believed."""

    event: str
    kind: str
    about: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement on the provider's balance: ``about`` is the charge, refund or dispute."""

    reference: str
    kind: str
    won: int
    fee_won: int
    about: str
    at: datetime


class PaymentProvider(Protocol):
    name: str

    def how_to_pay(
        self, organization_code: str, virtual: tuple[str, str] | None
    ) -> HowToPay | None:
        """``None`` where nothing is to be typed in anywhere. ``virtual`` is the (bank, number)
        that only this customer pays into."""
        ...


class CardProvider(PaymentProvider, Protocol):
    most_won: int  # of one charge

    def open_customer(self, *, key: str, name: str) -> str:
        """The provider's name of a payer; the same key, the same payer."""
        ...

    def begin_setup(self, *, key: str, customer: str, back: str) -> Setup:
        """A page for adding a card. It sends people back to ``back``."""
        ...

    def setup(self, reference: str) -> Setup:
        """What became of it. ``UnknownObject``."""
        ...

    def forget(self, method: str) -> None:
        """The provider keeps the card no longer. Harmless when repeated."""
        ...

    def charge(self, wish: Wish, *, now: datetime) -> Charge:
        """Charge a card of a payer who is not there. A refusal by the bank is a ``Charge`` that
        has failed, or one that waits for the payer."""
        ...

    def confirm(self, reference: str, *, method: str, back: str, key: str) -> Charge:
        """The payer is there: try again; ``url`` leads to the bank if it asks for that."""
        ...

    def charge_found(self, reference: str) -> Charge:
        """As it is now. ``UnknownObject``."""
        ...

    def cancel(self, reference: str) -> Charge:
        """It can be paid no more, unless it is paid already."""
        ...

    def refund(self, wish: RefundWish, *, now: datetime) -> RefundFound: ...

    def refund_found(self, reference: str) -> RefundFound: ...

    def dispute_found(self, reference: str) -> DisputeFound: ...

    def read(self, raw: bytes, signature: str) -> Told:
        """A message with its signature. ``Forged``."""
        ...

    def movements(self, since: datetime) -> Iterator[Movement]:
        """What moved on the balance since then, the latest first."""
        ...
