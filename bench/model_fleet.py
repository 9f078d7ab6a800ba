"""A fleet of misbehaving sites, told what happens in any order: ``make model-fleet``.

Stories of the model-based test (``tests/provisioning/fleet_model.py``), as many as the steps need,
through the product's own actions and workers on a real PostgreSQL. Printed: what was done, what
went wrong by intention, and what must be 0. Exit code 1 if it is not.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.provisioning.fleet_checks import Tally

FIGURES = ("two_owners", "cards_over", "wrong_deletions", "not_settled")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--first", action="store_true", help="show the first broken story and end")
    return parser.parse_args(words)


def main() -> int:
    """The whole; 1 if anything is broken."""
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    from bench import servers

    servers.start()
    servers.serve_pages()  # counters that know our functions
    from tests import factories
    from tests.provisioning import fleet_model

    factories.catalogue()
    began, total = time.monotonic(), None
    while total is None or total.steps < given.steps:
        left = given.steps - (total.steps if total else 0)
        stories = max(1, min(20, left // fleet_model.STEPS_EACH))
        found = fleet_model.run(stories, seed=seed, goes_on=not given.first)
        total = found if total is None else total.with_(found)
        seed += 1
        print(f"{total.steps} steps, {time.monotonic() - began:.0f} s", flush=True)
    return _tell(total)


def _tell(tally: Tally) -> int:
    for sentence in tally.sentences:
        print(f"  {sentence}")
    print(f"deeds: {dict(sorted(tally.deeds.items()))}")
    print(f"faults: {dict(sorted(tally.faults.items()))}")
    print(f"states: {dict(sorted(tally.seen.items()))}")
    print(f"figure model_steps {tally.steps}")
    print(f"figure model_faults {tally.faults.total()}")
    print(f"figure model_rounds_to_rest_max {tally.rounds_to_rest}")
    for name in FIGURES:
        print(f"figure model_{name} {getattr(tally, name)}")
    return int(bool(tally.broken))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    sys.exit(main())
