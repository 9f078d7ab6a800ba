"""The demonstration's approvals and contracts come about as people make them, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import budgets
from billing.agreements import Line
from billing.approvals import sweeps
from billing.etax import profiles
from billing.models import Agreement, ApprovalDecision, ApprovalMatrix, ApprovalRequest
from portal.deployments import approving, example
from portal.deployments.example import Office
from tenants import rls
from tenants.models import Deputyship
from tenants.roles import Role
from tests import factories
from tests.billing import county as world
from tests.cast import Cast
from tests.factories import CHAT, NOON


@pytest.fixture
def office(db: None, valkey_url: str) -> Office:
    budgets.admission.cache_clear()
    county = world.make()
    budgets.publish(factories.budget(county.office, 1_800_000), county.office)
    head = factories.member(
        factories.user("division@county.example", "문가람"), county.office, Role.ADMINISTRATOR
    )
    return Office(county.head, county.officer, head, county.clerk)


@pytest.mark.django_db(transaction=True)
def test_shows_rules_a_leave_and_requests_once(office: Office) -> None:
    for _twice in range(2):
        example.fill_approvals(office, now=NOON)

    with rls.tenant(office.owner.organization.pk):
        rows = ApprovalRequest.objects.order_by("pk").values_list("kind", "state", "amount_won")
        assert list(rows) == [
            ("budget.raise", "done", 200_000),
            ("budget.raise", "done", 1_000_000),
            ("budget.raise", "waiting", 1_500_000),
        ]
        deputy = ApprovalDecision.objects.exclude(for_user=None).get()
        assert (deputy.decided_label, deputy.for_user) == (office.head.label, office.owner.user)
        assert ApprovalMatrix.objects.count() == Deputyship.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_old_demonstration_has_a_leave_and_a_waiting_request_again(office: Office) -> None:
    example.fill_approvals(office, now=NOON)
    later = NOON + timedelta(days=40)
    sweeps.expire(approving.DEEDS, now=later)

    example.fill_approvals(office, now=later)

    with rls.tenant(office.owner.organization.pk):
        states = list(ApprovalRequest.objects.order_by("pk").values_list("state", flat=True))
        assert states == ["done", "done", "expired", "waiting"]
        assert Deputyship.objects.filter(ends_date__gt=later).count() == 1


def test_shows_an_agreement_and_e_tax_details_once(cast: Cast) -> None:
    factories.catalogue()
    lines = [Line("tokens", CHAT, {"off": "10"})]

    for _twice in range(2):
        example.fill_contract(owner=cast.alice.may, operator=cast.olivia.may, lines=lines, now=NOON)

    with rls.tenant(cast.firm.pk):
        assert Agreement.objects.get().terms.count() == 1
        assert profiles.details_of(profiles.of(cast.firm)).representative == "김서연"
