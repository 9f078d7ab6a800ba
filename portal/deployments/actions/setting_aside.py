"""Money for what an endpoint is to run besides what is set aside for it, without an order: wider
opening hours. Held in Valkey, written, committed, as of every order; or nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from billing import budgets, holding
from billing.fiscal import orders as fiscal
from portal.deployments.models import Endpoint
from portal.lib import ids
from portal.lib.periods import Month
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Need:
    """``micro`` of this month besides. ``scope`` opens a transaction for the organization."""

    endpoint: Endpoint  # loaded with its project
    micro: int
    scope: Callable[[], AbstractContextManager[None]]
    by: Actor
    now: datetime


def hold_and_write(need: Need, write: Callable[[], None]) -> None:
    """``write`` runs in a transaction in which the money is there; whatever goes wrong, nothing is
    held afterwards. ``budgets.BudgetExceeded``, ``CountersUnavailable``, and of a budget line
    ``fiscal.Refusal``."""
    if need.micro <= 0:
        with need.scope():
            write()
        return
    organization, project = need.by.organization, need.endpoint.project
    assert project is not None  # of a dedicated endpoint
    month, reference = Month.of(need.now), ids.mint("hrs")
    with need.scope():
        subjects = budgets.subjects_of(organization, project)
    with (
        holding.held(
            organization=organization,
            subjects=subjects,
            reference=reference,
            month=month,
            amount_micro=need.micro,
        ),
        need.scope(),
    ):
        write()
        row = budgets.record_commitment(
            organization=organization,
            project=project,
            reference=reference,
            endpoint=need.endpoint.public_id,
            month=month,
            amount_micro=need.micro,
        )
        fiscal.commit(
            row,
            project=project,
            subject=need.endpoint.name,
            seller=settings.DURE_SELLER_NAME,
            by=need.by,
            now=need.now,
        )
    budgets.tell(row, organization, subjects)
