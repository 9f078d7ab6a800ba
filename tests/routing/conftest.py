"""A published world out of rows: two sites, a shared and a dedicated endpoint, one key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from billing import budgets
from portal.deployments.models import Endpoint, Placement
from portal.fleet.models import Site
from portal.routing import snapshot
from portal.routing.snapshot import Memory, Snapshot
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


@pytest.fixture
def remembered(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Each look of the test is that of a publisher that has looked before, and finds what one
    would find that never has."""
    memory, take = Memory(), snapshot.take
    take(now=NOON, demands=[], memory=memory)

    def both(**how: Any) -> Snapshot:
        if "memory" in how:
            return take(**how)
        fresh, found = take(**how), take(**how, memory=memory)
        assert said(found) == said(fresh)
        return found

    monkeypatch.setattr(snapshot, "take", both)
    return memory


def said(taken: Snapshot) -> tuple[Any, ...]:
    """All that it says, but for the numbers of looks."""
    return (
        {name: msgspec.structs.replace(one, number=0) for name, one in taken.routes.items()},
        {
            sha: (msgspec.structs.replace(grant, number=0), over)
            for sha, (grant, over) in taken.grants.items()
        },
        [(code, one.name, one.mark) for code, one in taken.limits],
        (taken.sites, taken.budgets, taken.more, taken.ended, taken.gateways),
    )
