"""A made-up Stripe for demonstration and tests: a small real server, as strict as the real one.

It knows what ``billing.providers.stripe_cards`` asks of Stripe's API 2026-10-28.endive, and
refuses everything else: unknown parameters by name, other currencies, a key of idempotency that
comes again with other parameters. It tells by signed webhooks, again until they are taken. It can
decline, ask for the payer, be down, hang, and lose its answers. No money moves.
"""

from deploy.local.stripe.books import CARDS, Books
from deploy.local.stripe.server import Stripe

__all__ = ["CARDS", "Books", "Stripe"]
