"""A small fleet for the model-based test: three wild sites, a firm that orders, an operator.

Deeds go through the product's own actions, rounds through its workers; time is passed in. What must
hold is looked at in ``fleet_checks``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
import time_machine

from portal.deployments import quoting
from portal.deployments.actions import changes, endpoints, orders, placements, site_conditions
from portal.deployments.actions import leaving as leaving_actions
from portal.deployments.models import Endpoint
from portal.deployments.requoting import Change, NothingChanges
from portal.fleet import moves
from portal.fleet.drivers import registry
from portal.fleet.models import Site
from portal.provisioning.reconcile import reconcile
from portal.routing import rolling
from tenants import rls
from tenants.actors import Actor
from tests import factories
from tests.deployments.conftest import Shop
from tests.factories import CHAT, NOON
from tests.fakes.wild_site import WildSite
from tests.provisioning.fleet_checks import Checks, Tally

SITES = ("daegu-1", "busan-1", "gwangju-1")
CARDS = 4
LEASE_OVER = 31
REFUSED = (
    quoting.NoRoom,
    quoting.NotForSale,
    quoting.BadReplicas,
    NothingChanges,
    changes.NotNow,
    orders.TooManyEndpoints,
    site_conditions.NotPossible,
    site_conditions.NotEmpty,
)
BROKEN_LOGS = {"leaving.failed", "reconcile.no_such_move"}
# Seconds between rounds until all rests: bounds of silence, rollouts, loss and leaving pass.
REST = (2, 2, 16, 31, 2, 2, 310, 2, 2, 661, 2, 2, 31, 31, 661, 2, 2, 2)


@dataclass
class Fleet:
    """One story."""

    shop: Shop
    olivia: Actor
    checks: Checks
    now: datetime = NOON
    losses: int = 0
    names: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def close(self) -> None:
        """Its kind of site is known to nobody else."""
        del registry.DRIVERS["wild"]

    # Time and workers.

    def work(self, code: str, seconds: float = 2) -> None:
        """One round for one site."""
        self.now += timedelta(seconds=seconds)
        self._round(code)

    def _round(self, code: str) -> None:
        with time_machine.travel(self.now, tick=False), structlog.testing.capture_logs() as said:
            reconcile(code, now=self.now)
        self._read(said)

    def look(self, seconds: float = 2) -> None:
        """What the workers do for all sites together."""
        self.now += timedelta(seconds=seconds)
        with time_machine.travel(self.now, tick=False), structlog.testing.capture_logs() as said:
            moves.sweep(now=self.now)
            leaving_actions.sweep(now=self.now)
            rolling.sweep([], now=self.now)
            placements.revive(now=self.now)
        self._read(said)

    def round(self, seconds: float = 2) -> None:
        self.now += timedelta(seconds=seconds)
        for code in SITES:
            self._round(code)
        self.look(0)

    def _read(self, said: list[structlog.typing.EventDict]) -> None:
        for line in said:
            if line["event"] in BROKEN_LOGS:
                self.checks.fail("wrong_deletions", f"{line}")

    # Deeds.

    @property
    def is_small(self) -> bool:
        """Few enough endpoints that another one may find room."""
        with rls.everyone(because="model"):
            return Endpoint.objects.filter(kind="dedicated", stopped_at=None).count() < 4

    def order(self, replicas: int, region: str, *, apart: bool) -> None:
        name = f"모델-{next(self.names)}"
        wish = quoting.Wish(name=name, model=CHAT, region=region, replicas=replicas, apart=apart)
        self._deed(
            "order",
            lambda: orders.place(
                wish=wish,
                project=self.shop.project,
                idempotency_key=name,
                by=self.shop.alice,
                now=self.now,
            ),
        )

    def change(self, which: int, change: Change) -> None:
        paused = change.kind == "resume"
        endpoint = self._endpoint(which, paused_at__isnull=not paused, operator_hold=False)
        if endpoint is None:
            return
        key = f"change-{next(self.names)}"
        self._deed(
            change.kind,
            lambda: changes.place(
                change=change,
                endpoint=endpoint,
                idempotency_key=key,
                by=self.shop.alice,
                now=self.now,
            ),
        )

    def end(self, which: int, *, for_good: bool) -> None:
        if (endpoint := self._endpoint(which, paused_at=None)) is None:
            return
        deed = endpoints.stop if for_good else endpoints.pause

        def done() -> None:
            with rls.tenant(self.shop.firm.pk):
                deed(endpoint=endpoint, by=self.shop.alice, now=self.now)

        self._deed("stop" if for_good else "pause", done)

    def hold(self, which: int, *, on: bool) -> None:
        """The operator's hold: replicas stop and stay wanted."""
        if (endpoint := self._endpoint(which, operator_hold=not on)) is None:
            return
        self.checks.held.add(endpoint.pk)
        self.checks.tally.deeds["hold" if on else "unhold"] += 1
        with rls.everyone(because="model"):
            Endpoint.objects.filter(pk=endpoint.pk).update(operator_hold=on)

    def put(self, code: str, to: str) -> None:
        def done() -> None:
            with rls.tenant(self.olivia.organization.pk):
                site = Site.objects.get(code=code)
                site_conditions.put(
                    site=site, to=to, because="모형을 시험합니다.", by=self.olivia, now=self.now
                )

        self._deed(to, done)

    def _deed(self, name: str, done: Callable[[], object]) -> None:
        try:
            done()
        except REFUSED:
            self.checks.tally.deeds[f"{name} refused"] += 1
        else:
            self.checks.tally.deeds[name] += 1

    def _endpoint(self, which: int, **state: object) -> Endpoint | None:
        """One of those in this state, so that most deeds are possible; else any that is there."""
        with rls.everyone(because="model"):
            rows = Endpoint.objects.filter(kind="dedicated", stopped_at=None).order_by("pk")
            fit = list(rows.filter(**state)) or list(rows)
        return fit[which % len(fit)] if fit else None

    def lose(self, code: str) -> None:
        """It is silent until it is lost; the others are well meanwhile."""
        self.checks.sites[code].away = True
        self.losses += 1
        self.work(code, 16)
        self.look(0)
        self.checks.check()
        self.round(301)

    def overtake(self, code: str, call: str, deed: Callable[[], None]) -> None:
        """A worker is so slow that its lease ends; another one does the same meanwhile, after
        something was ordered otherwise."""

        def meanwhile() -> None:
            self.now += timedelta(seconds=LEASE_OVER)
            deed()
            self._round(code)

        self.checks.sites[code].meanwhile[call] = meanwhile

    def restore(self, code: str) -> None:
        site = self.checks.sites[code]
        site.restore()
        self.checks.restored |= set(site.running)

    def settle(self) -> None:
        """Faults end, time passes: all that is wanted runs, and nothing else. Then holds end, and
        what they had stopped comes back."""
        for site in self.checks.sites.values():
            site.recover()
        self._rest()
        with rls.everyone(because="model"):
            lifted = Endpoint.objects.filter(operator_hold=True).update(operator_hold=False)
        if lifted and not self.checks.failed:
            self._rest()

    def _rest(self) -> None:
        trouble = ""
        for number, seconds in enumerate(REST, 1):
            self.round(seconds)
            self.checks.check()
            trouble = self.checks.trouble()
            if not trouble and number > 1:
                self.checks.tally.rounds_to_rest = max(self.checks.tally.rounds_to_rest, number)
                return
        self.checks.fail("not_settled", f"after {len(REST)} rounds: {trouble}")


