"""The crowd behind the doors: what the permission tables name, in the large firm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache

from bench import crowd, servers
from bench.crowd import Crowd, Firm, Scale
from billing import budgets, invoices
from billing.models import Budget
from tenants import actors, rls
from tenants.models import Membership, Policy
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast, Person
from tests.web.conftest import World

ENDPOINTS = 40


@dataclass
class Stage:
    crowd: Crowd
    world: World


def build(scale: Scale, *, now: datetime) -> Stage:
    """The crowd, and a world in it as the tests of the doors have one."""
    servers.serve_pages()
    cache.clear()
    factories.catalogue()
    made = crowd.make(scale, now=now)
    servers.analyze()
    stage = Stage(made, _world(made, now))
    servers.analyze()
    return stage


def _cast(made: Crowd) -> Cast:
    large, other = made.firms[0], made.firms[1]
    for one in (large.members[0], *made.staff):
        factories.second_factor(one.user)
    return Cast(
        firm=large.organization,
        project=large.projects[0],
        alice=_person(large.members[0]),
        bob=_of_role(large, "developer"),
        carol=_of_role(large, "budget_officer"),
        dan=_of_role(large, "auditor"),
        mallory=_person(other.members[0]),
        nobody=Person(factories.user("nobody@crowd.example", "무소속"), None),
        olivia=_person(made.staff[0]),
    )


def _of_role(firm: Firm, role: str) -> Person:
    return _person(next(one for one in firm.members if one.role == role and one.all_projects))


def _person(membership: Membership) -> Person:
    with rls.everyone(because="bench"):
        return Person(membership.user, actors.of_membership(membership))


def _world(made: Crowd, now: datetime) -> World:
    cast = _cast(made)
    seen = now - timedelta(seconds=2)
    sites = [factories.site(cards=40, seen_at=seen)]
    sites += [factories.site(f"{place}-1", region=place, seen_at=seen) for place in ("gwangju",)]
    endpoints = [factories.endpoint(cast.project, f"상담-{n}") for n in range(ENDPOINTS)]
    for number, one in enumerate(endpoints):
        factories.placement(one, sites[number % len(sites)])
    with rls.everyone(because="bench"):
        # the strictest rules, so that each request of the measured has to look at them
        Policy.objects.filter(organization=cast.firm).update(mfa_required=True)
        all_budgets = {one.subject: one for one in Budget.objects.filter(organization=cast.firm)}
    for one in all_budgets.values():
        budgets.publish(one, cast.firm)
    budget = all_budgets[cast.firm.public_id]
    for organization in (cast.mallory.may.organization, cast.olivia.may.organization):
        budgets.publish(factories.budget(organization, 100_000_000), organization)
    key, secret = factories.api_key(cast.project, cast.alice.may, scopes=Scope.values)
    with rls.tenant(cast.firm.pk):
        invoice = invoices.issue_interim(
            organization=cast.firm, by=cast.alice.may, now=now - timedelta(minutes=30)
        )
    assert invoice is not None
    return World(
        cast=cast,
        site=sites[0],
        endpoint=endpoints[0],
        shared=factories.shared_endpoint(cast.olivia.may.organization),
        key=key,
        secret=secret,
        invoice=invoice,
        budget=budget,
    )
