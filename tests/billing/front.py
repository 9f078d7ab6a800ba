"""A gateway process with a key of a county office, which counts against its budget line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from billing import budgets
from billing.models import Budget
from portal.admission.calls import BudgetStanding
from portal.lib import ids
from portal.lib.periods import Month
from tests.billing.county import County
from tests.fakes.upstream import Upstream
from tests.gateway.world import GatewayProcess, World, target


@contextmanager
def opened(county: County, budget: Budget, folder: Path) -> Iterator[GatewayProcess]:
    """Before a real engine's stand-in. The gateway's clock is the counters' own, so the line's
    limit is told for the year of this moment."""
    now, told = datetime.now(UTC), copy(budget)
    told.year = Month.of(now).year
    with Upstream() as upstream:
        world = World(os.environ["VALKEY_URL"], os.environ["DURE_SEAL_KEYS"])
        world.key = ids.mint_api_key(county.office.code)
        world.grant = msgspec.structs.replace(
            world.grant,
            org_code=county.office.code,
            organization=county.office.public_id,
            project=county.project.public_id,
            budgets=(budget.name,),
        )
        world.prepare()
        budgets.publish(told, county.office, now=now)
        world.endpoint("smollm2", target("ok", upstream.url, "ok"))
        world.publish()
        gateway = GatewayProcess(world, folder)
        try:
            yield gateway.start()
        finally:
            gateway.stop()
            world.close()


def use_up(county: County, budget: Budget) -> None:
    """An order takes everything that the line has left at this moment."""
    month, found = Month.of(datetime.now(UTC)), _standing(county, budget)
    budgets.reserve(
        organization=county.office,
        subjects=[budget.name],
        reference="ord_rest",
        month=month,
        amount_micro=found.left,
    )


def spent(county: County, budget: Budget) -> int:
    """Micro-won that requests have cost by now."""
    return _standing(county, budget).spent


def _standing(county: County, budget: Budget) -> BudgetStanding:
    month = Month.of(datetime.now(UTC))
    found = budgets.admission().standing(county.office.code, subject=budget.name, month=str(month))
    assert found is not None
    return found
