"""The engines' own counts by day: nothing lost over a start, nothing twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from portal.fleet import actions
from portal.fleet.drivers.contract import ReplicaReport, ServedReport, SiteReport
from portal.fleet.models import EngineDay, Site
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    factories.catalogue()
    found = factories.site(cards=0, seen_at=None)
    found.lease_token = uuid4()
    found.save()
    return found


def tell(site: Site, since: int, tokens: tuple[int, int] | None, *, now: datetime = NOON) -> None:
    served = tokens and ServedReport(
        since_ms=since, tokens_in=tokens[0], tokens_out=tokens[1], requests=None
    )
    replica = ReplicaReport(placement="plc_a", epoch=1, state="ready", served=served or None)
    report = SiteReport(site=site.code, at_ms=0, generation=1, simulated=True, replicas=(replica,))
    assert site.lease_token is not None
    actions.record_report(site=site, report=report, token=site.lease_token, now=now)


def days() -> list[tuple[int, int, int]]:
    rows = EngineDay.objects.order_by("day")
    return [(one.tokens_in, one.tokens_out, one.starts) for one in rows]


def test_adds_up_what_is_new(site: Site) -> None:
    for tokens in ((100, 10), (100, 10), (150, 30)):
        tell(site, 1, tokens)

    assert days() == [(150, 30, 1)]


def test_keeps_what_was_counted_before_a_site_began_anew(site: Site) -> None:
    tell(site, 1, (100, 10))
    tell(site, 2, (0, 0))
    tell(site, 2, (7, 3))

    assert days() == [(107, 13, 2)]


def test_gives_each_day_its_own(site: Site) -> None:
    tell(site, 1, (100, 10))
    tell(site, 1, (130, 15), now=NOON + timedelta(days=1))

    assert days() == [(100, 10, 1), (30, 5, 0)]


def test_notes_nothing_where_no_engine_counts(site: Site) -> None:
    tell(site, 1, None)

    assert days() == []
