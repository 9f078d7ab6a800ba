"""New sites for a project, and raises of budgets: asked for, signed, carried out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing import budgets
from billing.approvals import asking, raises
from billing.approvals.deciding import Seen, Word
from billing.models import ApprovalRequest, Budget, BudgetChange
from portal.deployments import approving
from portal.deployments.actions import project_sites
from portal.deployments.actions.project_sites import Changed
from tenants import rls
from tenants.actions import projects
from tenants.actors import Actor, NotAllowed
from tenants.models import Project
from tenants.reasons import BadReason
from tests import factories
from tests.deployments.conftest import Shop
from tests.factories import NOON


@pytest.fixture
def erin(shop: Shop) -> Actor:
    return factories.member(
        factories.user("erin@example.com", "정에린"), shop.firm, "administrator"
    )


@pytest.fixture
def bob(shop: Shop) -> Actor:
    return factories.member(factories.user("bob@example.com", "박도현"), shop.firm, "developer")


def medical(shop: Shop, *regions: str) -> Project:
    return factories.project(shop.firm, "진료", data_class="medical", regions=list(regions))


def widen(shop: Shop, project: Project, by: Actor, *regions: str, name: str = "") -> Changed:
    with rls.tenant(shop.firm.pk):
        wish = replace(projects.wish_of(project), regions=regions, name=name or project.name)
        return project_sites.change(project=project, wish=wish, by=by, now=NOON)


def regions_of(project: Project) -> list[str]:
    with rls.tenant(project.organization_id):
        return Project.objects.get(pk=project.pk).regions


def sign(request: ApprovalRequest, by: Actor) -> ApprovalRequest:
    return approving.decide(request=request, seen=Seen(1, 1), word=Word(True), by=by, now=NOON)


def test_new_sites_for_medical_data_wait(shop: Shop, erin: Actor) -> None:
    project = medical(shop, "daegu")

    changed = widen(shop, project, shop.alice, "daegu", "busan", name="진료 기록")

    assert changed.waiting is not None
    assert (changed.project.name, regions_of(project)) == ("진료 기록", ["daegu"])
    assert sign(changed.waiting, erin).state == "done"
    assert sorted(regions_of(project)) == ["busan", "daegu"]


def test_any_region_is_wider_than_some(shop: Shop, erin: Actor) -> None:
    project = medical(shop, "daegu")

    assert widen(shop, project, shop.alice).waiting is not None
    assert regions_of(project) == ["daegu"]


def test_fewer_sites_hold_at_once(shop: Shop, erin: Actor) -> None:
    project = medical(shop, "daegu", "busan")

    assert widen(shop, project, shop.alice, "busan").waiting is None
    assert regions_of(project) == ["busan"]


def test_sites_for_open_data_need_nobody(shop: Shop, erin: Actor) -> None:
    project = factories.project(shop.firm, "공개", regions=["daegu"])

    assert widen(shop, project, shop.alice, "daegu", "busan").waiting is None
    assert sorted(regions_of(project)) == ["busan", "daegu"]


def test_sites_are_not_approved_for_another_data_class(shop: Shop, erin: Actor) -> None:
    project = factories.project(shop.firm, "민감", data_class="sensitive", regions=["daegu"])
    waiting = widen(shop, project, shop.alice, "daegu", "busan").waiting
    assert waiting is not None
    with rls.tenant(shop.firm.pk):
        Project.objects.filter(pk=project.pk).update(data_class="medical")

    assert sign(waiting, erin).state == "changed"
    assert regions_of(project) == ["daegu"]


def ask_raise(
    shop: Shop, by: Actor, to_won: int, because: str = "시험을 더 합니다"
) -> ApprovalRequest:
    with rls.tenant(shop.firm.pk):
        budget = Budget.objects.select_related("organization").get(pk=shop.budget.pk)
        return raises.ask(budget=budget, to_won=to_won, because=because, by=by, now=NOON)


def test_a_raise_is_carried_out_by_the_signature(shop: Shop, bob: Actor) -> None:
    request = ask_raise(shop, bob, 3_000_000)

    assert (request.amount_won, request.project) == (1_000_000, "")
    assert sign(request, shop.alice).state == "done"
    assert int(budgets.standing(shop.budget, shop.firm, now=NOON).limit) == 3_000_000
    with rls.tenant(shop.firm.pk):
        change = BudgetChange.objects.get()
        assert (change.to_won, change.because) == (3_000_000, "시험을 더 합니다")
        assert change.by == request.public_id


@pytest.mark.parametrize(
    ("to_won", "because", "refusal"),
    [
        (2_000_000, "이유가 있습니다", raises.NoRaise),
        (-1, "이유가 있습니다", budgets.LimitOutOfRange),
        (9_000_000_001, "이유가 있습니다", budgets.LimitOutOfRange),
        (3_000_000, " ", BadReason),
    ],
)
def test_refuses_a_raise_that_is_none(
    shop: Shop, bob: Actor, to_won: int, because: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        ask_raise(shop, bob, to_won, because)


def test_asks_for_one_raise_of_a_budget_at_a_time(shop: Shop, bob: Actor) -> None:
    ask_raise(shop, bob, 3_000_000)

    with pytest.raises(asking.AlreadyAsked):
        ask_raise(shop, bob, 4_000_000)


def test_a_raise_is_not_approved_on_another_limit(shop: Shop, bob: Actor) -> None:
    request = ask_raise(shop, bob, 3_000_000)
    budgets.change(budget=shop.budget, limit_won=2_500_000, because="", by=shop.alice, now=NOON)

    assert sign(request, shop.alice).state == "changed"
    assert int(budgets.standing(shop.budget, shop.firm, now=NOON).limit) == 2_500_000


def test_who_asked_for_a_raise_does_not_sign_it(shop: Shop, bob: Actor) -> None:
    with pytest.raises(NotAllowed):
        sign(ask_raise(shop, bob, 3_000_000), bob)
