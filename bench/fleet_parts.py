"""What the control plane does with a whole fleet, measured in this process: sweeps, tables,
placement, pages. Time is what the kernel booked for this process, PostgreSQL and Valkey."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bench.fleet_crowd import Fleet
from bench.fleet_figures import Figures, p95
from bench.servers import cpu_seconds, family

ROUNDS = 20


class Cores:
    """CPU time of this process and of its servers; the pretended sites are the world outside."""

    def __init__(self, outside: int) -> None:
        self.outside = outside

    def pids(self) -> list[int]:
        outside = set(family(self.outside))
        return [pid for pid in family(os.getpid()) if pid not in outside]

    def measure(self, deed: Callable[[], object]) -> tuple[float, float]:
        """(seconds of a core, seconds on the clock)."""
        before, began = self._booked(), time.perf_counter()
        deed()
        clock, after = time.perf_counter() - began, self._booked()
        return sum(after[pid] - before.get(pid, 0.0) for pid in after), clock

    def _booked(self) -> dict[int, float]:
        """By process, of those that are there: PostgreSQL's helpers come and go."""
        found = {}
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found[pid] = cpu_seconds([pid])
        return found


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()


def sweeps(figures: Figures, cores: Cores, fleet: Fleet) -> None:
    """Every site is asked and compared, and what follows is looked for: first when all are told
    their state, then as it is every few seconds."""
    core, clock = cores.measure(lambda: _ask_all(fleet))
    figures.note("told_all_core_s", core, f"{clock:.1f} s on the clock")
    _all_ready(fleet)
    found = [cores.measure(lambda: _sweep(fleet)) for _ in range(3)]
    core = statistics.median(core for core, _ in found)
    clock = statistics.median(clock for _, clock in found)
    figures.note("fleet_sweep_s", core, f"of a core; {clock:.1f} s on the clock")
    _all_ready(fleet)


def _sweep(fleet: Fleet) -> None:
    _ask_all(fleet)
    watches()


def watches() -> None:
    """What looks at all endpoints and sites every two seconds."""
    from portal.provisioning import tasks
    from portal.routing import rolling

    tasks.watch()
    rolling.sweep([], now=_now())


def _ask_all(fleet: Fleet) -> None:
    from portal.provisioning.reconcile import reconcile

    for site in fleet.sites:
        assert reconcile(site.code, now=_now()), site.code


def _all_ready(fleet: Fleet) -> None:
    """The rows are what the sites report, so that what was measured was the usual round."""
    from portal.deployments.models import Placement, PlacementMove
    from portal.fleet.models import Site
    from tenants import rls

    with rls.everyone(because="bench"):
        ready = Placement.objects.filter(state="ready").count()
        assert ready == len(fleet.placements), (ready, len(fleet.placements))
        assert not PlacementMove.objects.exists(), PlacementMove.objects.first()
    wrong = Site.objects.exclude(health="ready").exclude(health="waiting")
    assert not wrong.exists(), [(one.code, one.health, one.trouble) for one in wrong[:3]]


def minutes(figures: Figures, cores: Cores) -> None:
    """What is done for all endpoints each minute."""
    from portal.deployments.actions import card_time, commitments, freeing

    core, clock = cores.measure(lambda: watches())
    figures.note("watches_core_s", core, f"{clock:.2f} s on the clock, of the sweep")
    for name, deed in (
        ("renew", lambda: commitments.renew(now=_now())),
        ("settle_ended", lambda: commitments.settle_ended(now=_now())),
        ("retell", lambda: commitments.retell(now=_now())),
        ("freeing", lambda: freeing.sweep(now=_now())),
        ("card_time", lambda: card_time.accrue_all(now=_now().replace(minute=0))),
    ):
        core, clock = cores.measure(deed)
        figures.note(f"minute_{name}_core_s", core, f"{clock:.1f} s on the clock")


def tables(figures: Figures, cores: Cores, fleet: Fleet) -> None:
    """The publisher's first turn, one without news, one with one change; how large the table is."""
    from django.conf import settings

    from portal.admission import keys
    from portal.admission.sync import Admission, connect
    from portal.routing.publish import Publisher

    publisher = Publisher(Admission(connect(settings.VALKEY_URL, timeout_seconds=10.0)))
    core, clock = cores.measure(lambda: publisher.turn(now=_now()))
    figures.note("publish_first_core_s", core, f"{clock:.1f} s on the clock")
    publisher.turn(now=_now())
    quiet = [cores.measure(lambda: publisher.turn(now=_now())) for _ in range(5)]
    figures.note(
        "publish_quiet_core_s",
        statistics.median(core for core, _ in quiet),
        f"{statistics.median(clock for _, clock in quiet):.2f} s on the clock",
    )
    client = publisher.admission.client
    parts: Any = client.hgetall(keys.ROUTE_PARTS)
    index: Any = client.get(keys.ROUTE_INDEX)
    size = len(index) + sum(len(name) + len(raw) for name, raw in parts.items())
    said = f"{len(parts)} endpoints, of it {len(index) / 2**20:.2f} for the index"
    figures.note("fleet_table_mb", size / 2**20, said)
    stalls(figures, settings.VALKEY_URL, settings.DURE_SEAL_KEYS, len(parts))


