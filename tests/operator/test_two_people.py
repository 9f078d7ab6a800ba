"""What takes two people: proposed by one, approved by another, done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connections
from django.test import TestCase

from billing import budgets, price_changes, tariffs
from portal.admission import keys as names
from portal.deployments import quoting
from portal.deployments.actions import orders
from portal.routing import deciding, snapshot
from tenants import quotas, reasons, rls, standing
from tenants.actions import holds, keys, notes, proposals
from tenants.actions import quotas as quota_deeds
from tenants.actors import Actor, NotAllowed
from tenants.models import AuditEvent, Notice, OperatorHold, OperatorNote, Proposal, Quota
from tenants.roles import Role, verbs_of
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, NOON

REASON = "요금이 석 달 밀렸습니다."


@pytest.fixture
def paul(cast: Cast) -> Actor:
    """Another owner at the operator."""
    user = factories.user("paul@example.com", "박운영")
    return factories.member(user, cast.olivia.may.organization)


def suspend(cast: Cast, first: Actor, second: Actor) -> Proposal:
    with rls.everyone(because="test"):
        made = deciding.propose_suspension(
            organization=cast.firm, because=REASON, by=first, now=NOON
        )
        return deciding.approve(proposal=made, by=second, now=NOON)


def test_suspends_only_with_a_second_person(cast: Cast, paul: Actor) -> None:
    olivia = cast.olivia.may
    with rls.everyone(because="test"):
        made = deciding.propose_suspension(
            organization=cast.firm, because=REASON, by=olivia, now=NOON
        )
        with pytest.raises(proposals.NeedsAnother):
            deciding.approve(proposal=made, by=olivia, now=NOON)
        assert standing.reasons(cast.firm) == []

        deciding.approve(proposal=made, by=paul, now=NOON)

        assert REASON in " ".join(standing.reasons(cast.firm))
        with pytest.raises(standing.OrderingClosed):
            standing.require_ordering(cast.firm)


def test_the_database_itself_refuses_a_self_approval(cast: Cast, paul: Actor) -> None:
    with rls.everyone(because="test"):
        made = deciding.propose_suspension(
            organization=cast.firm, because=REASON, by=paul, now=NOON
        )
        with pytest.raises(IntegrityError):
            Proposal.objects.filter(pk=made.pk).update(decision="approved", decided_by=paul.user)


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.AUDITOR, Role.BUDGET_OFFICER])
def test_needs_the_verb_of_its_kind(cast: Cast, paul: Actor, role: str) -> None:
    weak = replace(paul, verbs=verbs_of(role, operator=True))
    with rls.everyone(because="test"):
        made = deciding.propose_suspension(
            organization=cast.firm, because=REASON, by=cast.olivia.may, now=NOON
        )
        with pytest.raises(NotAllowed):
            deciding.approve(proposal=made, by=weak, now=NOON)
        with pytest.raises(NotAllowed):
            deciding.propose_suspension(
                organization=cast.mallory.may.organization, because=REASON, by=weak, now=NOON
            )


@pytest.mark.parametrize("because", ["", "   ", "kurz", "x" * 301, "a\u202ebcdef"])
def test_wants_a_reason(cast: Cast, paul: Actor, because: str) -> None:
    with rls.everyone(because="test"), pytest.raises(reasons.BadReason):
        deciding.propose_suspension(organization=cast.firm, because=because, by=paul, now=NOON)


def test_nobody_suspends_the_operator(cast: Cast, paul: Actor) -> None:
    with rls.everyone(because="test"), pytest.raises(holds.OperatorItself):
        deciding.propose_suspension(
            organization=paul.organization, because=REASON, by=paul, now=NOON
        )


def test_a_proposal_is_over_after_a_week(cast: Cast, paul: Actor) -> None:
    with rls.everyone(because="test"):
        made = deciding.propose_suspension(
            organization=cast.firm, because=REASON, by=cast.olivia.may, now=NOON
        )
        week = NOON + timedelta(days=7)
        with pytest.raises(proposals.AlreadyDecided):
            deciding.approve(proposal=made, by=paul, now=week)
        assert proposals.expire_due(now=week) == 1
        made.refresh_from_db()
    assert made.decision == "expired"


def test_the_same_is_proposed_once(cast: Cast, paul: Actor) -> None:
    with rls.everyone(because="test"):
        deciding.propose_suspension(
            organization=cast.firm, because=REASON, by=cast.olivia.may, now=NOON
        )
        with pytest.raises(proposals.AlreadyProposed):
            deciding.propose_suspension(organization=cast.firm, because=REASON, by=paul, now=NOON)


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_do_it_once() -> None:
    operator = factories.organization("두레", kind="operator", number=None)
    firm = factories.organization()
    one, two, three = (
        factories.member(factories.user(f"o{n}@x.example"), operator) for n in range(3)
    )
    with rls.everyone(because="test"):
        made = deciding.propose_suspension(organization=firm, because=REASON, by=one, now=NOON)

    def approve(by: Actor) -> str:
        try:
            with rls.everyone(because="test"):
                deciding.approve(proposal=made, by=by, now=NOON)
        except proposals.AlreadyDecided:
            return "late"
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(approve, (two, three)))

    assert found == ["done", "late"]
    with rls.everyone(because="test"):
        assert OperatorHold.objects.count() == 1


def test_is_told_to_the_customer_and_kept_in_both_logs(cast: Cast, paul: Actor) -> None:
    suspend(cast, cast.olivia.may, paul)

    with rls.everyone(because="test"):
        told = Notice.objects.filter(kind="organization.held")
        assert {one.user for one in told} == {cast.alice.user}
        where = AuditEvent.objects.filter(verb="operator.suspend")
        assert {one.organization for one in where} == {cast.firm, paul.organization}
        assert all(one.because == REASON for one in where)


# ─── what a suspension does ────────────────────────────────────────────────────────────────────


def test_ends_keys_at_the_gateway_and_lifting_brings_them_back(
    cast: Cast, paul: Actor, valkey: Any
) -> None:
    budgets.admission.cache_clear()
    budgets.admission().load_functions()
    key, _ = factories.api_key(cast.project, cast.alice.may)
    with TestCase.captureOnCommitCallbacks(execute=True):
        suspend(cast, cast.olivia.may, paul)

    assert valkey.hget(names.grant(cast.firm.code, key.sha256), "revoked") == b"1"
    assert snapshot.take(now=NOON, demands=[]).grants[key.sha256][1] is True

    with rls.everyone(because="test"):
        holds.lift(organization=cast.firm, because="다 냈습니다.", by=paul, now=NOON)

    assert snapshot.take(now=NOON, demands=[]).grants[key.sha256][1] is False
    with rls.everyone(because="test"), pytest.raises(holds.NotHeld):
        holds.lift(organization=cast.firm, because="다 냈습니다.", by=paul, now=NOON)


def test_orders_nothing_new(cast: Cast, paul: Actor, valkey_url: str) -> None:
    budgets.admission.cache_clear()
    factories.catalogue()
    factories.site(cards=20)
    budgets.publish(factories.budget(cast.firm, 100_000_000), cast.firm)
    suspend(cast, cast.olivia.may, paul)
    wish = quoting.Wish(name="neu", model=CHAT, region="daegu", replicas=1)

    with pytest.raises(standing.OrderingClosed):
        orders.place(
            wish=wish,
            project=cast.project,
            idempotency_key="abcdefgh",
            by=cast.alice.may,
            now=NOON,
        )


def test_a_customer_sees_why_and_nothing_of_the_notes(cast: Cast, paul: Actor) -> None:
    suspend(cast, cast.olivia.may, paul)
    with rls.everyone(because="test"):
        notes.write(organization=cast.firm, text="Vorsicht, zahlt nie.", by=paul, now=NOON)
    with rls.tenant(cast.firm.pk):
        assert OperatorHold.objects.get().because == REASON
        assert not OperatorNote.objects.exists()
        assert not Proposal.objects.exists()


# ─── quotas ────────────────────────────────────────────────────────────────────────────────────


def test_a_quota_holds_from_the_next_key_on(cast: Cast, paul: Actor) -> None:
    factories.api_key(cast.project, cast.alice.may)
    with rls.everyone(because="test"):
        quota_deeds.change(
            organization=cast.firm, name="live_keys", most=1, because=REASON, by=paul, now=NOON
        )
    with rls.tenant(cast.firm.pk):
        assert quotas.most(cast.firm, "live_keys") == 1
    with pytest.raises(keys.TooManyKeys):
        factories.api_key(cast.project, cast.alice.may)
    factories.api_key(factories.project(cast.mallory.may.organization, "q"), cast.mallory.may)


@pytest.mark.parametrize(
    ("name", "most", "error"),
    [
        ("nonsense", 1, quota_deeds.UnknownQuota),
        ("live_keys", -1, quota_deeds.QuotaOutOfRange),
        ("live_keys", 10**6, quota_deeds.QuotaOutOfRange),
    ],
)
def test_refuses_a_quota_without_sense(
    cast: Cast, paul: Actor, name: str, most: int, error: type[Exception]
) -> None:
    with rls.everyone(because="test"), pytest.raises(error):
        quota_deeds.change(
            organization=cast.firm, name=name, most=most, because=REASON, by=paul, now=NOON
        )


def test_a_customer_gives_itself_no_quota(cast: Cast) -> None:
    from django.db import DatabaseError

    with pytest.raises(DatabaseError), rls.tenant(cast.firm.pk):
        Quota.objects.create(
            organization=cast.firm,
            name="live_keys",
            most=9999,
            because=REASON,
            set_by="x",
            set_at=NOON,
        )


# ─── prices ────────────────────────────────────────────────────────────────────────────────────


def propose_price(by: Actor, **more: Any) -> Proposal:
    wish: dict[str, Any] = {
        "model": CHAT,
        "price_in": Decimal(70),
        "price_cached": Decimal(30),
        "price_out": Decimal(200),
        "starts_on": date(2026, 12, 1),
        "because": REASON,
    }
    return price_changes.propose_tokens(by=by, now=NOON, **(wish | more))


def test_a_price_is_changed_by_two_and_from_its_midnight_on(cast: Cast, paul: Actor) -> None:
    factories.catalogue()
    with rls.everyone(because="test"):
        made = propose_price(cast.olivia.may)
        before = tariffs.token_tariffs_at(NOON)[CHAT].price_in
        deciding.approve(proposal=made, by=paul, now=NOON)
    midnight = NOON.replace(month=11, day=30, hour=15, minute=0)  # in Korea: 1 December, 00:00

    assert tariffs.token_tariffs_at(midnight - timedelta(seconds=1))[CHAT].price_in == before
    assert tariffs.token_tariffs_at(midnight)[CHAT].price_in == 70


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"starts_on": date(2026, 11, 16)}, price_changes.StartsTooEarly),
        ({"price_in": Decimal("-1")}, price_changes.BadPrice),
        ({"price_in": Decimal("NaN")}, price_changes.BadPrice),
        ({"price_in": Decimal("0.0000001")}, price_changes.BadPrice),
        ({"model": "gpt-9"}, price_changes.UnknownItem),
    ],
)
def test_refuses_a_price_without_sense(
    cast: Cast, paul: Actor, more: dict[str, Any], error: type[Exception]
) -> None:
    factories.catalogue()
    with rls.everyone(because="test"), pytest.raises(error):
        propose_price(paul, **more)


def test_a_price_that_came_too_late_is_not_carried_out(cast: Cast, paul: Actor) -> None:
    factories.catalogue()
    with rls.everyone(because="test"):
        made = propose_price(cast.olivia.may, starts_on=date(2026, 11, 17))
        with pytest.raises(price_changes.StartsTooEarly):
            deciding.approve(proposal=made, by=paul, now=NOON + timedelta(days=1))
        made.refresh_from_db()
    assert made.decision == "open"
