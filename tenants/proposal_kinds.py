"""What takes two people, and which verb both of them need. One table."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Kind:
    label: Promise | str
    verb: str


SUSPEND = "organization.suspend"
PRICE_OF_TOKENS = "price.tokens"
PRICE_OF_CARDS = "price.cards"
PRICE_OF_STORAGE = "price.storage"
PRICE_TERM = "price.term"
AGREEMENT = "agreement.make"
AGREEMENT_END = "agreement.end"
REFUND = "payment.refund"
CREDIT_NOTE = "credit.note"
RENEWAL = "invoice.renewal"

KINDS: dict[str, Kind] = {
    SUSPEND: Kind(_("Suspend an organization"), "operator.suspend"),
    PRICE_OF_TOKENS: Kind(_("New price of tokens"), "operator.prices"),
    PRICE_OF_CARDS: Kind(_("New price of card-hours"), "operator.prices"),
    PRICE_OF_STORAGE: Kind(_("New price of storage"), "operator.prices"),
    PRICE_TERM: Kind(_("New term of the price list"), "operator.prices"),
    AGREEMENT: Kind(_("Agreement with an organization"), "operator.prices"),
    AGREEMENT_END: Kind(_("Earlier end of an agreement"), "operator.prices"),
    REFUND: Kind(_("Pay credit back"), "operator.payments"),
    CREDIT_NOTE: Kind(_("Credit note"), "operator.billing"),
    RENEWAL: Kind(_("New invoice in the place of a wrong one"), "operator.billing"),
}
