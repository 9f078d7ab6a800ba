"""What must hold of a fleet: counted step by step, and in the end whether all has come to rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

import time_machine
from django.db.models import Sum

from portal.deployments.models import Endpoint, Placement, PromisedCards, Rollout
from portal.fleet.health import SERVING
from portal.fleet.models import Card, Site, UsableCards
from portal.routing import snapshot
from tenants import rls
from tests.fakes.wild_site import WildSite


@dataclass
class Tally:
    """Of all fleets of one run."""

    steps: int = 0
    fleets: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    two_owners: int = 0
    cards_over: int = 0
    wrong_deletions: int = 0
    not_settled: int = 0
    rounds_to_rest: int = 0
    seen: Counter[str] = field(default_factory=Counter)  # states that were reached
    sentences: list[str] = field(default_factory=list)  # one of each story that broke something
    goes_on: bool = False  # the next story begins, instead of an error

    def with_(self, other: Tally) -> Tally:
        """Both together."""
        mine, others = vars(self), vars(other)
        most = max(self.rounds_to_rest, other.rounds_to_rest)
        both = {name: mine[name] + others[name] for name in mine}
        return Tally(**both | {"rounds_to_rest": most, "goes_on": self.goes_on})

    @property
    def broken(self) -> int:
        return self.two_owners + self.cards_over + self.wrong_deletions + self.not_settled


class Broken(AssertionError):
    """An invariant does not hold; the sentence says where."""


@dataclass
class Checks:
    """Of one fleet, with what it remembers of the step before."""

    tally: Tally
    sites: dict[str, WildSite] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    held: set[int] = field(default_factory=set)  # endpoints that the operator held once
    restored: set[str] = field(default_factory=set)  # what an older copy started again
    promised: Counter[str] = field(default_factory=Counter)
    failed: bool = False

    def fail(self, figure: str, sentence: str) -> None:
        if self.failed:
            return
        self.failed = True
        setattr(self.tally, figure, getattr(self.tally, figure) + 1)
        self.tally.sentences.append(f"{figure}: {sentence}")
        if not self.tally.goes_on:
            raise Broken(sentence)

    def dropped(self, site: WildSite, names: set[str]) -> None:
        """A site is about to stop these. What our books call stopped never comes back: if an older
        copy of the site runs it again, that goes, and another one is asked for."""
        with rls.everyone(because="model"):
            rows = Placement.objects.filter(public_id__in=names, site__code=site.code, wanted=True)
            rows = rows.exclude(state__in=["stopping", "stopped"])
            wrong = [one.public_id for one in rows.select_related("endpoint") if runs(one)]
        if wrong:
            self.fail("wrong_deletions", f"{site.code} was told to stop {wrong}, which is wanted")

    def check(self) -> None:
        """After each step."""
        with rls.everyone(because="model"):
            rows = list(
                Placement.objects.select_related("endpoint", "site", "revision").order_by("pk")
            )
            self._check_runs(rows)
            self._check_seats(rows)
            self._check_leaving(rows)
            self._check_cards()
            self._check_lost()
        self.given_up |= {one.public_id for one in rows if not one.wanted}
        for one in rows:
            self.tally.seen[f"placement {one.state}"] += 1

    def _check_runs(self, rows: list[Placement]) -> None:
        """Each at one site; what is stopped in our books runs nowhere."""
        where: dict[str, list[str]] = defaultdict(list)
        for code, site in self.sites.items():
            for name, engine in site.running.items():
                if not engine.ending:
                    where[name].append(code)
        for one in rows:
            if len(where[one.public_id]) > 1:
                self.fail("two_owners", f"{one.public_id} runs at {where[one.public_id]}")
            is_over = one.state == "stopped" and one.public_id not in self.restored
            if is_over and one.public_id in where and where[one.public_id]:
                self.fail("two_owners", f"{one.public_id} is stopped in the books, and runs")
            revived = one.endpoint_id in self.held
            if one.wanted and runs(one) and one.state in ("stopping", "stopped") and not revived:
                self.fail("wrong_deletions", f"{one.public_id} is wanted, and {one.state}")

    def _check_seats(self, rows: list[Placement]) -> None:
        """As many replicas as were ordered, each with one heir at most."""
        by_endpoint: dict[Endpoint, list[Placement]] = defaultdict(list)
        for one in rows:
            by_endpoint[one.endpoint].append(one)
        rolled = set(Rollout.objects.filter(state__in=["running", "back"]).values_list("endpoint"))
        for endpoint, mine in by_endpoint.items():
            heirs = Counter(
                one.instead_of
                for one in mine
                if one.instead_of and one.wanted and one.state != "stopped"
            )
            if heirs and max(heirs.values()) > 1:
                self.fail("two_owners", f"a replica of {endpoint} has two heirs: {heirs}")
            if endpoint.kind == "dedicated" and endpoint.may_run:
                self._check_ordered(endpoint, mine, rolls=(endpoint.pk,) in rolled)

    def _check_ordered(self, endpoint: Endpoint, mine: list[Placement], *, rolls: bool) -> None:
        instead = {one.public_id: one.instead_of for one in mine}
        seats = {root(one.public_id, instead) for one in mine if one.wanted}
        ordered = endpoint.revisions.order_by("-number").values_list("replicas", flat=True)
        least, most = ordered[0], ordered[0]
        if rolls:
            rollout = endpoint.rollouts.select_related("from_revision").first()
            assert rollout is not None
            least = min(least, rollout.from_revision.replicas)
            most = max(most, rollout.from_revision.replicas) + 1
        if len(seats) < least:
            self.fail("wrong_deletions", f"{endpoint} has {len(seats)} replicas of {least}")
        if len(seats) > most:
            self.fail("two_owners", f"{endpoint} has {len(seats)} replicas for {most}")

    def _check_leaving(self, rows: list[Placement]) -> None:
        """Out of the table only once another one answers in its stead."""
        rolled = {
            one.to_revision.endpoint_id for one in Rollout.objects.select_related("to_revision")
        }
        for one in rows:
            is_new = one.leaving_at is not None and one.public_id not in self.leaving
            if not is_new or one.endpoint_id in rolled or not one.wanted:
                continue
            heirs = [heir for heir in rows if heir.instead_of == one.public_id and heir.wanted]
            if one.endpoint.kind == "shared":
                heirs += [heir for heir in rows if heir.endpoint_id == one.endpoint_id]
                heirs.remove(one)
            if not any(heir.state == "ready" for heir in heirs):
                self.fail("wrong_deletions", f"{one.public_id} is out before another answers")
        self.leaving |= {one.public_id for one in rows if one.leaving_at is not None}

    def _check_lost(self) -> None:
        """No site is lost that nobody asked."""
        for site in Site.objects.filter(health="lost", trouble_since=None):
            self.fail("wrong_deletions", f"{site.code} is lost, and nobody asked it")

    def _check_cards(self) -> None:
        """Where more was promised than before, there are cards for it."""
        rows = Placement.objects.filter(wanted=True).living().values_list("site__code")
        promised = Counter(dict(rows.annotate(total=Sum("cards"))))
        sums = PromisedCards.objects.values_list("site__code").annotate(total=Sum("cards"))
        if Counter(dict(sums)) != promised:
            self.fail("cards_over", f"{dict(sums)} are promised in sums, and {promised} are")
        cards = Card.objects.exclude(state__in=["failed", "gone"]).values_list("site__code")
        have = Counter(code for (code,) in cards)
        kept = UsableCards.objects.values_list("site__code").annotate(total=Sum("cards"))
        if Counter(dict(kept)) != have:
            self.fail("cards_over", f"{dict(kept)} cards are counted, and there are {have}")
        for code, count in promised.items():
            if count > have[code] and count > self.promised[code]:
                self.fail("cards_over", f"{count} cards of {have[code]} at {code} are promised")
        for code, site in self.sites.items():
            used = sum(len(one.cards) for one in site.running.values())
            if used > len(site.cards) + len(site.missing):
                self.fail("cards_over", f"{used} cards of {len(site.cards)} at {code} are used")
        self.promised = promised

    def check_routes(self, now: datetime) -> None:
        """Requests go only to what is wanted, at sites that serve, once for each replica."""
        with time_machine.travel(now, tick=False):
            taken = snapshot.take(now=now, demands=[])
        states = {one.site: one.state for one in taken.sites}
        with rls.everyone(because="model"):
            health = dict(Site.objects.values_list("code", "health"))
        for routes in taken.routes.values():
            for one in routes.targets:
                if one.state == "out":
                    continue
                if one.id in self.given_up:
                    self.fail("two_owners", f"{one.id} was given up, and is routed")
                if states[one.site] == "out" or health[one.site] not in (*SERVING, "waiting"):
                    self.fail("two_owners", f"{one.id} is routed at {one.site}: {health[one.site]}")

    def _uncounted(self, living: list[Placement]) -> str:
        """Endpoints that have not as many replicas as were ordered, and could."""
        count = Counter(one.endpoint_id for one in living if one.wanted)
        waiting = Placement.objects.filter(wanted=True, state="stopped").values_list("endpoint")
        waits = Counter(pk for (pk,) in waiting)
        rolling = Rollout.objects.filter(state__in=["running", "back"]).values("endpoint")
        rows = Endpoint.objects.filter(kind="dedicated", stopped_at=None, paused_at=None)
        for one in rows.filter(operator_hold=False).exclude(pk__in=rolling):
            form = one.revisions.order_by("-number")[0]
            there = count[one.pk]
            if waits[one.pk] and (form.regions or form.apart or not self._has_room()):
                there += waits[one.pk]  # after a hold it waits for room
            if there != form.replicas:
                return f"{one} has {there} replicas of {form.replicas}"
        return ""

    def _has_room(self) -> bool:
        """Whether a site that takes new work has a card that is not promised."""
        open_ = set(Site.objects.filter(condition="open").values_list("code", flat=True))
        return any(self.promised[code] < len(self.sites[code].cards) for code in open_)

    def trouble(self) -> str:
        with rls.everyone(because="model"):
            living = list(Placement.objects.living().select_related("endpoint", "site"))
            rollouts = Rollout.objects.filter(state__in=["running", "back"], no_room_since=None)
            # What is held waits for who holds it, and its rollout with it.
            if open_ := list(rollouts.filter(endpoint__operator_hold=False)):
                return f"rollouts go on: {open_}"
            if uncounted := self._uncounted(living):
                return uncounted
            for site in Site.objects.all():
                if site.health not in SERVING or site.trouble:
                    return f"{site.code} is {site.health} {site.trouble}"
        for code, wild in self.sites.items():
            here = {one.public_id: one for one in living if one.site.code == code}
            wanted = {name for name, one in here.items() if one.wanted and runs(one)}
            if wild.strays or set(wild.running) != wanted or set(here) != wanted:
                return f"{code} runs {set(wild.running)}, wanted {wanted}, known {set(here)}"
            for name in wanted:
                one, engine = here[name], wild.running[name]
                if (one.state, one.url) != ("ready", wild.url(engine)):
                    return f"{name} at {code}: {one.state} {one.url}, really {wild.url(engine)}"
        return ""


def runs(one: Placement) -> bool:
    """Whether nothing speaks against it but its own wish."""
    endpoint = one.endpoint
    return endpoint.may_run and not endpoint.operator_hold and not endpoint.funding_hold


def root(name: str, instead: dict[str, str]) -> str:
    """The replica that was ordered, through all that were asked for in its stead."""
    while instead.get(name):
        name = instead[name]
    return name
