"""The issuer that the settings name."""

from __future__ import annotations

from django.conf import settings

from billing.etax.contract import EtaxIssuer
from billing.etax.popbill import Account, PopbillIssuer


def is_set_up() -> bool:
    """Whether documents are issued by a program. Else the operator does it at Hometax and enters
    the numbers."""
    return bool(
        settings.DURE_ETAX_URL and settings.DURE_ETAX_LINK_ID and settings.DURE_ETAX_SECRET_KEY
    )


def issuer() -> EtaxIssuer | None:
    """A new client, or none where nothing is set up."""
    if not is_set_up():
        return None
    return PopbillIssuer(
        Account(
            url=settings.DURE_ETAX_URL.rstrip("/"),
            auth_url=(settings.DURE_ETAX_AUTH_URL or settings.DURE_ETAX_URL).rstrip("/"),
            service=settings.DURE_ETAX_SERVICE,
            link_id=settings.DURE_ETAX_LINK_ID,
            secret=settings.DURE_ETAX_SECRET_KEY,
            number=settings.DURE_SELLER_NUMBER,
        )
    )
