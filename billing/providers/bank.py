"""Bank transfer: nothing is called. The customer is told account and reference; the bank's
statement says what came (``billing.payments.statements``)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from billing.payments.matching import reference_of
from billing.providers.contract import HowToPay


@dataclass(frozen=True, slots=True)
class BankTransfer:
    bank: str
    account: str
    holder: str
    name: str = "bank"

    def how_to_pay(
        self, organization_code: str, virtual: tuple[str, str] | None
    ) -> HowToPay | None:
        """The customer's own virtual account where it has one, else the operator's account. The
        reference is told in any case: it is what a deposit is found by."""
        bank, account = virtual or (self.bank, self.account)
        return HowToPay(bank, account, self.holder, reference_of(organization_code))


def bank_transfer() -> BankTransfer:
    """As the settings name it."""
    return BankTransfer(
        settings.DURE_BANK_NAME, settings.DURE_BANK_ACCOUNT, settings.DURE_BANK_HOLDER
    )
