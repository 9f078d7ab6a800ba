"""An organization closes on its day: what runs stops, the rest is billed, owners read."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

import pytest

from billing.models import Invoice
from portal.deployments.models import Endpoint, Placement
from portal.routing import endings
from tenants import actors, rls, standing
from tenants.actions import accounts, closings
from tenants.actors import Actor, NotAllowed
from tenants.models import ApiKey, AuditEvent, Membership, Notice, Organization
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
        told = Notice.objects.filter(user=cast.bob.user).values_list("kind", flat=True)
        assert sorted(told) == ["organization.closing", "organization.closing_undone"]
    assert endings.close_organizations(now=DAY) == 0


def test_stops_what_runs_bills_the_rest_and_leaves_owners_reading(
    cast: Cast, valkey_url: str
) -> None:
    factories.catalogue()
    site = factories.site(cards=2)
    endpoint = factories.endpoint(cast.project)
    placement = factories.placement(endpoint, site, moves=[(NOON, "ready")])
    key, _secret = factories.api_key(cast.project, cast.bob.may)
    factories.ledger_entry(cast.project, tokens_in=2_000_000, tokens_out=1_000_000)
    ask(cast)

    assert endings.close_organizations(now=DAY - timedelta(seconds=1)) == 0
    assert endings.close_organizations(now=DAY) == 0  # the site has not stopped it yet

    with rls.tenant(cast.firm.pk):
        assert Endpoint.objects.get(pk=endpoint.pk).stopped_at == DAY
        assert ApiKey.objects.get(pk=key.pk).revoked_at == DAY
        assert not Invoice.objects.exists()
        Placement.objects.filter(pk=placement.pk).update(state="stopped", state_since=DAY)

    later = DAY + timedelta(minutes=1)
    assert endings.close_organizations(now=later) == 1
    assert endings.close_organizations(now=later) == 0

    with rls.tenant(cast.firm.pk):
        invoice = Invoice.objects.get()
        event = AuditEvent.objects.get(verb="organization.closed")
        assert event.changes == {"final_invoice": invoice.public_id, "kept_until": "2031-12-31"}
    alice, bob = now_of(cast, "alice"), now_of(cast, "bob")
    assert alice.can("invoices.read") and not any(one.endswith(".change") for one in alice.verbs)
    assert not alice.can("organization.close")
    assert bob.verbs == frozenset()
    assert closings.kept_until(alice.organization) == date(2031, 12, 31)
    assert accounts.owned_alone(cast.alice.user) == []


def test_ends_access_after_the_retention(cast: Cast) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=cast.firm.pk).update(closes_at=NOON, closed_at=NOON)
    last = NOON.replace(year=2031, month=12, day=31)

    assert closings.end_retention(last) == 0
    assert closings.end_retention(last + timedelta(days=1)) == 4
    assert now_of(cast, "mallory").verbs
