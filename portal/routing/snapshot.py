"""What PostgreSQL says now, as the gateway shall know it: routes, sites, grants, limits.

Read in one snapshot, so that a table and the grants beside it belong together. What a look has
found is remembered (``Memory``), and the next one reads what was written since.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from billing.chains import Chains
from billing.models import Budget
from billing.published import Limit
from portal.deployments.models import Drill
from portal.fleet.models import Site
from portal.routing.demand import Demand, TargetDemand
from portal.routing.granting import Granted, Grants
from portal.routing.limiting import Limits
from portal.routing.remembered import Rows, Turns
from portal.routing.routes import Routes
from portal.routing.table import EndpointRoutes, SiteInfo, TargetState
from tenants import rls
from tenants.models import Organization

ENDED_LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one publisher: what its looks have found."""

    turns: Turns = field(default_factory=Turns)
    routes: Routes = field(default_factory=Routes)
    grants: Grants = field(default_factory=Grants)
    limits: Limits = field(default_factory=Limits)
    organizations: Rows[Organization] = field(default_factory=Rows[Organization])
    budgets: Rows[Budget] = field(default_factory=Rows[Budget])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent look. ``number`` grows with each look; older ones are refused."""

    number: int
    routes: dict[str, EndpointRoutes]
    sites: tuple[SiteInfo, ...]
    grants: dict[str, Granted]  # sha256 → (grant, whether it is over)
    budgets: tuple[tuple[str, Budget], ...]  # (organization code, budget)
    gateways: int = 1  # that told their demand lately
    limits: tuple[tuple[str, Limit], ...] = ()  # (organization code, what admission is told)
    more: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # (code, subject, other budgets)
    ended: tuple[tuple[str, Budget], ...] = ()  # (code, budget) that count no more, of late


def take(*, now: datetime, demands: list[Demand], memory: Memory | None = None) -> Snapshot:
    """Read everything that is not in ``memory`` from the look before. The number comes first,
    before anything is seen: what changes meanwhile gets a later one."""
    memory, number = memory or Memory(), _next_number()
    turn = memory.turns.next(now)
    with rls.one_look(), rls.everyone(because="publisher: the gateway serves all organizations"):
        sites = list(Site.objects.defer("report").select_related("region"))
        states = {one.code: _site_state(one, now) for one in sites}
        routes = memory.routes.look(
            number=number,
            sites=states,
            samples=_samples(demands),
            withdrawn=frozenset(Drill.objects.at(now).values_list("endpoint", "site")),
            turn=turn,
        )
        organizations = memory.organizations.look(Organization.objects.all(), turn)
        budgets = list(memory.budgets.look(Budget.objects.current(), turn).values())
        limits, more = memory.limits.look(budgets, organizations, now=now)
        return Snapshot(
            number=number,
            routes=routes,
            sites=tuple(
                SiteInfo(one.code, one.region.code, states[one.code], one.simulated)
                for one in sites
            ),
            grants=memory.grants.look(
                number=number,
                now=now,
                sites=sites,
                endpoints=memory.routes.named(),
                organizations=organizations,
                chains=Chains(budgets, now=now),
                turn=turn,
            ),
            budgets=tuple((organizations[one.organization_id].code, one) for one in budgets),
            gateways=max(1, len(demands)),
            limits=limits,
            more=more,
            ended=tuple(
                (organizations[one.organization_id].code, one)
                for one in Budget.objects.filter(closed_at__gt=now - ENDED_LATELY)
            ),
        )


def _next_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('publication_number')")
        return int(cursor.fetchone()[0])


def _site_state(site: Site, now: datetime) -> TargetState:
    return "healthy" if site.serves_at(now) else "out"


def _samples(demands: list[Demand]) -> dict[str, list[TargetDemand]]:
    found: dict[str, list[TargetDemand]] = defaultdict(list)
    for demand in demands:
        for target in demand.targets:
            found[target.target].append(target)
    return found
