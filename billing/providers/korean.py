"""The place for a Korean provider (PortOne, Toss Payments, …). There is none yet.

A provider that keeps cards (빌링키) is a class with the calls of ``contract.CardProvider``, and one
line in ``PROVIDERS``. What differs from Stripe, so that it is not found out late:

- the billing key is given after the provider's own window closed; ``begin_setup`` gives its
  address, ``setup`` asks for the key. Windows that need the provider's script in our page do not
  fit our content security policy; those that work by redirect do;
- there is seldom an idempotency key on charges: the order number (주문번호) is unique instead. Pass
  ``Wish.key`` as order number, and before repeating ask for the order by that number;
- webhooks often carry no signature, only an order number: ``read`` then answers with the number
  and the sender's address is checked; the state is asked for in any case;
- a refund (취소) names the remaining amount, to be sent along so that two refunds do not add up;
- payouts come net of fees on business days: ``movements`` reads the settlement report (정산).

The contract suite, ``tests/contracts/test_payment_providers.py``, runs against every provider that
its fixture knows.
"""

from __future__ import annotations

from collections.abc import Callable

from billing.providers.contract import CardProvider

PROVIDERS: dict[str, Callable[[], CardProvider]] = {}
