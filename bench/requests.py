"""The requests and limits pages of an organization with a million entries: ``make bench-requests``.

A million ledger entries of one organization over 92 days, six projects' worth of keys, models,
sites and outcomes. Every address is asked 40 times in process, through the whole middleware
stack, as the programs' role behind the wall. Fails above 100 ms of a core at p95 or 15 queries.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import time_machine

from bench import servers

if TYPE_CHECKING:
    from bench.pages import Asked
    from tests.web.conftest import World

MOST_MS, MOST_QUERIES = 100.0, 15

# Ids are version 7 of RFC 9562: 48 bits of milliseconds, then what tells them apart.
_ENTRIES = """
INSERT INTO usage_ledgerentry (day, request_id, organization_id, project, key, endpoint, route,
    model, model_digest, site, chip, placement, tokens_in, tokens_cached, tokens_out, counted,
    outcome, admitted_at, first_byte_at, ended_at, attempts, price_version, hold_micro, cost_micro,
    settled_micro, written_off_micro, late, stream)
SELECT (at AT TIME ZONE 'UTC')::date,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(n %% 4096), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid,
    %(organization)s, %(project)s, (%(keys)s::text[])[1 + n %% %(number)s],
    'ep_' || n %% 40, '/v1/chat/completions', %(model)s, 'sha256:x',
    (ARRAY['daegu-1', 'gwangju-1', 'daejeon-1'])[1 + n %% 3], 'rngd', 'plc_x',
    100, 0, 50, 'reported',
    CASE WHEN n %% 50 = 0 THEN 'cut_short' WHEN n %% 70 = 0 THEN 'client_left' ELSE 'answered' END,
    at, at + interval '200 ms', at + interval '1 s', 1, %(price)s, 1000000, 15000, 15000, 0,
    n %% 1000 = 0, true
FROM (SELECT n, %(now)s::timestamptz - n * (interval '92 days' / %(count)s) AS at
      FROM generate_series(1, %(count)s) AS n) AS moments
"""


def main() -> int:
    """Everything; 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40, help="requests of each page")
    arguments = parser.parse_args()
    servers.start()
    return int(run(arguments.entries, arguments.rounds))


def run(entries: int, rounds: int) -> bool:
    """Make, measure, tell; whether a bound is broken."""
    from bench import pages, stage
    from bench.crowd import SMALL
    from tests.factories import NOON

    with time_machine.travel(NOON, tick=False):
        world = stage.build(SMALL, now=NOON).world
        began = time.perf_counter()
        _fill(world, entries)
        servers.analyze()
        print(f"{entries:,} entries in {time.perf_counter() - began:.0f} s", flush=True)
        gc.collect()
        gc.freeze()
        servers.share_one_core()
        callers = pages.callers(world)
        asked = list(_addresses(world, callers))
        for one in asked:
            pages.ask_often(callers[one.who], one, rounds)
    return _tell(asked)


def _fill(world: World, entries: int) -> None:
    import psycopg

    from tenants import rls
    from tenants.models import ApiKey
    from tests.factories import CHAT, NOON, token_tariff

    firm = world.cast.firm
    with rls.tenant(firm.pk):
        keys = list(ApiKey.objects.order_by("pk").values_list("public_id", flat=True)[:40])
    words = {
        "organization": firm.pk,
        "project": world.cast.project.public_id,
        "keys": keys,
        "number": len(keys),
        "model": CHAT,
        "price": token_tariff().public_id,
        "now": NOON,
        "count": entries,
    }
    with psycopg.connect(servers.superuser_url()) as server:
        server.execute(_ENTRIES, words)


def _addresses(world: World, callers: dict[str, object]) -> Iterator[Asked]:
    """The list with each filter, its hundredth page, one entry, the limits; pages and API."""
    from bench.pages import Asked
    from tests.factories import NOON

    wide = f"since={(NOON.date().replace(month=9, day=1)).isoformat()}&until={NOON.date()}"
    newest = _ids("/api/v1/requests?limit=1", callers["key"])[0]
    words = ["", wide, f"{wide}&outcome=client_left", f"{wide}&only=late", f"{wide}&site=daegu-1"]
    words += [f"{wide}&key={world.key.public_id}", f"{wide}&model=none-such"]
    for some in words:
        yield Asked("requests", "owner", f"/requests/?{some}")
        yield Asked("api_entries", "key", f"/api/v1/requests?limit=200&{some}")
    yield Asked("requests", "owner", f"/requests/?request={newest}")
    yield Asked("api_entries", "key", _deep(f"/api/v1/requests?limit=200&{wide}", callers["key"]))
    yield Asked("request", "owner", f"/requests/{newest}/")
    yield Asked("api_entry", "key", f"/api/v1/requests/{newest}")
    yield Asked("requests_csv", "owner", f"/requests/export.csv?{wide}")
    yield Asked("limits", "owner", "/limits/")
    yield Asked("limits_of_key", "owner", f"/limits/{world.key.public_id}/")
    yield Asked("api_key_limits", "key", f"/api/v1/keys/{world.key.public_id}/limits")


def _ids(url: str, client: object) -> list[str]:
    return [one["id"] for one in client.get(url).json()["data"]]  # type: ignore[attr-defined]


def _deep(url: str, client: object, pages: int = 100) -> str:
    """Where the list stands after so many pages."""
    place = url
    for _ in range(pages):
        following = client.get(place).json()["next"]  # type: ignore[attr-defined]
        if not following:
            break
        place = following.replace("http://testserver", "")
    return place


def _tell(asked: list[Asked]) -> bool:
    """The table, the figures, and whether a bound is broken."""
    print(f"\n{'p95 ms':>8} {'median':>8} {'clock':>8} {'queries':>8}  page")
    for one in sorted(asked, key=lambda one: -one.p95_ms):
        print(
            f"{one.p95_ms:8.1f} {one.median_ms:8.1f} {one.wall_p95_ms:8.1f} {one.queries:8}  "
            f"{one.name} as {one.who}: {one.url[:110]}"
        )
    slowest = max(one.p95_ms for one in asked)
    queries = max(one.queries for one in asked)
    print(f"figure requests_page_p95_ms_max {slowest:.1f} ms (must be ≤ {MOST_MS:.0f})")
    print(f"figure requests_page_queries_max {queries} (must be ≤ {MOST_QUERIES})")
    return slowest > MOST_MS or queries > MOST_QUERIES


if __name__ == "__main__":
    sys.exit(main())
