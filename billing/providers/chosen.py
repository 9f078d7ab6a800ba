"""The card provider that the settings name, if they name one."""

from __future__ import annotations

from django.conf import settings

from billing.providers import korean
from billing.providers.contract import CardProvider


def card_provider() -> CardProvider | None:
    """A new client; it opens nothing before the first call. ``None``: cards are not taken."""
    if make := korean.PROVIDERS.get(settings.DURE_CARD_PROVIDER):
        return make()
    if not settings.DURE_STRIPE_KEY:
        return None
    from billing.providers.stripe_cards import StripeCards

    return StripeCards(
        settings.DURE_STRIPE_KEY,
        secrets=settings.DURE_STRIPE_WEBHOOK_SECRETS,
        url=settings.DURE_STRIPE_URL,
    )


def is_simulated() -> bool:
    """Whether the processor is this machine's own fake: pages say so."""
    url: str = settings.DURE_STRIPE_URL
    return bool(url)
