"""The demonstration's own issuer of e-tax invoices, with a hand on its clock and its faults."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from billing.etax.popbill import Account, PopbillIssuer
from deploy.local.etax import FAULTS, LINK_ID, NUMBER, SERVICE, Issuer
from tests.factories import NOON

__all__ = ["FAULTS", "NUMBER", "SECRET", "Clock", "Issuer", "client", "issuer"]
SECRET = base64.b64encode(b"only for tests: 32 bytes of text").decode()


class Clock:
    """Moves only when it is told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **words: int) -> datetime:
        self.now += timedelta(**words)
        return self.now


def issuer(clock: Clock, **words: object) -> Issuer:
    """Not started yet: use it in a ``with``."""
    timing = {"seconds": 1.0, "sends_after": 3600.0, "answers_after": 3600.0}
    return Issuer(SECRET, clock=clock, **(timing | words))  # type: ignore[arg-type]


def client(service: Issuer, *, seconds: float = 5.0, secret: str = SECRET) -> PopbillIssuer:
    account = Account(service.url, service.url, SERVICE, LINK_ID, secret, NUMBER)
    return PopbillIssuer(account, seconds=seconds, clock=service.clock)