def stalls(figures: Figures, url: str, seal_keys: str, endpoints: int) -> None:
    """The longest that a gateway's loop does nothing else while it takes a table for the first
    time, and while it looks at one in which nothing has changed. In CPU time of the thread, so
    that a neighbour on the machine is no stall."""
    import asyncio

    from portal.admission import cluster
    from portal.gateway.table_view import TableView

    async def watched(view: TableView) -> float:
        longest, last, taking = 0.0, time.thread_time(), asyncio.create_task(view.refresh())
        while not taking.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
        assert taking.result()
        return longest * 1000

    async def both() -> None:
        valkey = cluster.connection(url)
        await valkey.start()
        while not valkey.connected:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        view = TableView(valkey, seal_keys)
        began = time.thread_time()
        first = await watched(view)
        took = time.thread_time() - began
        assert view.table is not None and len(view.table.endpoints) == endpoints
        figures.note("table_take_stall_ms", first, f"all parts, {took:.2f} s of a core together")
        view._raw_index, number = b"", view.table.index.number
        figures.note("table_look_stall_ms", await watched(view), f"number {number}, no part new")
        await valkey.stop()

    asyncio.run(both())


def placement(figures: Figures, fleet: Fleet) -> None:
    """One order over all sites: the whole way to its price, and the pure core alone."""
    from billing import tariffs
    from portal.catalog.models import CatalogModel
    from portal.catalog.reference import SMOLLM2
    from portal.deployments import placement as pure
    from portal.deployments import quoting
    from portal.fleet.models import Site
    from tenants import rls
    from tenants.models import Quota

    project = fleet.endpoints[0].project
    wish = quoting.Wish(name="새-상담", model=SMOLLM2, region="", replicas=3)
    now = Site.objects.earliest("observed_at").observed_at  # all were seen just before
    assert now is not None
    with rls.everyone(because="bench"):
        Quota.objects.create(  # the largest organizations are beyond the usual number
            organization_id=project.organization_id,
            name="cards",
            most=100_000,
            because="A benchmark's crowd.",
            set_by="bench",
            set_at=now,
        )
    with rls.tenant(project.organization_id):
        whole = _times(lambda: quoting.quote(wish=wish, project=project, now=now))
        sites = list(Site.objects.asked().select_related("region").order_by("pk"))
        book = tariffs.Book("cards", now, project.organization_id)
        room = quoting.room_of(sites, book, project.organization_id, now)
        rooms = room.of([CatalogModel.objects.get(slug=SMOLLM2)])[SMOLLM2]
        wanted = quoting.wanted_of(wish, project)
        core = _times(lambda: pure.choose(rooms, wanted))
    assert len(rooms) >= len(fleet.sites)
    figures.note("fleet_placement_ms", statistics.median(whole), f"p95 {p95(whole):.1f}")
    figures.note("placement_core_ms", statistics.median(core), f"{len(rooms)} rooms")


def _times(deed: Callable[[], object]) -> list[float]:
    """ms of a core of each round: this process and its backend."""
    from bench.pages import booked

    found = []
    for _ in range(ROUNDS + 3):
        before = booked()
        deed()
        found.append((booked() - before) * 1000)
    return found[3:]


def pages(figures: Figures, fleet: Fleet) -> None:
    """The operator's board, the map, the lists of endpoints: time of a core and queries."""
    from bench.pages import Asked, ask_often
    from tenants import actors, rls
    from tests import factories
    from tests.cast import Person, browser

    staff = fleet.crowd.staff[0]
    factories.second_factor(staff.user)
    owner = fleet.crowd.firms[0].members[0]
    with rls.everyone(because="bench"):
        people = {
            "operator": Person(staff.user, actors.of_membership(staff)),
            "owner": Person(owner.user, actors.of_membership(owner)),
        }
    clients = {name: browser(person) for name, person in people.items()}
    found = [
        Asked("board", "operator", "/operator/sites/"),
        Asked("site", "operator", f"/operator/sites/{fleet.sites[0].code}/"),
        Asked("map", "operator", "/sites/"),
        Asked("endpoints_all", "operator", "/endpoints/"),
        Asked("map_customer", "owner", "/sites/"),
        Asked("endpoints", "owner", "/endpoints/"),
    ]
    for one in found:
        ask_often(clients[one.who], one, 10)
        said = f"{one.url} as {one.who}, {one.queries} queries, median {one.median_ms:.0f}"
        figures.note(f"page_{one.name}_p95_ms", one.p95_ms, said)
    busiest = max(found, key=lambda one: one.queries)
    figures.note("fleet_page_queries_max", busiest.queries, busiest.url)
