""" "Test this key" gives the gateway's own answer, and charges nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis

from portal.admission.sync import Admission
from portal.lib.money import MICRO
from portal.routing import trial
from portal.routing.publish import Publisher
from portal.routing.trial import Outcome
from tenants import rls
from tenants.models import ApiKey, Organization
from tests.factories import CHAT, NOON
from tests.routing.conftest import Rows


@pytest.fixture
def publisher(rows: Rows, valkey: redis.Redis) -> Publisher:
    found = Publisher(Admission(valkey))
    found.turn(now=NOON)
    return found


def tried(
    rows: Rows, publisher: Publisher, *, model: str = CHAT, address: str = "", **key: Any
) -> Outcome:
    """A trial after the key was changed and the change was published."""
    if key:
        with rls.tenant(rows.firm.pk):
            ApiKey.objects.filter(pk=rows.key.pk).update(**key)
        publisher.turn(now=NOON + timedelta(seconds=1))
    return trial.of(key=rows.key, organization=rows.firm, model=model, address=address)


def test_says_that_nobody_has_confirmed_the_organization(rows: Rows, publisher: Publisher) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=rows.firm.pk).update(registration="pending_registry")

    outcome = tried(rows, publisher, rpm_limit=61)

    assert outcome.code == "organization_not_confirmed"


def test_names_the_site_that_would_be_asked_and_what_is_held(
    rows: Rows, publisher: Publisher
) -> None:
    found = tried(rows, publisher)

    assert (found.status, found.sites) == (200, ("daegu-1",))
    assert found.worst_micro == 100 * 60 + 100 * 180  # example prices, won a million tokens
    assert found.rpm_left == 59


def test_leaves_no_hold_and_charges_nothing(rows: Rows, publisher: Publisher) -> None:
    tried(rows, publisher)

    found = publisher.admission.standing(
        rows.firm.code, subject=rows.firm.public_id, month="2026-11"
    )
    assert found is not None
    assert (found.held, found.spent) == (0, 0)


@pytest.mark.parametrize(
    ("key", "asked", "status", "code"),
    [
        ({"revoked_at": NOON}, {}, 401, "invalid_api_key"),
        ({"expires_at": NOON}, {}, 401, "invalid_api_key"),
        ({"scopes": ["control_read"]}, {}, 403, "insufficient_scope"),
        (
            {"allowed_addresses": ["10.0.0.0/8"]},
            {"address": "11.0.0.1"},
            403,
            "address_not_allowed",
        ),
        ({}, {"model": "gpt-9"}, 404, "model_not_found"),
        ({"allowed_models": ["nothing"]}, {}, 404, "model_not_found"),
        ({"allowed_sites": ["busan-1"]}, {}, 503, "no_eligible_site"),
        ({"rpm_limit": 0}, {}, 429, "rate_limit_exceeded"),
    ],
)
def test_says_why_not(
    rows: Rows,
    publisher: Publisher,
    key: dict[str, Any],
    asked: dict[str, str],
    status: int,
    code: str,
) -> None:
    found = tried(rows, publisher, **key, **asked)

    assert (found.status, found.code) == (status, code)
    assert found.message


def test_names_the_budget_that_is_spent(rows: Rows, publisher: Publisher) -> None:
    publisher.admission.set_limit(
        rows.firm.code, subject=rows.firm.public_id, limit_micro=MICRO // 1000, hard=True, number=9
    )

    found = tried(rows, publisher)

    assert (found.status, found.code) == (429, "insufficient_quota")
    assert "organization" in found.message


def test_allows_an_address_inside_the_range(rows: Rows, publisher: Publisher) -> None:
    found = tried(rows, publisher, address="10.1.2.3", allowed_addresses=["10.0.0.0/8"])

    assert found.status == 200


def test_says_that_the_counters_do_not_answer(rows: Rows, settings: Any) -> None:
    from billing import budgets

    settings.VALKEY_URL = "redis://127.0.0.1:9/0"
    budgets.admission.cache_clear()
    try:
        found = trial.of(key=rows.key, organization=rows.firm, model=CHAT, address="")
    finally:
        budgets.admission.cache_clear()

    assert (found.status, found.code) == (503, "admission_unavailable")
