"""Several deeds at the same moment, each with a connection of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from django.db import connection

from billing.approvals.asking import NotOpen
from billing.budgets import ChangedMeanwhile, CountersUnavailable
from billing.fiscal.book import Broken
from billing.fiscal.refusals import Refusal


def together(deeds: Iterable[Callable[[], object]]) -> Counter[str]:
    """How often each ended how: done, or refused by the rule of that name."""
    waiting = list(deeds)
    gate, outcomes = threading.Barrier(len(waiting)), Counter[str]()

    def run(deed: Callable[[], object]) -> None:
        gate.wait(30)
        try:
            deed()
            outcomes["done"] += 1
        except (Broken, Refusal, NotOpen, ChangedMeanwhile, CountersUnavailable) as error:
            outcomes[type(error).__name__] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in waiting]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sum(outcomes.values()) == len(waiting)
    return outcomes
