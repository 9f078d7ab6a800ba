"""What gateways tell of unserved requests becomes rows: once, by tenant, and with its gaps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.admission import keys
from portal.usage import unserved_intake
from portal.usage.models import GatewayRun, UnservedCount
from portal.usage.unserved import Row, Told, encode, slot_of
from tenants import rls
from tests.cast import Cast
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def row(cast: Cast, count: int, at: datetime = NOON, **changes: Any) -> Row:
    values = {"code": "overloaded", "endpoint": "ep_x", **changes}
    return Row(
        organization=values.pop("organization", cast.firm.public_id),
        project=cast.project.public_id,
        slot=slot_of(ms(at)),
        count=count,
        **values,
    )


def telling(*rows: Row, run: str = "run_a", **changes: Any) -> Told:
    values: dict[str, Any] = {"began_ms": ms(NOON) - 1000, "until_ms": ms(NOON), **changes}
    return Told(run=run, gateway="gw", rows=rows, **values)


def counted(cast: Cast) -> dict[str, int]:
    """By run, as its own tenant sees it."""
    with rls.tenant(cast.firm.pk):
        return dict(UnservedCount.objects.values_list("run", "count"))


def within(cast: Cast, start: datetime, until: datetime) -> unserved_intake.Unserved | None:
    with rls.tenant(cast.firm.pk):
        return unserved_intake.within(cast.firm.pk, "ep_x", start, until)


@pytest.fixture(autouse=True)
def _fresh(valkey_url: str) -> None:
    unserved_intake._admission.cache_clear()


def test_keeps_what_stands_in_the_stream_and_trims_it(cast: Cast, valkey: redis.Redis) -> None:
    for told in (telling(row(cast, 1)), telling(row(cast, 3)), telling(row(cast, 2), run="run_b")):
        valkey.xadd(keys.UNSERVED, {"told": encode(told)})
    valkey.xadd(keys.UNSERVED, {"told": b"nothing that can be read"})

    assert unserved_intake.take() == 4
    assert unserved_intake.take() == 0

    assert valkey.xlen(keys.UNSERVED) == 0
    assert counted(cast) == {"run_a": 3, "run_b": 2}


def test_is_seen_by_its_own_tenant_only(cast: Cast) -> None:
    unserved_intake.keep([telling(row(cast, 1))])

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not UnservedCount.objects.exists()


def test_passes_over_what_is_not_ours(cast: Cast) -> None:
    strange = [
        row(cast, 1, organization="org_unknown"),
        row(cast, 1, endpoint="e" * 25),
        row(cast, 0),
        row(cast, 4),
    ]

    unserved_intake.keep([telling(*strange)])

    assert counted(cast) == {"run_a": 4}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_repeated_and_in_any_order_the_totals_stand(cast: Cast, data: Any) -> None:
    with rls.everyone(because="tests"):
        UnservedCount.objects.all().delete()
    told = [telling(row(cast, n), run=run) for run in ("run_a", "run_b") for n in range(1, 5)]
    order = data.draw(st.permutations(told + told[::2]))
    cut = data.draw(st.integers(0, len(order)))

    for batch in (order[:cut], order[cut:], order[:2]):
        unserved_intake.keep(batch)

    assert counted(cast) == {"run_a": 4, "run_b": 4}


def test_sums_the_slots_that_touch_a_window(cast: Cast) -> None:
    start, until = NOON + timedelta(seconds=13), NOON + timedelta(seconds=41)
    rows = [row(cast, 1, NOON + timedelta(seconds=at)) for at in (5, 10, 30, 49, 50)]
    other = row(cast, 7, NOON + timedelta(seconds=20), code="site_failed")
    unserved_intake.keep([telling(*rows, other, over=True, until_ms=ms(until))])

    found = within(cast, start, until)

    assert found is not None
    assert found.by_code == {"overloaded": 3, "site_failed": 7}
    assert (found.start, found.until) == (
        NOON + timedelta(seconds=10),
        NOON + timedelta(seconds=50),
    )
    assert found.incomplete == 0


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("run", "incomplete"),
    [
        ({}, 0),
        ({"until_ms": ms(NOON + 3 * MINUTE), "over": False}, 1),  # killed in the window
        ({"until_ms": ms(NOON + 3 * MINUTE), "over": True}, 0),  # stopped in the window
        ({"until_ms": ms(NOON - MINUTE)}, 0),  # killed before it
        ({"began_ms": ms(NOON + 11 * MINUTE), "until_ms": ms(NOON + 11 * MINUTE)}, 0),
        ({"lost_ms": ms(NOON + 3 * MINUTE)}, 1),  # too many kinds
    ],
)
def test_says_whether_a_gateway_may_have_had_more(
    cast: Cast, run: dict[str, Any], incomplete: int
) -> None:
    living = {"began_ms": ms(NOON - 9 * MINUTE), "until_ms": ms(NOON + 12 * MINUTE)}
    unserved_intake.keep([telling(**living), telling(run="run_b", **(living | run))])

    found = within(cast, NOON, NOON + 10 * MINUTE)

    assert found is not None
    assert found.incomplete == incomplete


def test_nothing_told_is_not_zero(cast: Cast) -> None:
    assert within(cast, NOON, NOON + MINUTE) is None

    unserved_intake.keep([telling(until_ms=ms(NOON + 2 * MINUTE))])

    found = within(cast, NOON, NOON + MINUTE)
    assert found is not None
    assert found.by_code == {}


def test_forgets_old_counts(cast: Cast) -> None:
    unserved_intake.keep([telling(row(cast, 1))])
    unserved_intake.forget(NOON + unserved_intake.KEPT)
    assert counted(cast) == {"run_a": 1}

    unserved_intake.forget(NOON + unserved_intake.KEPT + MINUTE)

    assert counted(cast) == {}
    assert not GatewayRun.objects.exists()