def opened(tally: Tally) -> Fleet:
    """A firm with much money, three sites of four cards, one shared endpoint at each, two that
    were ordered."""
    from billing import budgets

    firm = factories.organization()
    budgets.publish(factories.budget(firm, 9_000_000_000), firm)
    operator = factories.organization("운영사", kind="operator", number=None)
    rows = {code: factories.site(code, region=code[:-2], cards=CARDS) for code in SITES}
    shop = Shop(
        firm=firm,
        project=factories.project(firm),
        alice=factories.member(factories.user("alice@example.com", "김서연"), firm),
        daegu=rows[SITES[0]],
        busan=rows[SITES[1]],
        budget=factories.budget(firm, 9_000_000_000),
    )
    olivia = factories.member(factories.user("olivia@example.com", "최유진"), operator)
    checks = Checks(tally)
    fleet = Fleet(shop, olivia, checks)
    shared = factories.shared_endpoint(operator)
    for code, row in rows.items():
        Site.objects.filter(pk=row.pk).update(driver="wild", control_url=f"http://127.0.0.1/{code}")
        cards = [f"rngd-{number}" for number in range(CARDS)]
        checks.sites[code] = WildSite(code, cards, checks.dropped)
        factories.placement(shared, row)
    by_url = {f"http://127.0.0.1/{code}": site for code, site in checks.sites.items()}
    registry.DRIVERS["wild"] = lambda url, token: by_url[url]
    for replicas, apart in ((2, True), (1, False)):
        fleet.order(replicas, "", apart=apart)
    fleet.round(0)
    tally.fleets += 1
    return fleet
