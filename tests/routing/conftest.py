"""A published world out of rows: two sites, a shared and a dedicated endpoint, one key."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from billing import budgets
from portal.deployments.models import Endpoint, Placement
from portal.fleet.models import Site
from tenants.models import ApiKey, Organization, Project
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


@dataclass(frozen=True)
class Rows:
    cast: Cast
    firm: Organization
    project: Project
    daegu: Site
    busan: Site
    shared: Endpoint
    own: Endpoint
    replica: Placement
    key: ApiKey


@pytest.fixture
def rows(cast: Cast) -> Rows:
    budgets.admission.cache_clear()
    factories.catalogue()
    daegu = factories.site("daegu-1", seen_at=NOON)
    busan = factories.site("busan-1", region="busan", seen_at=NOON)
    shared = factories.shared_endpoint(cast.olivia.may.organization)
    own = factories.endpoint(cast.project, "견적-상담")
    ready = [(NOON, "ready")]
    replica = factories.placement(shared, daegu, moves=ready, url="http://127.0.0.1:9001")
    factories.placement(own, busan, moves=ready, url="http://127.0.0.1:9002")
    factories.budget(cast.firm)
    key, _ = factories.api_key(cast.project, cast.alice.may)
    return Rows(cast, cast.firm, cast.project, daegu, busan, shared, own, replica, key)
