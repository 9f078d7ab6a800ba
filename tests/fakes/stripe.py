"""The demonstration's own Stripe, with a hand on its faults and its webhooks."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from deploy.local.stripe import CARDS, Stripe
from deploy.local.stripe.server import FAULTS, KEY, SECRET

__all__ = ["CARDS", "FAULTS", "KEY", "SECRET", "Stripe", "stripe", "tell_badly"]

Post = Callable[[bytes, str], int]


def stripe() -> Stripe:
    """Not started yet: use it in a ``with``. It tells nothing by itself."""
    return Stripe()


def tell_badly(
    service: Stripe, post: Post, *, times: int = 5, seed: int = 1, at_once: int = 1
) -> list[int]:
    """Every event ``times`` times, in no order, ``at_once`` at a time; the statuses."""
    deliveries = [event for event in service.books.events for _ in range(times)]
    random.Random(seed).shuffle(deliveries)
    signed = [service.signed(event) for event in deliveries]
    if at_once == 1:  # in this thread, whose transaction the test sees
        return [post(*one) for one in signed]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda one: post(*one), signed))
