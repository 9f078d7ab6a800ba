"""A firm with a budget, two sites in Daegu and Busan, and counters that enforce."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from billing import budgets
from billing.models import Budget
from portal.fleet.models import Site
from tenants.actors import Actor
from tenants.models import Organization, Project
from tests import factories
from tests.factories import NOON


@dataclass(frozen=True)
class Shop:
    """What an order needs."""

    firm: Organization
    project: Project
    alice: Actor
    daegu: Site
    busan: Site
    budget: Budget


@pytest.fixture
def shop(db: None, valkey_url: str) -> Iterator[Shop]:
    """₩2,000,000 a month; 2 cards in Daegu, 1 in Busan; seen at NOON."""
    yield opened()
    budgets.admission.cache_clear()


def opened(limit_won: int = 2_000_000) -> Shop:
    budgets.admission.cache_clear()
    factories.catalogue()
    firm = factories.organization()
    budget = factories.budget(firm, limit_won)
    budgets.publish(budget, firm)
    return Shop(
        firm=firm,
        project=factories.project(firm),
        alice=factories.member(factories.user("alice@example.com", "김서연"), firm),
        daegu=factories.site("daegu-1", cards=2, seen_at=NOON),
        busan=factories.site("busan-1", region="busan", cards=1, seen_at=NOON),
        budget=budget,
    )


@pytest.fixture
def other(shop: Shop) -> tuple[Organization, Project, Actor]:
    """Another firm, with a budget and a project."""
    firm = factories.organization("이웃상사", number="2208162517")
    budgets.publish(factories.budget(firm, 2_000_000), firm)
    person = factories.member(factories.user("mallory@example.com", "남궁훈"), firm)
    return firm, factories.project(firm), person
