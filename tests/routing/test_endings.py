"""An organization closes on its day: what runs stops, the rest is billed, members read."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest

from billing import budgets, invoices
from billing.models import Invoice, InvoiceLine
from portal.deployments.actions import closing
from portal.deployments.models import Endpoint, Placement
from portal.lib.periods import Month
from portal.routing import endings, snapshot
from tenants import actors, rls, standing
from tenants.actions import accounts, closings, reviews
from tenants.actors import Actor, NotAllowed
from tenants.models import ApiKey, AuditEvent, Membership, Notice, OperatorHold, Organization
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

DAY = NOON + timedelta(days=7)


def ask(cast: Cast, **changes: object) -> Organization:
    wish = {"typed_name": "한빛정밀", "days": 7} | changes
    with rls.tenant(cast.firm.pk):
        return closings.ask(by=cast.alice.may, now=NOON, **wish)  # type: ignore[arg-type]


def now_of(cast: Cast, name: str) -> Actor:
    """The actor that a member is by now."""
    with rls.everyone(because="test"):
        row = Membership.objects.select_related("organization", "user")
        return actors.of_membership(row.get(user=cast[name].user))


@pytest.mark.parametrize("typed", ["", "한빛", "이웃상사", "한빛정밀\u200b", "x" * 200])
def test_wants_the_name_typed(cast: Cast, typed: str) -> None:
    with pytest.raises(closings.NameDiffers):
        ask(cast, typed_name=typed)


def test_takes_the_name_in_any_normal_form(cast: Cast) -> None:
    found = ask(cast, typed_name=unicodedata.normalize("NFD", " 한빛정밀 "))

    assert found.closes_at == DAY


@pytest.mark.parametrize("days", [0, -1, 91])
def test_refuses_days_out_of_range(cast: Cast, days: int) -> None:
    with pytest.raises(closings.BadDays):
        ask(cast, days=days)


@pytest.mark.parametrize("who", ["bob", "carol", "dan"])
def test_lets_only_owners_close_and_undo(cast: Cast, who: str) -> None:
    ask(cast)

    with rls.tenant(cast.firm.pk):
        with pytest.raises(NotAllowed):
            closings.ask(typed_name="한빛정밀", days=1, by=cast[who].may, now=NOON)
        with pytest.raises(NotAllowed):
            closings.undo(by=cast[who].may, now=NOON)
    assert now_of(cast, "alice").organization.closes_at == DAY


def test_never_closes_the_operator(cast: Cast) -> None:
    operator = cast.olivia.may
    with rls.tenant(operator.organization.pk), pytest.raises(closings.NeverCloses):
        closings.ask(typed_name=operator.organization.name, days=7, by=operator, now=NOON)


def test_orders_nothing_while_it_closes(cast: Cast) -> None:
    assert standing.reasons(cast.firm) == []

    assert len(standing.reasons(ask(cast))) == 1


def test_is_undone_until_its_day(cast: Cast) -> None:
    ask(cast)

    with rls.tenant(cast.firm.pk):
        with pytest.raises(closings.ClosingBegan):
            closings.undo(by=cast.alice.may, now=DAY)
        closings.undo(by=cast.alice.may, now=DAY - timedelta(seconds=1))
    with rls.user(cast.bob.user.pk):
        told = Notice.objects.filter(user=cast.bob.user).values_list("kind", flat=True)
        assert sorted(told) == ["organization.closing", "organization.closing_undone"]
    assert endings.close_organizations(now=DAY) == 0


@dataclass(frozen=True)
class Running:
    """What the firm has when it closes."""

    endpoint: Endpoint
    placement: Placement
    key: ApiKey
    secret: str


@pytest.fixture
def running(cast: Cast, valkey_url: str) -> Running:
    """A dedicated endpoint with a replica, a live key, use that nobody has billed yet."""
    budgets.admission.cache_clear()
    factories.catalogue()
    endpoint = factories.endpoint(cast.project)
    placement = factories.placement(endpoint, factories.site(cards=2), moves=[(NOON, "ready")])
    key, secret = factories.api_key(cast.project, cast.alice.may, scopes=Scope.values)
    factories.ledger_entry(cast.project, tokens_in=2_000_000, tokens_out=1_000_000)
    return Running(endpoint, placement, key, secret)


def the_site_stops_it(cast: Cast, running: Running) -> None:
    with rls.tenant(cast.firm.pk):
        Placement.objects.filter(pk=running.placement.pk).update(state="stopped", state_since=DAY)


LATER = DAY + endings.ARRIVES_WITHIN


def test_stops_what_runs_bills_the_rest_and_leaves_members_reading(
    cast: Cast, running: Running
) -> None:
    ask(cast)

    assert endings.close_organizations(now=DAY - timedelta(seconds=1)) == 0
    assert endings.close_organizations(now=LATER) == 0  # the site has not stopped it yet

    with rls.tenant(cast.firm.pk):
        assert Endpoint.objects.get(pk=running.endpoint.pk).stopped_at == LATER
        assert ApiKey.objects.get(pk=running.key.pk).revoked_at == LATER
        assert not Invoice.objects.exists()
    the_site_stops_it(cast, running)

    assert endings.close_organizations(now=LATER) == 1
    assert endings.close_organizations(now=LATER) == 0

    with rls.tenant(cast.firm.pk):
        invoice = Invoice.objects.get()
        event = AuditEvent.objects.get(verb="organization.closed")
        assert event.changes == {"final_invoice": invoice.public_id, "kept_until": "2031-12-31"}
    assert closings.kept_until(now_of(cast, "alice").organization) == date(2031, 12, 31)
    assert accounts.owned_alone(cast.alice.user) == []


@pytest.mark.parametrize("who", ["alice", "bob", "carol", "dan"])
def test_leaves_in_a_closed_organization_what_only_reads(cast: Cast, who: str) -> None:
    closed(cast)

    left = now_of(cast, who).verbs

    assert {"organization.read", "endpoints.read"} <= left <= cast[who].may.verbs
    assert {verb for verb in left if not verb.endswith(".read")} <= {
        "audit.export",
        "members.change",  # who reads goes on changing
    }


def closed(cast: Cast) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=cast.firm.pk).update(closes_at=NOON, closed_at=NOON)
        cast.firm.refresh_from_db()


def test_waits_for_use_that_is_still_on_its_way(cast: Cast, running: Running) -> None:
    ask(cast)
    the_site_stops_it(cast, running)

    assert endings.close_organizations(now=LATER - timedelta(seconds=1)) == 0
    assert endings.close_organizations(now=LATER) == 1


def test_waits_while_money_is_held(cast: Cast, running: Running) -> None:
    budgets.publish(factories.budget(cast.firm), cast.firm)
    budgets.reserve(
        organization=cast.firm,
        subjects=[cast.firm.public_id],
        reference="ord_open",
        month=Month.of(LATER),
        amount_micro=5_000_000,
    )
    ask(cast)
    the_site_stops_it(cast, running)

    assert endings.close_organizations(now=LATER) == 0
    budgets.unreserve(organization=cast.firm, reference="ord_open", month=Month.of(LATER))
    assert endings.close_organizations(now=LATER) == 1


def test_waits_while_nobody_can_say_what_is_held(
    cast: Cast, running: Running, settings: Any
) -> None:
    factories.budget(cast.firm)
    ask(cast)
    the_site_stops_it(cast, running)
    settings.VALKEY_URL = "redis://127.0.0.1:9/0"
    budgets.admission.cache_clear()

    assert endings.close_organizations(now=LATER) == 0

    budgets.admission.cache_clear()
    assert now_of(cast, "alice").organization.closed_at is None


def test_bills_at_month_end_what_arrives_after_the_final_invoice(
    cast: Cast, running: Running
) -> None:
    ask(cast)
    the_site_stops_it(cast, running)
    assert endings.close_organizations(now=LATER) == 1
    factories.ledger_entry(cast.project, at=DAY - timedelta(minutes=1), tokens_in=7_000_000)

    month = Month.of(DAY)
    closing.close_month(month, now=month.period.end, finalise=True)

    with rls.tenant(cast.firm.pk):
        lines = InvoiceLine.objects.filter(item__contains="token_in")
        assert sum(line.quantity for line in lines) == 9_000_000


def test_keeps_an_invoice_that_nobody_has_paid(cast: Cast, running: Running) -> None:
    first = invoices.issue_interim(
        organization=cast.firm, by=cast.alice.may, now=NOON + timedelta(hours=1)
    )
    assert first is not None
    ask(cast)
    the_site_stops_it(cast, running)
    factories.ledger_entry(cast.project, at=DAY - timedelta(minutes=1), tokens_in=1_000_000)

    assert endings.close_organizations(now=LATER) == 1

    with rls.tenant(cast.firm.pk):
        assert Invoice.objects.count() == 2
        assert Invoice.objects.filter(public_id=first.public_id).exists()
        assert "invoices.read" in now_of(cast, "carol").verbs


def test_the_gateway_refuses_every_key_of_a_closed_organization(
    cast: Cast, running: Running
) -> None:
    """Also one that was made while the organization closed, and that no sweep has seen."""
    closed(cast)

    grant, ended = snapshot.take(now=NOON, demands=[]).grants[running.key.sha256]

    assert (grant.key, ended) == (running.key.public_id, True)
    actor = actors.of_key(running.secret, now=NOON)
    assert actor is not None and all(verb.endswith(".read") for verb in actor.verbs)


def test_closes_one_that_the_operator_has_suspended(cast: Cast, running: Running) -> None:
    with rls.everyone(because="test set-up"):
        OperatorHold.objects.create(
            public_id="hold_1",
            organization=cast.firm,
            because="Rechnung offen",
            held_at=NOON,
            held_by="오운영",
        )
    ask(cast)
    the_site_stops_it(cast, running)

    with rls.tenant(cast.firm.pk):
        assert len(standing.reasons(now_of(cast, "alice").organization)) == 2
    assert endings.close_organizations(now=LATER) == 1


def test_a_deputy_of_the_owner_does_not_close_the_house(cast: Cast) -> None:
    deputy = replace(
        cast.bob.may,
        verbs=cast.bob.may.verbs | cast.alice.may.verbs,
        lent=(actors.Lent(cast.alice.may.verbs, cast.alice.user.public_id),),
    )

    with rls.tenant(cast.firm.pk), pytest.raises(NotAllowed):
        closings.ask(typed_name="한빛정밀", days=7, by=deputy, now=NOON)


def test_opens_no_access_review_where_all_is_closed(cast: Cast) -> None:
    later = NOON + timedelta(days=60)
    assert cast.firm in reviews.without_review(now=later)

    closed(cast)

    assert cast.firm not in reviews.without_review(now=later)


def test_ends_access_after_the_retention(cast: Cast) -> None:
    closed(cast)
    last = NOON.replace(year=2031, month=12, day=31)

    assert closings.end_retention(last) == 0
    assert closings.end_retention(last + timedelta(days=1)) == 4
    assert now_of(cast, "mallory").verbs
