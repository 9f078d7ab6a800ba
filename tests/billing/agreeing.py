"""An agreement as two people make it, for tests of several folders."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from billing import agreements
from billing.agreements import Line, Wish
from billing.models import Agreement
from portal.lib.periods import day_period
from portal.routing import deciding
from tenants import rls
from tenants.actors import Actor
from tenants.models import Organization, Proposal
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, NOON

REASON = "연간 계약을 맺었습니다."
TOMORROW = date(2026, 11, 17)
DECEMBER = date(2026, 12, 1)
JANUARY = date(2027, 1, 1)
FIXED = Line("tokens", CHAT, {"price_in": "50", "price_cached": "5", "price_out": "150"})
PERCENT = Line("tokens", CHAT, {"off": "10"})


def second_person(cast: Cast) -> Actor:
    """Another owner at the operator."""
    return factories.member(
        factories.user("second@example.com", "이둘째"), cast.olivia.may.organization
    )


def propose(
    cast: Cast,
    *lines: Line,
    of: Organization | None = None,
    starts_on: date = TOMORROW,
    ends_on: date | None = None,
    now: datetime = NOON,
    **more: Any,
) -> Proposal:
    wish = Wish("계약 2026-17", starts_on, ends_on, lines)
    with rls.everyone(because="test"):
        return agreements.propose(
            organization=of or cast.firm,
            wish=wish,
            because=REASON,
            by=cast.olivia.may,
            now=now,
            **more,
        )


def approve(proposal: Proposal, by: Actor, now: datetime = NOON) -> None:
    with rls.everyone(because="test"):
        deciding.approve(proposal=proposal, by=by, now=now)


def agree(cast: Cast, second: Actor, *lines: Line, now: datetime = NOON, **wish: Any) -> Agreement:
    """Proposed, approved and written."""
    approve(propose(cast, *lines, now=now, **wish), second, now)
    with rls.everyone(because="test"):
        return Agreement.objects.latest("pk")


def midnight(day: date) -> datetime:
    """In Korea."""
    return day_period(day).start
