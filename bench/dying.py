"""Where the programs of a simulation run, and die: at any statement, as kill -9 would have it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from portal.usage.models import Watermark
from portal.usage.reader import Reader
from tenants import rls

LONGEST = 40  # statements after which a program dies at the latest, if it dies


class Killed(BaseException):
    """No code catches it: the program ends here, and its transaction with it."""


class Place:
    """Runs a program's work again until it was not killed."""

    def __init__(self, url: str, chance: random.Random, share: float) -> None:
        self.url = url
        self.chance = chance
        self.share = share  # of tries that are killed
        self.kills = 0

    def try_until_done(self, work: Callable[[], Any]) -> None:
        """Killed or not, until it ends by itself."""
        while self.chance.random() < self.share:
            with self._dying():
                work()
        work()

    @contextmanager
    def _dying(self) -> Iterator[None]:
        left = self.chance.randrange(LONGEST)

        def count(execute: Callable[..., Any], *words: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return execute(*words)

        try:
            with connection.execute_wrapper(count):
                yield
        except Killed:
            self.kills += 1
            connection.close()  # the server ends the session of a program that is gone

    def take(self) -> None:
        """Intake reads and books what there is."""
        self.try_until_done(self._take)

    def _take(self) -> None:
        self._forget_the_dead()
        one = Reader(self.url)
        one.measure_at = float("inf")
        one.run(once=True)

    def _forget_the_dead(self) -> None:
        """As half a minute later: the leases of those who were killed have ended."""
        with rls.everyone(because="simulation: time passes"):
            Watermark.objects.exclude(lease_token=None).update(lease_token=None, lease_until=None)
