"""New sites for a project: asked for, signed, carried out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.approvals.deciding import Seen, Word
from billing.approvals.kinds import TermsChanged
from billing.models import ApprovalRequest
from portal.deployments import approving
from portal.deployments.actions import project_sites
from portal.deployments.actions.project_sites import Changed
from tenants import rls
from tenants.actions import projects
from tenants.actors import Actor
from tenants.models import Project
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


def test_sites_are_opened_on_the_signed_terms_only(shop: Shop, erin: Actor) -> None:
    """Between the look at the terms and the deed the project gets another data class."""
    project = factories.project(shop.firm, "민감", data_class="sensitive", regions=["daegu"])
    waiting = widen(shop, project, shop.alice, "daegu", "busan").waiting
    assert waiting is not None
    with rls.tenant(shop.firm.pk):
        ApprovalRequest.objects.filter(pk=waiting.pk).update(state="approved")
        Project.objects.filter(pk=project.pk).update(data_class="medical")

    with pytest.raises(TermsChanged):
        project_sites.carry_out(waiting, erin, NOON)

    assert regions_of(project) == ["daegu"]


def test_a_dead_process_leaves_sites_to_the_sweep(shop: Shop, erin: Actor) -> None:
    project = medical(shop, "daegu")
    waiting = widen(shop, project, shop.alice, "daegu", "busan").waiting
    assert waiting is not None
    with rls.tenant(shop.firm.pk):
        ApprovalRequest.objects.filter(pk=waiting.pk).update(state="approved", state_since=NOON)

    assert approving.sweep(now=NOON + timedelta(minutes=5)) == 1
    assert approving.sweep(now=NOON + timedelta(minutes=10)) == 0

    assert sorted(regions_of(project)) == ["busan", "daegu"]


def test_sites_are_not_approved_for_another_data_class(shop: Shop, erin: Actor) -> None:
    project = factories.project(shop.firm, "민감", data_class="sensitive", regions=["daegu"])
    waiting = widen(shop, project, shop.alice, "daegu", "busan").waiting
    assert waiting is not None
    with rls.tenant(shop.firm.pk):
        Project.objects.filter(pk=project.pk).update(data_class="medical")

    assert sign(waiting, erin).state == "changed"
    assert regions_of(project) == ["daegu"]
