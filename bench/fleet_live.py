"""The programs at work with a whole fleet: worker, beat, publisher, a gateway, a real site.

From an order over the API to the first token; from a commit to the call at the site; from a change
to the gateway that knows it; and what the clients of an endpoint see when one of its sites dies.
"""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.fleet_crowd import REAL, REAL_REGION, Fleet, some
from bench.fleet_figures import Figures, p95
from bench.fleet_programs import Sites, spawn

READY_SECONDS = 300.0  # of a machine that does other things, too
DEAD_SECONDS, DEAD_RPS = 20.0, 25
REAL_TOKEN = "token-of-the-real-site-123456789012345"
CHANGES = 10  # of the table, one after the other
COLD_SECONDS = "0"  # its customer sees at once that nothing runs, instead of being held


@dataclass
class Live:
    """What runs, and the customer who uses it."""

    fleet: Fleet
    sites: Sites
    gateway: Any
    project: Any
    key: str
    answers: list[tuple[float, int, int, str]] = field(default_factory=list)

    def chat(self, model: str, timeout: float = 10.0) -> tuple[int, int, str]:
        """Status (0: no answer), attempts, site; until the first piece of the stream."""
        body = {"model": model, "stream": True, "max_tokens": 4}
        body |= {"messages": [{"role": "user", "content": "안녕?"}]}
        request = urllib.request.Request(
            f"{self.gateway.url}/v1/chat/completions",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {self.key}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                first = answer.readline()
                headers = answer.headers
                whole = 200 if first.startswith(b"data: {") else 0
                return whole, int(headers["x-dure-attempts"]), headers["x-dure-site"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, 0, ""
        except (urllib.error.URLError, OSError):
            return 0, 0, ""


def measure(figures: Figures, fleet: Fleet, sites: Sites, folder: Path) -> None:
    """All of it. What was started is stopped."""
    with ExitStack() as stack:
        live = _start(stack, fleet, sites, folder)
        _order_to_token(figures, live)
        _nudges(figures, live)
        _publications(figures, live)
        _dead_site(figures, live)


def until[T](look: Callable[[], T], seconds: float = READY_SECONDS, pause: float = 0.02) -> T:
    """The first true answer."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(pause)
    return found


def _start(stack: ExitStack, fleet: Fleet, sites: Sites, folder: Path) -> Live:
    from django.conf import settings

    from tests.gateway.world import GatewayProcess

    project, key = _customer()
    _real_site(stack, folder)
    beat = ["beat", "--pidfile", "", "-l", "WARNING"]
    worker = ["worker", "--concurrency", "2", "-l", "WARNING", "--without-mingle"]
    asking = ["worker", "--pool", "threads", "--concurrency", "8", "--queues", "sites"]
    asking += ["--hostname", "sites@%h", "-l", "WARNING", "--without-mingle"]
    spawn(stack, ["-m", "portal.routing"], folder / "publisher.log")
    spawn(stack, ["-m", "celery", "-A", "portal", *worker], folder / "worker.log")
    spawn(stack, ["-m", "celery", "-A", "portal", *asking], folder / "sites.log")
    spawn(stack, ["-m", "celery", "-A", "portal", *beat], folder / "beat.log")
    world: Any = SimpleNamespace(
        valkey_url=settings.VALKEY_URL, seal_keys=settings.DURE_SEAL_KEYS, key=key
    )
    gateway = GatewayProcess(world, folder, DURE_GATEWAY_COLD_SECONDS=COLD_SECONDS)
    stack.callback(gateway.stop, signal.SIGTERM)
    with contextlib.suppress(AssertionError):  # it waits a quarter of a minute; we wait longer
        gateway.start(ready=False)
    began = time.monotonic()
    until(lambda: gateway.get("/ready")[0] == 200, pause=0.2)
    print(f"the gateway is ready after {time.monotonic() - began:.0f} s", flush=True)
    live = Live(fleet, sites, gateway, project, key)
    _until_seen(fleet)
    return live


def _customer() -> tuple[Any, str]:
    """A firm that may order, with a key that may do everything."""
    from tenants.scopes import Scope
    from tests import factories

    firm = factories.organization("잰 회사", number="2148100998")
    owner = factories.member(factories.user("bench@example.com", "박재다"), firm)
    project = factories.project(firm)
    factories.budget(firm, 100_000_000)
    _, secret = factories.api_key(
        project, owner, scopes=Scope.values, rpm_limit=100_000, concurrency_limit=500
    )
    return project, secret


def _real_site(stack: ExitStack, folder: Path) -> None:
    from django.utils import timezone

    from deploy.local import ports
    from portal.fleet import actions

    port, first = ports.free(2)
    actions.enrol(
        code=REAL,
        region=REAL_REGION,
        driver="embedded",
        control_url=f"http://127.0.0.1:{port}",
        token=REAL_TOKEN,
        simulated=True,
        name_ko="제주 1",
        name_en="Jeju 1",
        now=timezone.now(),
    )
    words = ["-m", "portal.mdc", "--site", REAL, "--region", REAL_REGION, "--port", str(port)]
    words += ["--engine-ports", f"{first}-{first + 3}", "--card", "rngd=2"]
    words += ["--state-dir", str(folder / REAL)]
    spawn(stack, words, folder / "real.log", DURE_SITE_TOKEN=REAL_TOKEN)


def _until_seen(fleet: Fleet) -> None:
    """Every site has answered a worker since this moment."""
    from django.utils import timezone

    from portal.fleet.models import Site

    began = timezone.now()
    rows = Site.objects.asked().exclude(observed_at__gte=began)
    until(lambda: not rows.exists(), pause=0.5)
    took = (timezone.now() - began).total_seconds()
    print(f"the workers have seen all {len(fleet.sites) + 1} sites after {took:.0f} s", flush=True)
    for site in Site.objects.exclude(health="ready"):
        print(f"  {site.code} is {site.health}: {site.trouble}", flush=True)


def _order_to_token(figures: Figures, live: Live) -> None:
    """An order over the API, then the customer's program asks until it is answered. The API is
    answered by this process: it is asked something first, as a web server's has been."""
    from portal.catalog.reference import SMOLLM2
    from tests.api.callers import bearer

    body = {"project": live.project.public_id, "model": SMOLLM2, "replicas": 1}
    bearer(live.key).post("/api/v1/estimates", body, content_type="application/json")
    found = []
    for number in range(3):
        began = time.monotonic()
        name = _order(live, f"빠른-상담-{number}", region=REAL_REGION, replicas=1)
        _until_answered(live, name, 200)
        found.append(time.monotonic() - began)
        _stop(name, live)
    figures.note("fleet_order_to_token_s", max(found), _all(found))


def _until_answered(live: Live, name: str, status: int) -> None:
    until(lambda: live.chat(name)[0] == status, pause=0.01)


def _order(live: Live, name: str, **wish: Any) -> str:
    from portal.catalog.reference import SMOLLM2
    from tests.api.callers import bearer

    body = {"project": live.project.public_id, "name": name, "model": SMOLLM2} | wish
    answer = bearer(live.key).post(
        "/api/v1/endpoints",
        body,
        content_type="application/json",
        headers={"idempotency-key": f"bench-{name}"},
    )
    assert answer.status_code in (200, 201), (answer.status_code, answer.content[:500])
    return name


def _stop(name: str, live: Live) -> None:
    """Its card is free for the next order once the site has let it go."""
    from django.utils import timezone

    from portal.deployments.actions import endpoints
    from portal.deployments.models import Endpoint, Placement
    from tenants import actors, rls
    from tenants.models import Membership

    organization = live.project.organization
    with rls.everyone(because="bench"):
        by = actors.of_membership(Membership.objects.get(organization=organization))
        endpoint = Endpoint.objects.get(organization=organization, name=name, stopped_at=None)
    with rls.tenant(organization.pk):
        endpoints.stop(endpoint=endpoint, by=by, now=timezone.now())

    def gone() -> bool:
        with rls.everyone(because="bench"):
            return not Placement.objects.living().filter(endpoint=endpoint).exists()

    until(gone, pause=0.1)


def _nudges(figures: Figures, live: Live) -> None:
    """Replicas are asked for, one each at a site; the sites note when they were told."""
    from django.db import transaction
    from django.utils import timezone

    from portal.deployments.actions import placements
    from tenants import rls

    fleet, asked = live.fleet, []
    for number, endpoint in enumerate(some(fleet, fleet.size.orders)):
        site = fleet.sites[number * 7 % len(fleet.sites)]
        with transaction.atomic(), rls.everyone(because="bench"):
            made = placements.want(
                endpoint=endpoint, site=site, offering=fleet.offering, now=timezone.now()
            )
            at = time.time()  # the commit follows
        asked.append((made.public_id, at))
        time.sleep(0.4)
    until(lambda: all(name in live.sites.told for name, _ in asked))
    found = [live.sites.told[name] - at for name, at in asked]
    figures.note("fleet_nudge_p95_s", p95(found), _all(found))


def _publications(figures: Figures, live: Live) -> None:
    """An endpoint's only replica takes nothing new, or takes it again, as when a site is drained;
    its customer asks until the gateway knows."""
    from django.utils import timezone

    from portal.deployments.models import Placement
    from tenants import rls

    name = _order(live, "공개", region=live.fleet.sites[0].region.code, replicas=1)
    _until_answered(live, name, 200)
    found = []
    for number in range(CHANGES):
        leaves = number % 2 == 0
        with rls.everyone(because="bench"):
            rows = Placement.objects.filter(endpoint__project=live.project, endpoint__name=name)
            rows.update(leaving_at=timezone.now() if leaves else None)
        began = time.monotonic()
        _until_answered(live, name, 503 if leaves else 200)
        found.append(time.monotonic() - began)
        time.sleep(0.13 * (number % 4))  # not in step with the publisher
    figures.note("fleet_publish_s", max(found), _all(found))


def _dead_site(figures: Figures, live: Live) -> None:
    """An endpoint at two sites, requests all the time, and one of the sites dies."""
    name = _order(live, "두-곳", region="", replicas=2, apart=True)
    seen: set[str] = set()

    def both() -> bool:
        seen.add(live.chat(name)[2])
        return len(seen - {""}) == 2

    until(both)
    dead = sorted(seen - {""} - {REAL})[0]
    ends = time.monotonic() + DEAD_SECONDS
    clients = [
        threading.Thread(target=_ask_on, args=(live, name, ends, place)) for place in range(5)
    ]
    for client in clients:
        client.start()
    time.sleep(3)
    killed = live.sites.order("kill", dead)
    for client in clients:
        client.join()
    live.sites.order("revive", dead)
    after = sorted(one for one in live.answers if one[0] >= killed)
    failed = [one for one in live.answers if one[1] != 200]
    tried = [at for at, _, attempts, _ in after if attempts > 1]
    first = tried[0] if tried else killed
    said = f"{len(live.answers)} requests, {len(tried)} tried there, {len(failed)} failed"
    figures.note("fleet_dead_site_s", _off_after(after, first), said)
    figures.note("fleet_dead_site_failed", len(failed), f"{failed[:3]}")


def _off_after(answers: list[tuple[float, int, int, str]], first: float) -> float:
    """Seconds after the first failure until of a second's requests at most one in twenty is still
    tried there first, and none waits for it."""
    for tenth in range(int(DEAD_SECONDS * 10)):
        begin = first + tenth / 10
        of = [one for one in answers if begin <= one[0] < begin + 1]
        if sum(one[2] > 1 for one in of) * 20 <= len(of):
            return tenth / 10
    return DEAD_SECONDS


def _ask_on(live: Live, name: str, ends: float, place: int) -> None:
    time.sleep(place / DEAD_RPS)
    while time.monotonic() < ends:
        began = time.time()
        live.answers.append((began, *live.chat(name)))
        time.sleep(max(0.0, began + 5 / DEAD_RPS - time.time()))


def _all(found: list[float]) -> str:
    return " ".join(f"{one:.2f}" for one in sorted(found))
