"""Money from the hold to the invoice, as seeds decide it: ``make simulate-ledger``.

Each seed is an organization with two keys, three hard budgets and changing prices. Holds,
settlements, late and repeated ones, lapsed leases, limits, intake, rating, interim invoices and
month ends follow at random; programs are killed at random statements and begin again. After every
step the counters, the ledger, the accruals, the invoices and the journal are compared with what
must be. ``--seed N`` plays one again; ``--seeds N`` plays so many.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import traceback
from collections import Counter

import structlog

from bench import servers

STEPS = 45
KILLED = 0.3  # of the tries of each program


def main() -> int:
    """1 if a seed broke something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone, with every step told")
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    servers.start()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if arguments.seed is not None:
        return int(not play(arguments.seed, arguments.steps, Counter(), tell=True))
    return run(range(arguments.first, arguments.first + arguments.seeds), arguments.steps)


def run(seeds: range, steps: int) -> int:
    """All seeds; stops at nothing, and names those that broke something."""
    began, seen = time.monotonic(), Counter[str]()
    broken = [seed for seed in seeds if not play(seed, steps, seen)]
    print(f"{time.monotonic() - began:.0f} s; {dict(sorted(seen.items()))}")
    print(f"figure simulated_seeds {len(seeds)}")
    print(f"figure simulated_steps {seen['steps']}")
    print(f"figure simulated_kills {seen['kills']}")
    print(f"figure simulated_broken {len(broken)} {broken[:10] or ''}".rstrip())
    return int(bool(broken))


def _forget_others() -> None:
    """Numbers of invoices are common to all organizations: with those of other seeds a seed that
    broke something would not do so again by itself."""
    import psycopg

    from bench import servers

    with psycopg.connect(servers.superuser_url(), autocommit=True) as server:
        server.execute("SET session_replication_role = replica")  # what is append-only too
        server.execute("TRUNCATE tenants_organization, billing_invoiceseries CASCADE")


def play(seed: int, steps: int, seen: Counter[str], *, tell: bool = False) -> bool:
    """Whether everything held. What happened is counted in ``seen``."""
    from django.conf import settings

    from bench.dying import Place
    from bench.ledger_story import Story
    from portal.admission.sync import Admission, connect

    _forget_others()
    admission = Admission(connect(settings.VALKEY_URL))
    if not seen["seeds"]:
        admission.load_functions()
    chance = random.Random(-seed - 1)
    place = Place(settings.VALKEY_URL, chance, KILLED)
    story = Story(seed, admission, place)
    try:
        for _ in range(steps):
            story.step()
            if tell:
                print(f"{story.now:%Y-%m-%d} {story.done[-1]}: {len(story.entries)} answers")
        story.end()
    except Exception:
        print(f"seed {seed} after {len(story.done)} steps, the last {story.done[-3:]}:")
        traceback.print_exc(file=sys.stdout)
        return False
    finally:
        admission.client.close()
        seen.update(story.done, seeds=1, steps=len(story.done), kills=place.kills)
        seen.update(answers=len(story.entries))
    return True


if __name__ == "__main__":
    sys.exit(main())
