"""What no site took, by day in Korea: as its own tenant and projects may see it, with what is not
known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from portal.lib.periods import day_period
from portal.usage import unserved_days, unserved_intake
from portal.usage.unserved_days import Day
from tenants import rls
from tenants.actors import Actor
from tests.cast import Cast
from tests.factories import NOON
from tests.usage.test_unserved import ms, row, telling

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 16)
DAYS = [TODAY - timedelta(days=back) for back in range(4)]
SECOND = timedelta(seconds=1)


def seen(by: Actor, days: int = 4) -> list[Day]:
    with rls.tenant(by.organization.pk):
        return unserved_days.of("ep_x", by=by, days=days, now=NOON)


def test_counts_by_day_and_code_and_knows_what_it_does_not_know(cast: Cast) -> None:
    midnight = day_period(TODAY).start
    began = day_period(DAYS[2]).start + timedelta(hours=5)
    rows = [
        row(cast, 2, midnight - SECOND),
        row(cast, 3, midnight),
        row(cast, 4, midnight, code="site_failed"),
        row(cast, 9, midnight, endpoint="ep_other"),
    ]
    unserved_intake.keep([telling(*rows, began_ms=ms(began), until_ms=ms(NOON - SECOND))])

    assert seen(cast.bob.may) == [
        Day(TODAY, 7, {"overloaded": 3, "site_failed": 4}, 0),
        Day(DAYS[1], 2, {"overloaded": 2}, 0),
        Day(DAYS[2], 0, {}, 0),  # nothing, and told so
        Day(DAYS[3], None, None, 0),  # no gateway was there
    ]


def test_says_where_a_gateway_may_have_had_more(cast: Cast) -> None:
    yesterday = day_period(DAYS[1])
    began = ms(yesterday.start - timedelta(hours=1))
    unserved_intake.keep(
        [
            telling(began_ms=began, until_ms=ms(NOON - 6 * SECOND)),  # it lives
            telling(run="killed", began_ms=began, until_ms=ms(yesterday.end - 5 * SECOND)),
            telling(run="over", began_ms=began, until_ms=ms(yesterday.end - SECOND), over=True),
            telling(run="full", began_ms=began, until_ms=ms(NOON), lost_ms=ms(yesterday.start)),
            telling(run="silent", began_ms=began, until_ms=ms(NOON - 60 * SECOND)),
        ]
    )

    # The one that was killed told its last a few seconds before midnight: both days may miss some.
    assert [one.incomplete for one in seen(cast.bob.may, days=3)] == [2, 2, 0]


def test_is_seen_in_its_own_tenant_and_projects_only(cast: Cast) -> None:
    unserved_intake.keep([telling(row(cast, 3))])

    assert seen(cast.bob.may, days=1) == [Day(TODAY, 3, {"overloaded": 3}, 0)]
    elsewhere = replace(cast.bob.may, projects=("prj_other",))
    for by in (cast.mallory.may, elsewhere):
        assert seen(by, days=1) == [Day(TODAY, 0, {}, 0)]
