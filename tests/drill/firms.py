"""Customers with little room: organizations in different cells, two projects and keys each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import F

from billing import budgets, tariffs
from billing.models import Budget
from portal.fleet.models import Site
from portal.lib.money import MICRO
from portal.lib.periods import Month
from tenants import rls
from tenants.models import Organization, Project
from tests import factories
from tests.drill.stack import DAEGU, GWANGJU

FIRMS = 3
COMMITTED_WON = 20
PRICE_IN, PRICE_OUT = Decimal(60_000), Decimal(180_000)  # so that a request costs a won or two


@dataclass
class Firm:
    """One customer; ``keys`` are secrets by project."""

    organization: Organization
    projects: list[Project]
    keys: list[str]
    budgets: list[Budget] = field(default_factory=list)


def build(urls: dict[str, str], *, now: datetime) -> list[Firm]:
    """The catalogue, two sites with a replica of the shared model each, and the firms."""
    factories.catalogue()
    tariffs.set_token_tariff(
        model=factories.CHAT, price_in=PRICE_IN, price_out=PRICE_OUT, starts_at=factories.NOON
    )
    operator = factories.organization("운영사", kind="operator", number=None)
    shared = factories.shared_endpoint(operator)
    for code in (DAEGU, GWANGJU):
        site = factories.site(code, region=code[:-2], seen_at=now)
        Site.objects.filter(pk=site.pk).update(observed_at=now)
        factories.placement(shared, site, moves=[(now, "ready")], url=urls[code])
    return [_firm(number, now) for number in range(FIRMS)]


def _firm(number: int, now: datetime) -> Firm:
    made = factories.organization(f"훈련-{number}", number=f"{1234567891 + number}")
    owner = factories.member(factories.user(f"drill{number}@example.com"), made)
    projects = [factories.project(made, f"p{one}") for one in range(2)]
    keys = [
        factories.api_key(project, owner, rpm_limit=5000, concurrency_limit=50)[1]
        for project in projects
    ]
    firm = Firm(made, projects, keys)
    with rls.everyone(because="drill"):
        firm.budgets = [
            budgets.ensure(organization=made, scope=scope, subject=subject, limit_won=0, now=now)
            for scope, subject in (
                ("organization", made.public_id),
                ("project", projects[0].public_id),
            )
        ]
        budgets.record_commitment(
            organization=made,
            project=projects[1],
            reference=f"ord_drill{number}",
            endpoint=f"ep_drill{number}",
            month=Month.of(now),
            amount_micro=COMMITTED_WON * MICRO,
        )
    return firm


def give_room(firms: list[Firm], won: int) -> None:
    """Let each budget have so much more: little, so that clients are refused. Limits never fall."""
    subjects = [budget.subject for firm in firms for budget in firm.budgets]
    with rls.everyone(because="drill"):
        Budget.objects.filter(subject__in=subjects).update(
            limit_won=F("limit_won") + won, number=F("number") + 1
        )
