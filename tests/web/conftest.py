"""A small world behind the doors: catalogue, a site, and what alice's firm has there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache

from billing import budgets, invoices
from billing.models import Budget, Invoice
from portal.deployments.models import Endpoint
from portal.fleet.models import Site
from tenants import rls
from tenants.models import ApiKey
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.standing import STANDING

WITH_BUDGET = ("alice", "mallory", "olivia")


@dataclass(frozen=True)
class World:
    """What the tables name; all of it belongs to alice's firm, ``shared`` to the operator."""

    cast: Cast
    site: Site
    endpoint: Endpoint
    shared: Endpoint
    key: ApiKey
    secret: str
    invoice: Invoice
    budget: Budget


@pytest.fixture
def _no_static_files(settings: Any) -> None:
    """Files have a program of their own; each test client would read the whole folder anew."""
    static = "servestatic.middleware.ServeStaticMiddleware"
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != static]


def built(cast: Cast) -> tuple[World, list[Budget]]:
    """The world's rows, and the budgets of those of ``WITH_BUDGET``. Time stands still at NOON;
    sites were seen a moment ago."""
    with time_machine.travel(NOON, tick=False):
        factories.catalogue()
        site = factories.site(cards=20, seen_at=NOON - timedelta(seconds=2))
        made = [factories.budget(cast[name].may.organization, 100_000_000) for name in WITH_BUDGET]
        endpoint = factories.endpoint(cast.project)
        factories.placement(endpoint, site)
        key, secret = factories.api_key(cast.project, cast.alice.may, scopes=Scope.values)
        factories.ledger_entry(
            cast.project, at=NOON - timedelta(hours=1), tokens_in=2_000_000, tokens_out=1_000_000
        )
        invoice = invoices.issue_interim(
            organization=cast.firm, by=cast.alice.may, now=NOON - timedelta(minutes=30)
        )
        assert invoice is not None
        factories.ledger_entry(cast.project, at=NOON - timedelta(minutes=5), tokens_in=3_000_000)
        with rls.everyone(because="test set-up"):
            found = Budget.objects.get(subject=cast.firm.public_id)
        world = World(
            cast=cast,
            site=site,
            endpoint=endpoint,
            shared=factories.shared_endpoint(cast.olivia.may.organization),
            key=key,
            secret=secret,
            invoice=invoice,
            budget=found,
        )
        return world, made


@pytest.fixture
def world_stands() -> None:
    """Marks who begins with this world (``tests.standing``)."""


@pytest.fixture
def world(
    cast: Cast, world_stands: None, valkey_url: str, _no_static_files: None
) -> Iterator[World]:
    """Time stands still at NOON; the gateway's Valkey knows every firm's budget."""
    cache.clear()  # of rate limits, whose windows do not end while time stands still
    budgets.admission.cache_clear()
    with time_machine.travel(NOON, tick=False):
        found, made = STANDING.copy_of("world_stands") or built(cast)
        for name, budget in zip(WITH_BUDGET, made, strict=True):
            budgets.publish(budget, cast[name].may.organization)
        yield found
