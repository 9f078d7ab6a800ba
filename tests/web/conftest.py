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


@pytest.fixture
def world(cast: Cast, valkey_url: str, _no_static_files: None) -> Iterator[World]:
    """Time stands still at NOON; sites were seen a moment ago; every firm has a budget."""
    cache.clear()  # of rate limits, whose windows do not end while time stands still
    budgets.admission.cache_clear()
    with time_machine.travel(NOON, tick=False):
        factories.catalogue()
        site = factories.site(cards=20, seen_at=NOON - timedelta(seconds=2))
        for name in ("alice", "mallory", "olivia"):
            organization = cast[name].may.organization
            budgets.publish(factories.budget(organization, 100_000_000), organization)
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
        yield World(
            cast=cast,
            site=site,
            endpoint=endpoint,
            shared=factories.shared_endpoint(cast.olivia.may.organization),
            key=key,
            secret=secret,
            invoice=invoice,
            budget=found,
        )
