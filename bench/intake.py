"""Events per second into the ledger, exactly once: ``make bench-intake``.

Starts a PostgreSQL and a Valkey that flush as production does, fills the 64 cells' streams with
settled events of many organizations, one in a hundred of them twice, and lets the intake program
book them: stream → decode → COPY → insert what is new → watermarks → commit → trim. Filling is
not timed. Every round is checked: no event lost, none doubled, none put aside, streams empty.

    python -m bench.intake --events 120000 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

ORGANIZATIONS = 200
REPEATED = 100  # one event in so many comes twice
MODELS = ("smollm2-135m-instruct", "multilingual-e5-small", "exaone-4-32b", "solar-pro-2")
ROUTES = ("/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/responses")
SITES = (("daegu-1", "rngd"), ("gwangju-1", "atom-max"), ("daejeon-1", "atom-plus"))


@dataclass(frozen=True)
class Round:
    """What one round took: seconds on the clock, and of a core by program."""

    events: int
    seconds: float
    cores: dict[str, float]

    @property
    def per_second(self) -> float:
        return self.events / self.seconds


@dataclass(frozen=True)
class Firm:
    """An organization as its events name it."""

    public_id: str
    cell: int


def firms() -> list[Firm]:
    """Organizations in every cell, the usual skew: few ask for most."""
    from portal.lib.ids import cell_of
    from tests import factories

    made = [factories.organization(f"firm {n}", number=None) for n in range(ORGANIZATIONS)]
    return [Firm(one.public_id, cell_of(one.code)) for one in made]


def event(firm: Firm, ms: int, dice: random.Random) -> bytes:
    """One settled request, about as long as the gateway's own."""
    from portal.lib import ids
    from portal.usage import events

    tail, place = firm.public_id[4:], dice.randrange(len(MODELS))
    site, chip = dice.choice(SITES)
    return events.encode(
        events.UsageEvent(
            request_id=ids.mint_request_id(ms),
            organization=firm.public_id,
            project=f"prj_{tail[:-1]}{dice.randrange(3)}",
            key=f"key_{tail[:-1]}{dice.randrange(8)}",
            endpoint=f"ep_{tail}",
            route=ROUTES[place],
            model=MODELS[place],
            model_digest="sha256:" + "5a" * 32,
            site=site,
            chip=chip,
            placement=f"plc_{tail}",
            tokens_in=dice.randrange(20, 4000),
            tokens_out=dice.randrange(1, 900),
            counted="reported",
            outcome="answered" if dice.random() < 0.98 else "client_left",
            admitted_at_ms=ms,
            first_byte_at_ms=ms + dice.randrange(40, 900),
            ended_at_ms=ms + dice.randrange(900, 9000),
            price_version=f"tar_{tail}",
            hold_micro=600_000,
            cost_micro=300_000,
            stream=dice.random() < 0.5,
            data_class=dice.choice(("open", "sensitive", "medical")),
            simulated=True,
            waited_ms=dice.randrange(3),
        )
    )


def fill(client: redis.Redis, known: list[Firm], count: int, dice: random.Random) -> int:
    """Append events as ``settle`` does; how many, those that came twice included."""
    from portal.admission import keys

    began_ms, appended = int(time.time() * 1000), 0
    weights = [1 / (1 + n) ** 0.5 for n in range(len(known))]
    pipe: Any = client.pipeline(transaction=False)
    for number, firm in enumerate(dice.choices(known, weights, k=count)):
        raw = event(firm, began_ms + number // 50, dice)
        fields = {
            "event": raw,
            "settled_micro": "300000",
            "written_off_micro": "0",
            "late": "0",
        }
        for _ in range(2 if number % REPEATED == 0 else 1):
            pipe.xadd(keys.events(firm.cell), fields)
            appended += 1
        if number % 1000 == 999:
            pipe.execute()
    pipe.execute()
    return appended


def _seconds(pids: list[int]) -> float:
    """Seconds of a core that these processes have used."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / ticks


def _programs(client: redis.Redis) -> dict[str, list[int]]:
    """The processes that work: ourselves, our PostgreSQL backend, Valkey."""
    from django.db import connection

    connection.ensure_connection()
    backend = connection.connection.info.backend_pid
    return {
        "intake": [os.getpid()],
        "postgres": [backend],
        "valkey": [int(client.info("server")["process_id"])],
    }


def book(client: redis.Redis, url: str, appended: int) -> Round:
    """Drain the streams with the program's own loop."""
    from portal.usage import intake
    from portal.usage.reader import Reader

    programs = _programs(client)
    before = {name: _seconds(pids) for name, pids in programs.items()}
    reader = Reader(url)
    began = time.perf_counter()
    reader.run(once=True)
    took = time.perf_counter() - began
    intake.give_back_cells(reader.token)
    cores = {name: _seconds(pids) - before[name] for name, pids in programs.items()}
    return Round(appended, took, cores)


def check(client: redis.Redis, unique: int) -> str:
    """What is wrong; empty if nothing is."""
    from portal.admission import keys
    from portal.lib.ids import CELLS
    from portal.usage.models import LedgerEntry, PoisonRecord
    from tenants import rls

    left = sum(int(client.xlen(keys.events(cell))) for cell in range(CELLS))
    with rls.everyone(because="bench: count"):
        booked = LedgerEntry.objects.count()
    aside = PoisonRecord.objects.count()
    right = booked == unique and aside == 0 and left == 0
    return "" if right else f"{booked} of {unique} booked, {aside} put aside, {left} left"


def measure(*, events: int = 120_000, rounds: int = 3) -> int:
    """Print the figures; 1 if an event was lost or doubled. Needs ``servers.start`` before."""
    import redis

    from portal.admission import library
    from portal.usage.management.commands.intake import calm_collector

    calm_collector()
    url = os.environ["VALKEY_URL"]
    client = redis.Redis.from_url(url)
    client.flushdb()
    client.execute_command(*library.load_command())
    dice, known, unique, found = random.Random(5), firms(), 0, []
    for number in range(rounds + 1):
        count = events if number else events // 10  # the first one warms
        appended = fill(client, known, count, dice)
        unique += count
        found.append(book(client, url, appended))
        if wrong := check(client, unique):
            print(f"check intake failed in round {number}: {wrong}")
            return 1
    report(found[1:])
    print(f"check intake {unique} events booked once, 0 put aside, streams empty")
    return 0


def report(found: list[Round]) -> None:
    """Medians and ranges."""
    rates = [one.per_second for one in found]
    spread = f"[{min(rates):.0f}-{max(rates):.0f}]"
    print(f"figure intake_events_per_s {statistics.median(rates):.0f} 1/s  {spread}")
    for name in found[0].cores:
        used = [one.cores[name] / one.events * 1e6 for one in found]
        print(f"figure intake_{name}_us_per_event {statistics.median(used):.1f} us")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=120_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["DURE_STACK_DURABLE"] = "1"
    from bench import servers

    servers.start()
    return measure(events=arguments.events, rounds=arguments.rounds)


if __name__ == "__main__":
    sys.exit(main())
